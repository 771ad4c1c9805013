"""Answers read out of octets: what ldap3's own decoder, slower, reads out of the same ones, or nothing at all."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from ldap3.protocol.rfc4511 import LDAPMessage
from pyasn1.codec.ber import decoder
from pyasn1.error import PyAsn1Error

from aad.repositories.ldap_answers import Odd, read, whole
from aad.repositories.ldap_ber import ENUMERATED, OCTETS, SEQUENCE, SET, integer, tlv
from aad.repositories.ldap_dial import Broken, read_anything
from tests.repositories import crooked

NUMBERS = st.integers(0, 2**31 - 1)
VALUES = st.lists(st.binary(max_size=200), min_size=1, max_size=4)  # ldap3 stumbles over none
NAMES = st.sampled_from(["uid", "mail", "MemberOf", "mail;lang-de", "member;range=0-1", "1.2.3"])
CONTROL = tlv(0xA0, tlv(SEQUENCE, tlv(OCTETS, b"1.3.6.1.4.1.42.2.27.8.5.1") + tlv(OCTETS, b"\x30\x00")))
ENTRY = crooked.ber(SEQUENCE, integer(7), crooked.entry(b"uid=alice"))


def message(number: int, operation: bytes, controls: bytes = b"") -> bytes:
    return tlv(SEQUENCE, integer(number) + operation + controls)


def result(tag: int, code: int = 0, text: bytes = b"") -> bytes:
    return tlv(tag, bytes((ENUMERATED, 1, code)) + tlv(OCTETS, b"") + tlv(OCTETS, text))


def found(dn: bytes, attributes: dict[str, list[bytes]]) -> bytes:
    listed = (
        tlv(SEQUENCE, tlv(OCTETS, name.encode()) + tlv(SET, b"".join(tlv(OCTETS, value) for value in values)))
        for name, values in attributes.items()
    )
    return tlv(0x64, tlv(OCTETS, dn) + tlv(SEQUENCE, b"".join(listed)))


def by_pyasn1(octets: bytes) -> Any:
    decoded, rest = decoder.decode(octets, asn1Spec=LDAPMessage())
    assert not rest
    return decoded


@given(number=NUMBERS, dn=st.text(max_size=100), attributes=st.dictionaries(NAMES, VALUES))
def test_an_entry_is_what_ldap3_reads(number: int, dn: str, attributes: dict[str, list[bytes]]) -> None:
    octets = message(number, found(dn.encode(), attributes))
    assert whole(octets) == len(octets)
    assert whole(octets[:-1]) in {0, len(octets)}
    assert read(octets) == read_anything(octets)


@given(number=NUMBERS, tag=st.sampled_from([0x61, 0x65]))
def test_that_all_went_well_is_what_ldap3_reads(number: int, tag: int) -> None:
    octets = message(number, result(tag))
    assert read(octets) == read_anything(octets)


@pytest.mark.parametrize(
    "octets",
    [
        message(1, result(0x61, 49)),
        message(1, result(0x61, 0, b"Welcome")),
        message(1, result(0x61), CONTROL),
        message(1, result(0x65, 4)),
        message(1, tlv(0x73, tlv(OCTETS, b"ldap://127.0.0.1/"))),
        message(1, result(0x78)),
    ],
)
def test_what_not_every_login_gets_is_left_to_ldap3(octets: bytes) -> None:
    with pytest.raises(Odd):
        read(octets)
    assert read_anything(octets).number == 1


@given(octets=st.binary(max_size=60), at=st.integers(0, 60), lost=st.integers(0, 4))
@example(octets=b"", at=0, lost=0)
def test_what_is_read_out_of_broken_octets_is_what_the_standard_decoder_reads(
    octets: bytes, at: int, lost: int
) -> None:
    broken = ENTRY[:at] + octets[:4] + ENTRY[at + lost :]
    try:
        size = whole(broken)
        answer = read(broken)
    except (ValueError, Odd):
        return
    assert size == len(broken)
    try:
        decoded = by_pyasn1(broken)
    except PyAsn1Error:  # stricter: of a text's letters, of a number's size
        assert answer.entry
        return
    assert answer.number == int(decoded["messageID"])
    assert answer.entry
    assert answer.entry.dn == bytes(decoded["protocolOp"]["searchResEntry"]["object"]).decode(errors="replace")


@given(octets=st.binary(max_size=200))
def test_no_octets_raise_anything_else(octets: bytes) -> None:
    with suppress(Odd):
        read(octets)
    with suppress(Broken):
        read_anything(octets)
