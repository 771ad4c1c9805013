"""What came with a request: PAP octet for octet, CHAP, MS-CHAPv2, or a refusal in words."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pyrad import packet as pyrad

from aad.core.answer import Answer, Plain, mangled
from aad.core.outcome import Reason
from aad.core.secret import Secret
from aad.radius.protocol import client_packets
from aad.radius.protocol.attribute_dictionary import shipped
from aad.radius.protocol.constants import (
    ARAP_PASSWORD,
    AUTHORIZE_ONLY,
    CHAP_CHALLENGE,
    CHAP_PASSWORD,
    EAP_MESSAGE,
    MESSAGE_AUTHENTICATOR,
    MS_CHAP2_RESPONSE,
    MS_CHAP_CHALLENGE,
    MS_CHAP_RESPONSE,
    SERVICE_TYPE,
    STATE,
    USER_NAME,
    USER_PASSWORD,
    VENDOR_SPECIFIC,
)
from aad.radius.protocol.packet import decode
from aad.radius.protocol.password import Chap, MsChap2, UnusablePassword, _is_text, answer_of, encrypt
from aad.radius.protocol.wire import Attribute, microsoft_attribute
from tests.parts.mschap import CHALLENGE, NAME, PASSWORD, PEER_CHALLENGE, RESPONSE
from tests.radius.datagrams import SECRET, VECTOR, unsigned

passwords = st.binary(max_size=128)
challenges = st.binary(min_size=16, max_size=16)


def came(*attributes: Attribute) -> Answer | UnusablePassword:
    return answer_of(decode(unsigned(*attributes)), SECRET)


def answered(*attributes: Attribute) -> Answer:
    answer = came(*attributes)
    assert not isinstance(answer, UnusablePassword)
    return answer


# PAP.


@given(passwords, challenges, st.binary(min_size=1, max_size=80).map(Secret))
def test_pap_octet_for_octet(password: bytes, authenticator: bytes, secret: Secret) -> None:
    hidden = encrypt(Secret(password), authenticator, secret)
    asked = pyrad.AuthPacket(secret=secret.reveal(), authenticator=authenticator)
    assert hidden == asked.PwCrypt(password)
    request = decode(client_packets.request(1, authenticator, [(USER_PASSWORD, hidden)], secret))
    answer = answer_of(request, secret)
    assert not isinstance(answer, UnusablePassword)
    assert answer.text == Secret(password.rstrip(b"\0"))


def pap(password: bytes, *attributes: Attribute, signed: bool = False) -> Answer | UnusablePassword:
    """Return what is read of a password; its Message-Authenticator was verified before (`Client.secret_of`)."""
    signature = [(MESSAGE_AUTHENTICATOR, bytes(16))] if signed else []
    return came(*signature, (USER_PASSWORD, encrypt(Secret(password), VECTOR, SECRET)), *attributes)


@pytest.mark.parametrize(
    "password", [b"cor\xffrect horse", "①23".encode(), b"a\0b", b"\0a", b"x" * 16, b"x" * 17, b"x" * 128]
)
def test_pap_changes_nothing(password: bytes) -> None:
    answer = pap(password, signed=True)
    assert not isinstance(answer, UnusablePassword)
    assert answer.text is not None
    assert answer.text.reveal() == password
    assert answer.matches(Secret(password))
    assert not answer.empty


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=30))
def test_where_nothing_proves_the_secret_text_is_a_password(text: str) -> None:
    answer = pap(text.encode())
    assert not isinstance(answer, UnusablePassword)
    assert answer.text == Secret(text)


@given(st.binary(max_size=128))
def test_where_nothing_proves_the_secret_other_octets_are_none(octets: bytes) -> None:
    typed = octets.rstrip(b"\0")
    assume(not mangled(Plain(Secret(typed))))
    text = not any(octet < 32 or octet == 127 for octet in typed)
    with contextlib.suppress(UnicodeDecodeError):
        text = text and bool(typed.decode() or True)
        assert isinstance(pap(octets), UnusablePassword) != text
        return
    assert pap(octets) == UNREADABLE


UNREADABLE = UnusablePassword(Reason.UNREADABLE, "what came isn't UTF-8, or holds control characters")


@pytest.mark.parametrize("octet", [*range(1, 32), 127])
def test_control_characters_are_no_text(octet: int) -> None:
    for typed in (bytes((octet,)) * 2, b"a" + bytes((octet,)) + b"b", "é".encode() + bytes((octet,))):
        assert pap(typed) == UNREADABLE
        assert pap(typed, (STATE, b"ticket")) == UNREADABLE
        assert not isinstance(pap(typed, signed=True), UnusablePassword)


def test_what_sshd_writes_is_known_as_such() -> None:
    junk = b"\b\n\r\x7fINCORRECT\b\n"
    assert not isinstance(pap(junk), UnusablePassword)
    assert pap(junk, (STATE, b"ticket")) == UnusablePassword(Reason.NAME_MANGLED, "it is no answer to a challenge")
    assert pap(junk + b"x") == UNREADABLE


def test_random_octets_are_text_as_seldom_as_the_docs_say() -> None:
    """Count the texts of each length: RFC 3629 4 says what UTF-8 is, by ranges of octets."""
    tail = 64
    of = {1: 95, 2: 30 * tail, 3: (32 + 12 * 64 + 32 + 2 * 64) * tail, 4: (48 + 3 * 64 + 16) * tail**2}
    texts = [1]
    for length in range(1, 33):
        texts.append(sum(of[size] * texts[length - size] for size in of if size <= length))
    brute = [bytes((one, two)) for one in range(256) for two in range(256)]
    assert texts[2] == sum(map(_is_text, brute))
    docs = (Path(__file__).parents[3] / "docs" / "wrong-shared-secret.md").read_text()
    for octets, said in ((16, "1 in 355,000"), (32, "1 in 100,000,000,000")):
        chance = 256**octets / sum(texts[1 : octets + 1])
        known = int(said.removeprefix("1 in ").replace(",", ""))
        assert known <= chance < known * 1.05
        assert said in docs


@pytest.mark.parametrize("password", [b"", b"\0", b"\0" * 16, b"\0" * 128])
def test_empty(password: bytes) -> None:
    assert answered((USER_PASSWORD, encrypt(Secret(password), VECTOR, SECRET))).empty


def test_no_octets_at_all_are_empty() -> None:
    assert answered((USER_PASSWORD, b"")).empty


@pytest.mark.parametrize("size", [1, 15, 17, 31, 127, 129, 144, 160, 240, 253])
def test_a_malformed_length_is_refused(size: int) -> None:
    refused = came((USER_PASSWORD, bytes(size)))
    assert refused == UnusablePassword(Reason.UNSUPPORTED, f"a User-Password of {size} octets")


def test_too_long_to_hide() -> None:
    with pytest.raises(ValueError, match="128"):
        encrypt(Secret(b"x" * 129), VECTOR, SECRET)


# CHAP.


@given(passwords, challenges, st.integers(0, 255))
def test_chap(password: bytes, challenge: bytes, identifier: int) -> None:
    given_so = client_packets.chap(Secret(password), challenge, identifier)
    answer = answered(*given_so)
    assert answer.text is None
    assert answer.matches(Secret(password))
    assert not answer.matches(Secret(password + b"x"))
    assert answer.empty == (password == b"")
    asked = pyrad.AuthPacket(packet=unsigned(*given_so), secret=SECRET.reveal(), dict=shipped()._dictionary)
    assert asked.VerifyChapPasswd(password)


def test_chap_with_the_authenticator_for_a_challenge() -> None:
    response, _ = client_packets.chap(Secret(b"123456"), VECTOR, 1)
    assert answered(response).matches(Secret(b"123456"))


@pytest.mark.parametrize(
    "attributes",
    [
        [(CHAP_PASSWORD, bytes(16))],
        [(CHAP_PASSWORD, bytes(18))],
        [(CHAP_PASSWORD, b"")],
        [(CHAP_PASSWORD, bytes(17)), (CHAP_CHALLENGE, b"1234")],
        [(CHAP_PASSWORD, bytes(17)), (CHAP_CHALLENGE, bytes(16)), (CHAP_CHALLENGE, bytes(16))],
    ],
)
def test_malformed_chap(attributes: list[Attribute]) -> None:
    assert came(*attributes) == UnusablePassword(Reason.UNSUPPORTED, "a malformed CHAP-Password or CHAP-Challenge")


# MS-CHAPv2.


def test_mschapv2_of_the_rfc() -> None:
    given_so = client_packets.mschapv2(Secret(PASSWORD), NAME.decode(), CHALLENGE, PEER_CHALLENGE, 5)
    assert given_so[1][1].endswith(RESPONSE)
    answer = answered((USER_NAME, NAME), *given_so)
    assert isinstance(answer, MsChap2)
    assert answer.text is None
    assert not answer.empty
    assert not answer.matches(Secret("clientpass"))
    assert not answer.matches(Secret(b"\xff"))
    assert answer.success is None
    assert answer.matches(Secret(PASSWORD))
    proof = b"\x05S=407A5589115FD0D6209F510FE9C04566932CDA56"
    assert answer.success == (VENDOR_SPECIFIC, b"\0\0\x01\x37\x1a\x2d" + proof)


@given(st.text(st.characters(codec="utf-8"), max_size=20), st.text(st.characters(codec="utf-8"), max_size=20))
def test_mschapv2(password: str, name: str) -> None:
    given_so = client_packets.mschapv2(Secret(password), name, CHALLENGE, PEER_CHALLENGE, 5)
    answer = answered((USER_NAME, name.encode()), *given_so)
    assert answer.matches(Secret(password))
    assert not answer.matches(Secret(password + "x"))
    assert answer.empty == (password == "")


def test_mschapv2_without_a_name() -> None:
    assert answered(*client_packets.mschapv2(Secret("1234"), "", CHALLENGE, PEER_CHALLENGE, 5)).matches(Secret("1234"))


@pytest.mark.parametrize(
    "attributes",
    [
        [microsoft_attribute(MS_CHAP2_RESPONSE, bytes(50))],
        [microsoft_attribute(MS_CHAP2_RESPONSE, bytes(50)), microsoft_attribute(MS_CHAP_CHALLENGE, bytes(8))],
        [microsoft_attribute(MS_CHAP2_RESPONSE, bytes(50))] + [microsoft_attribute(MS_CHAP_CHALLENGE, bytes(16))] * 2,
        [microsoft_attribute(MS_CHAP2_RESPONSE, bytes(49)), microsoft_attribute(MS_CHAP_CHALLENGE, bytes(16))],
    ],
)
def test_malformed_mschapv2(attributes: list[Attribute]) -> None:
    assert came(*attributes) == UnusablePassword(
        Reason.UNSUPPORTED, "a malformed MS-CHAP2-Response or MS-CHAP-Challenge"
    )


# Nothing, too much, and what nobody can check.

PAP = (USER_PASSWORD, bytes(16))
CHAP = (CHAP_PASSWORD, bytes(17))


@pytest.mark.parametrize(
    ("attributes", "reason", "what"),
    [
        ([], Reason.NO_PASSWORD, "neither User-Password nor CHAP-Password nor MS-CHAP2-Response"),
        ([(STATE, b"ticket")], Reason.NO_PASSWORD, "neither User-Password nor CHAP-Password nor MS-CHAP2-Response"),
        ([PAP, CHAP], Reason.UNSUPPORTED, "more than one password"),
        ([CHAP, PAP], Reason.UNSUPPORTED, "more than one password"),
        ([PAP, PAP], Reason.UNSUPPORTED, "more than one password"),
        ([PAP, microsoft_attribute(MS_CHAP2_RESPONSE, bytes(50))], Reason.UNSUPPORTED, "more than one password"),
        ([microsoft_attribute(MS_CHAP_RESPONSE, bytes(50))], Reason.UNSUPPORTED, "MS-CHAP version 1"),
        ([(ARAP_PASSWORD, bytes(16))], Reason.UNSUPPORTED, "ARAP"),
        ([(MESSAGE_AUTHENTICATOR, bytes(16)), *[(EAP_MESSAGE, b"\2")] * 2], Reason.UNSUPPORTED, "EAP"),
        ([(SERVICE_TYPE, AUTHORIZE_ONLY), PAP], Reason.UNSUPPORTED, "Authorize-Only without State"),
    ],
)
def test_refused(attributes: list[Attribute], reason: Reason, what: str) -> None:
    assert came(*attributes) == UnusablePassword(reason, what)


def test_authorize_only_with_state_is_asked_for_its_password() -> None:
    hidden = (USER_PASSWORD, encrypt(Secret("123456"), VECTOR, SECRET))
    assert answered((SERVICE_TYPE, AUTHORIZE_ONLY), (STATE, b"ticket"), hidden).text is not None


def test_nothing_is_printed() -> None:
    assert repr(answered(*client_packets.chap(Secret(b"1"), VECTOR, 1))) == r"Chap(identifier=b'\x01')"
    mschapv2 = answered(*client_packets.mschapv2(Secret(b"1"), "", VECTOR, VECTOR, 1))
    assert repr(mschapv2) == r"MsChap2(identifier=b'\x01')"


def test_all_are_answers() -> None:
    answers: list[Answer] = [
        Chap(b"\1", bytes(16), bytes(16)),
        MsChap2(b"\1", b"", bytes(16), bytes(16), bytes(24)),
    ]
    assert not any(answer.empty for answer in answers)
