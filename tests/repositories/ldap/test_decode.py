"""Answers read out of octets: what ldap3's own decoder, slower, reads out of the same ones, or nothing at all."""

from __future__ import annotations

import tracemalloc
import warnings
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pyasn1.codec.ber import decoder
from pyasn1.error import PyAsn1Error

from aad.repositories.ldap.decode import (
    BOUND,
    DONE,
    EXTENDED_DONE,
    MOST,
    Entry,
    NotLdapError,
    Question,
    UnreadableAnswerError,
    head,
)
from aad.repositories.ldap.encode import ENUMERATED, INTEGER, OCTETS, SEQUENCE, SET, BerError, elements, integer, tlv
from aad.repositories.ldap.result_codes import NAMES, Result
from tests.repositories.ldap import crooked

with warnings.catch_warnings():  # ldap3 2.9.1 calls pyasn1 by names of long ago
    warnings.simplefilter("ignore", DeprecationWarning)
    import ldap3
    from ldap3.protocol.rfc4511 import LDAPMessage, ResultCode
    from ldap3.utils.asn1 import decode_message_fast

LDAP3 = ldap3.Connection(ldap3.Server("", get_info=ldap3.NONE), client_strategy=ldap3.SYNC, check_names=False).strategy
NUMBERS = st.integers(1, 2**31 - 1)
VALUES = st.lists(st.binary(max_size=200), min_size=1, max_size=4)  # ldap3 stumbles over none
NAMES_ = st.sampled_from(["uid", "mail", "MemberOf", "mail;lang-de", "member;range=0-1", "1.2.3"])
CODES = st.sampled_from(sorted(NAMES.keys() - {10}))  # of a referral ldap3 can read nothing
POLICY = "1.3.6.1.4.1.42.2.27.8.5.1"
TEXT = st.text(max_size=100)
WELL = bytes((ENUMERATED, 1, 0, OCTETS, 0, OCTETS, 0))


def message(number: int, operation: bytes, controls: bytes = b"") -> bytes:
    return tlv(SEQUENCE, integer(number) + operation + controls)


def result(tag: int, code: int = 0, text: bytes = b"") -> bytes:
    return tlv(tag, bytes((ENUMERATED, 1, code)) + tlv(OCTETS, b"") + tlv(OCTETS, text))


def control(oid: bytes, *more: bytes) -> bytes:
    return tlv(SEQUENCE, tlv(OCTETS, oid) + b"".join(more))


def found(dn: bytes, attributes: dict[str, list[bytes]]) -> bytes:
    listed = (
        tlv(SEQUENCE, tlv(OCTETS, name.encode()) + tlv(SET, b"".join(tlv(OCTETS, value) for value in values)))
        for name, values in attributes.items()
    )
    return tlv(0x64, tlv(OCTETS, dn) + tlv(SEQUENCE, b"".join(listed)))


def asked(octets: bytes, kind: int = DONE, number: int = 7) -> Question:
    """Read a message, as the wire does."""
    question, begun = Question(number, kind, 1), head(octets)
    assert begun is not None
    question.expects(begun)
    assert begun.size == len(octets)
    assert question.add(octets, begun) == (question.result is not None)
    return question


def by_ldap3(octets: bytes) -> Any:
    return LDAP3.decode_response_fast(decode_message_fast(octets))


@given(number=NUMBERS, dn=TEXT, attributes=st.dictionaries(NAMES_, VALUES))
def test_an_entry_is_what_ldap3_reads(number: int, dn: str, attributes: dict[str, list[bytes]]) -> None:
    octets = message(number, found(dn.encode(), attributes))
    for cut in range(min(len(octets), 30)):
        assert head(octets[:cut]) in {None, head(octets)}
    (entry,) = asked(octets, number=number).entries
    said, expected, cut_off = by_ldap3(octets), dict[str, tuple[str, ...]](), set()
    for name, values in said["raw_attributes"].items():
        bare, _, option = name.lower().partition(";")
        if not option or option.startswith("range="):
            expected[bare] = (*expected.get(bare, ()), *(value.decode(errors="replace") for value in values))
            cut_off |= {bare} if option else set()
    assert entry == Entry(said["raw_dn"].decode(), expected, frozenset(cut_off))


@given(number=NUMBERS, tag=st.sampled_from([BOUND, DONE]), code=CODES, text=TEXT, value=st.binary(max_size=99))
@example(number=1, tag=BOUND, code=0, text="", value=b"")
def test_a_result_is_what_ldap3_reads(number: int, tag: int, code: int, text: str, value: bytes) -> None:
    controls = tlv(0xA0, control(POLICY.encode(), tlv(OCTETS, value)) + control(b"1.2", b"\1\1\xff"))
    for more in (b"", controls):
        octets = message(number, result(tag, code, text.encode()), more)
        said = by_ldap3(octets)
        held = {oid: each["value"] or b"" for oid, each in said.get("controls", {}).items()}
        expected = Result(said["result"], said["description"], said["message"], held)
        assert asked(octets, tag, number).result == expected


def test_results_are_called_as_elsewhere() -> None:
    names = {int(number): name for name, number in ResultCode.namedValues.items()}
    assert {code: names[code] for code in NAMES} == NAMES


@pytest.mark.parametrize(
    ("kind", "operation", "expected"),
    [
        (BOUND, result(BOUND, 10) + b"", "referral"),
        (BOUND, crooked.result(BOUND, 10, b"", crooked.ber(0xA3, crooked.ber(4, b"ldap://x/"))), "referral"),
        (BOUND, tlv(BOUND, WELL + tlv(0x87, b"credentials")), "success"),
        (DONE, tlv(DONE, WELL + tlv(0x99, b"of a later RFC")), "success"),
        (BOUND, result(BOUND, 124), "a result that isn't known"),
        (BOUND, tlv(BOUND, b"\x0a\x02\x10\x00\x04\x00\x04\x00"), "a result that isn't known"),
        (BOUND, result(BOUND, 49, b"x" * 5000), "invalidCredentials"),
    ],
)
def test_results_that_ldap3_cannot_read(kind: int, operation: bytes, expected: str) -> None:
    said = asked(message(7, operation), kind).result
    assert said is not None
    assert said.name == expected
    assert len(said.message) <= 1000


@pytest.mark.parametrize(
    "operation", [tlv(0x73, tlv(OCTETS, b"ldap://127.0.0.1/")), tlv(0x79, b""), tlv(0x79, b"\xff" * 9)]
)
def test_what_stands_between_entries_is_left_out(operation: bytes) -> None:
    question = asked(message(7, operation))
    assert (question.result, question.entries) == (None, [])


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (b"HTTP/1.1", "doesn't begin with a message"),
        (b"\x30\x80\x02\x01\x07", "a length without end"),
        (b"\x30\x85\1\1\1\1\1", "a length of 5 octets"),
        (b"\x30\xff" + bytes(127), "a length of 127 octets"),
        (b"\x30\x00\x04\x00", "without a number"),
        (b"\x30\x03\x02\x01\x07\x65", "nothing behind it"),
        (b"\x30\x84\x7f\xff\xff\xff\x02\x84\x7f\xff\xff\xf0", "without a number"),
        (message(7, b"").replace(b"\2\1\7", b"\4\1\7") + b"\0\0", "without a number"),
        (tlv(SEQUENCE, tlv(INTEGER, b"\xff") + result(DONE)), "a negative number"),
        (tlv(SEQUENCE, tlv(INTEGER, b"") + result(DONE)), "a number of 0 octets"),
        (tlv(SEQUENCE, tlv(INTEGER, bytes(5)) + result(DONE)), "without a number"),
    ],
)
def test_what_is_no_message_ends_the_connection(octets: bytes, words: str) -> None:
    with pytest.raises(NotLdapError, match=f"no LDAP: .*{words}"):
        head(octets)


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (message(8, result(DONE)), "to another question"),
        (message(0, result(DONE)), "to no question"),
        (message(0, result(EXTENDED_DONE, 52)), "closed the connection"),
    ],
)
def test_an_answer_to_another_question_ends_the_connection(octets: bytes, words: str) -> None:
    with pytest.raises(NotLdapError, match=words):
        asked(octets)


ATTRIBUTE = tlv(SEQUENCE, tlv(OCTETS, b"uid") + tlv(SET, tlv(OCTETS, b"x")))
UNREADABLE = {
    "nothing in it": tlv(BOUND, b""),
    "a code alone": tlv(BOUND, b"\x0a\1\0"),
    "a code without content": tlv(BOUND, b"\x0a\0\4\0\4\0"),
    "a code of 5 octets": tlv(BOUND, b"\x0a\5\0\0\0\0\0\4\0\4\0"),
    "a code of thousands": tlv(BOUND, tlv(ENUMERATED, bytes(9000)) + b"\4\0\4\0"),
    "a negative code": tlv(BOUND, b"\x0a\1\xff\4\0\4\0"),
    "a number for a code": tlv(BOUND, b"\2\1\0\4\0\4\0"),
    "a number for a text": tlv(BOUND, b"\x0a\1\0" + tlv(INTEGER, bytes(9000)) + b"\4\0"),
    "a sequence for a text": tlv(BOUND, b"\x0a\1\0\4\0" + tlv(SEQUENCE, b"")),
    "a length out of the result": tlv(BOUND, b"\x0a\1\0\4\0\4\5"),
    "a length of two gigabytes": tlv(BOUND, b"\x0a\1\0\4\0\4\x84\x7f\xff\xff\xff"),
    "a length without end": tlv(BOUND, b"\x0a\1\0\4\0\x24\x80\0\0"),
    "another result": result(DONE),
    "an entry": found(b"uid=x", {}),
    "no operation": b"\x61\x84\x7f\xff\xff\xff",
}


@pytest.mark.parametrize("operation", UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_spoils_the_question(operation: bytes) -> None:
    with pytest.raises(UnreadableAnswerError):
        asked(message(7, operation), BOUND)


@pytest.mark.parametrize(
    "controls",
    [
        tlv(0xA0, control(b"1.2", b"\1\x82\x10\x00" + bytes(4096))),
        tlv(0xA0, control(b"1.2", b"\2\1\1")),
        tlv(0xA0, control(b"1.2", tlv(OCTETS, b""), tlv(OCTETS, b""))),
        tlv(0xA0, control(b"1.2") * 2),
        tlv(0xA0, tlv(SEQUENCE, b"")),
        tlv(0xA0, tlv(SET, tlv(OCTETS, b"1.2"))),
        tlv(0xA0, tlv(OCTETS, b"1.2")),
    ],
)
def test_a_control_that_cannot_be_read_makes_no_success(controls: bytes) -> None:
    with pytest.raises(UnreadableAnswerError, match="bindResponse that can't be read"):
        asked(message(7, result(BOUND), controls), BOUND)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        tlv(OCTETS, b"uid=x"),
        tlv(INTEGER, b"\1" * 9000) + tlv(SEQUENCE, b""),
        tlv(OCTETS, b"uid=x") + tlv(SET, b""),
        tlv(OCTETS, b"uid=x") + tlv(SEQUENCE, ATTRIBUTE * 2),
        tlv(OCTETS, b"uid=x") + tlv(SEQUENCE, tlv(SEQUENCE, tlv(OCTETS, b"uid"))),
        tlv(OCTETS, b"uid=x") + tlv(SEQUENCE, tlv(SEQUENCE, tlv(OCTETS, b"uid") + tlv(SET, tlv(INTEGER, b"\1")))),
        tlv(OCTETS, b"uid=x") + tlv(SEQUENCE, tlv(OCTETS, ATTRIBUTE)),
    ],
)
def test_an_entry_that_cannot_be_read_is_none(content: bytes) -> None:
    with pytest.raises(UnreadableAnswerError):
        asked(message(7, tlv(0x64, content)))


def test_all_that_answers_one_question_is_bounded() -> None:
    begun = head(b"\x30\x84\x7f\xff\xff\xff\2\1\7\x64")
    assert begun is not None
    with pytest.raises(UnreadableAnswerError, match=f"more than {MOST} octets"):
        Question(7, DONE).expects(begun)
    one = message(7, found(b"uid=x", {"photo": [bytes(100_000)]}))
    for octets, most in (
        (one, MOST // len(one)),
        (message(7, tlv(0x79, b"")), 3000),
        (message(7, found(b"", {})), 2000),
    ):
        question, heard = Question(7, DONE, 10_000), 0
        begun = head(octets)
        assert begun is not None
        with suppress(UnreadableAnswerError):
            while heard <= most:
                question.expects(begun)
                question.add(octets, begun)
                heard += 1
        assert heard <= most


def test_more_entries_than_were_asked_for_are_not_kept_and_not_forgotten() -> None:
    question = Question(7, DONE, 2)
    for octets in (*[message(7, found(b"uid=x", {}))] * 3, message(7, result(DONE))):
        begun = head(octets)
        assert begun is not None
        question.add(octets, begun)
    assert question.result is not None
    assert (len(question.entries), question.result.code) == (2, 4)


@pytest.mark.parametrize(
    "operation",
    [
        found(b"uid=x", {"mail": [b""] * 200_000}),
        tlv(0x64, tlv(OCTETS, b"x") + tlv(SEQUENCE, b"".join(b"\x30\4\4\0\x31\0" for _ in range(60_000)))),
        tlv(0x64, b"\4\0" * 200_000),
        tlv(0x64, tlv(INTEGER, b"\x7f" * 400_000) + tlv(SEQUENCE, b"")),
    ],
    ids=["values", "attributes", "elements", "a number"],
)
def test_many_small_things_take_no_more_memory_than_few(operation: bytes) -> None:
    octets = message(7, operation)
    tracemalloc.start()
    with pytest.raises(UnreadableAnswerError):
        asked(octets)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * 1024 * 1024


def test_a_thousand_groups_and_a_user_of_many_values_fit() -> None:
    question = Question(7, DONE, 1000)
    for number in range(1000):
        octets = message(7, found(f"cn=group {number:04},".encode().ljust(300, b"x"), {}))
        begun = head(octets)
        assert begun is not None
        question.expects(begun)
        question.add(octets, begun)
    assert len(question.entries) == 1000
    (entry,) = asked(message(7, found(b"uid=x", {"memberOf": [b"cn=%d" % n for n in range(5000)]}))).entries
    assert len(entry.values["memberof"]) == 5000


ENTRY = crooked.ber(SEQUENCE, integer(7), crooked.entry(b"uid=alice"))


@given(octets=st.binary(max_size=60), at=st.integers(0, 60), lost=st.integers(0, 4))
@example(octets=b"", at=0, lost=0)
def test_what_is_read_out_of_broken_octets_is_what_the_standard_decoder_reads(
    octets: bytes, at: int, lost: int
) -> None:
    broken = ENTRY[:at] + octets[:4] + ENTRY[at + lost :]
    try:
        begun = head(broken)
        if begun is None or begun.size != len(broken):
            return
        question = Question(begun.number, DONE, 1)
        question.add(broken, begun)
    except (NotLdapError, UnreadableAnswerError):
        return
    if not question.entries:
        return
    try:
        decoded, rest = decoder.decode(broken, asn1Spec=LDAPMessage())
    except PyAsn1Error:  # stricter: of a text's letters, of a number's size
        return
    assert not rest
    assert begun.number == int(decoded["messageID"])
    dn = bytes(decoded["protocolOp"]["searchResEntry"]["object"])
    assert question.entries[0].dn == dn.decode(errors="replace")


@given(octets=st.binary(max_size=200), kind=st.sampled_from([BOUND, DONE]))
def test_no_octets_raise_anything_else(octets: bytes, kind: int) -> None:
    for each in (octets, message(7, octets), message(7, tlv(kind, octets)), message(7, result(kind), octets)):
        try:
            begun = head(each)
            if begun and begun.size <= len(each):
                Question(begun.number, kind, 1).add(each, begun)
        except (NotLdapError, UnreadableAnswerError):
            pass


@given(octets=st.binary(max_size=60))
def test_elements_fill_what_they_stand_in(octets: bytes) -> None:
    try:
        split = elements(octets, 0, len(octets), 100)
    except BerError:
        return
    assert [end for _, _, end in split][-1:] == ([len(octets)] if octets else [])
    assert all(start <= end for _, start, end in split)
