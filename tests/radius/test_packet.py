"""Requests in, replies out; pyrad is the oracle."""

from __future__ import annotations

import hmac
import struct
from hashlib import md5

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pyrad import packet as pyrad

from aad.core.secret import Secret
from aad.radius import asking
from aad.radius.names import (
    ACCESS_ACCEPT,
    ACCESS_CHALLENGE,
    ACCESS_REJECT,
    ACCESS_REQUEST,
    ARAP_PASSWORD,
    CHAP_PASSWORD,
    EAP_MESSAGE,
    MESSAGE_AUTHENTICATOR,
    MICROSOFT,
    MS_CHAP2_RESPONSE,
    MS_CHAP_CHALLENGE,
    MS_CHAP_RESPONSE,
    NAS_PORT,
    PROXY_STATE,
    REPLY_MESSAGE,
    SERVICE_TYPE,
    STATE,
    STATUS_SERVER,
    USER_NAME,
    USER_PASSWORD,
    VENDOR_SPECIFIC,
    Flaw,
)
from aad.radius.packet import ROOM, Packet, Request, authentic, decode, named, reply, shown
from aad.radius.wire import Attribute, PacketError, hmac_md5, microsoft_attribute, split

SECRET = Secret(b"a secret that two share")
VECTOR = bytes(range(16))
BLANK = (MESSAGE_AUTHENTICATOR, bytes(16))

octets = st.binary(max_size=253)
plain_types = st.integers(1, 255).filter(lambda kind: kind not in {MESSAGE_AUTHENTICATOR, EAP_MESSAGE, VENDOR_SPECIFIC})
attributes_of_any_type = st.lists(st.tuples(plain_types, octets), max_size=12)
secrets = st.binary(min_size=1, max_size=80).map(Secret)


def unsigned(*attributes: Attribute, code: int = ACCESS_REQUEST) -> bytes:
    body = b"".join(bytes((kind, len(value) + 2)) + value for kind, value in attributes)
    return struct.pack("!BBH16s", code, 7, 20 + len(body), VECTOR) + body


def flaw_of(datagram: bytes) -> Flaw:
    with pytest.raises(PacketError) as caught:
        decode(datagram)
    assert str(caught.value) == caught.value.flaw
    return caught.value.flaw


# What a strict server discards.


@pytest.mark.parametrize(
    ("datagram", "flaw"),
    [
        (b"", Flaw.SHORT),
        (unsigned()[:19], Flaw.SHORT),
        (b"\x01\x07\x00\x13" + bytes(16), Flaw.LENGTH_SMALL),
        (b"\x01\x07\x10\x01" + bytes(4093), Flaw.LENGTH_LARGE),
        (b"\x01\x07\x00\x15" + bytes(16), Flaw.TRUNCATED),
        (b"\x01\x07\x00\x15" + bytes(16) + b"\x01", Flaw.ATTRIBUTE_OVERRUN),
        (b"\x01\x07\x00\x16" + bytes(16) + b"\x01\x03", Flaw.ATTRIBUTE_OVERRUN),
        (b"\x01\x07\x00\x16" + bytes(16) + b"\x01\x03a", Flaw.ATTRIBUTE_OVERRUN),  # only in the padding
        (b"\x01\x07\x00\x16" + bytes(16) + b"\x01\x00", Flaw.ATTRIBUTE_LENGTH),
        (b"\x01\x07\x00\x16" + bytes(16) + b"\x01\x01", Flaw.ATTRIBUTE_LENGTH),
        (unsigned((0, b"")), Flaw.ATTRIBUTE_ZERO),
        (unsigned(*[(NAS_PORT, bytes(4))] * 201), Flaw.ATTRIBUTES_MANY),
        (unsigned((MESSAGE_AUTHENTICATOR, bytes(15))), Flaw.SIGNATURE_LENGTH),
        (unsigned((MESSAGE_AUTHENTICATOR, bytes(17))), Flaw.SIGNATURE_LENGTH),
        (unsigned((MESSAGE_AUTHENTICATOR, b"")), Flaw.SIGNATURE_LENGTH),
        (unsigned(BLANK, (USER_NAME, b"a"), BLANK), Flaw.SIGNATURE_TWICE),
        (unsigned(code=STATUS_SERVER), Flaw.STATUS_UNSIGNED),
        (unsigned((EAP_MESSAGE, b"a")), Flaw.EAP_UNSIGNED),
        (unsigned(BLANK, (EAP_MESSAGE, b"a"), (USER_PASSWORD, bytes(16))), Flaw.EAP_BESIDE_PASSWORD),
        (unsigned(BLANK, (EAP_MESSAGE, b"a"), (CHAP_PASSWORD, bytes(17))), Flaw.EAP_BESIDE_PASSWORD),
        (unsigned(BLANK, (EAP_MESSAGE, b"a"), (ARAP_PASSWORD, bytes(16))), Flaw.EAP_BESIDE_PASSWORD),
        (unsigned(BLANK, (EAP_MESSAGE, b"a"), microsoft_attribute(MS_CHAP_RESPONSE, b"")), Flaw.EAP_BESIDE_PASSWORD),
        (unsigned(BLANK, (EAP_MESSAGE, b"a"), microsoft_attribute(MS_CHAP2_RESPONSE, b"")), Flaw.EAP_BESIDE_PASSWORD),
        (unsigned(BLANK, *[(PROXY_STATE, bytes(253))] * 15), Flaw.NO_ROOM),
        *((unsigned(BLANK, code=code), Flaw.NO_REQUEST) for code in range(256) if code not in {1, 12}),
    ],
)
def test_discarded(datagram: bytes, flaw: Flaw) -> None:
    assert flaw_of(datagram) == flaw


@given(st.binary(max_size=300))
@example(bytes(5000))
def test_any_octets_are_a_request_or_a_packet_error(datagram: bytes) -> None:
    try:
        request = decode(datagram)
    except PacketError:
        return
    assert request.datagram == datagram[: len(request.datagram)]


@given(st.binary(max_size=200), st.sampled_from([1, 12]), st.integers(0, 3))
def test_any_body_is_a_request_or_a_packet_error(body: bytes, code: int, padding: int) -> None:
    try:
        request = decode(struct.pack("!BBH16s", code, 0, 20 + len(body), VECTOR) + body + bytes(padding))
    except PacketError:
        return
    assert b"".join(bytes((kind, len(value) + 2)) + value for kind, value in request.attributes) == body
    assert isinstance(request.name, str)
    assert request.name.isprintable()
    request.microsoft(MS_CHAP_CHALLENGE)
    authentic(request, SECRET)


@given(attributes_of_any_type, st.data())
def test_a_flipped_bit_is_noticed(attributes: list[Attribute], data: st.DataObject) -> None:
    good = asking.request(7, VECTOR, attributes, SECRET)
    bit = data.draw(st.integers(0, len(good) * 8 - 1))
    bad = bytearray(good)
    bad[bit // 8] ^= 1 << bit % 8
    try:
        request = decode(bytes(bad))
    except PacketError:
        return
    assert not authentic(request, SECRET)


# What isn't.


def test_padding_is_ignored() -> None:
    good = asking.request(7, VECTOR, [(USER_NAME, b"alice")], SECRET)
    request = decode(good + b"padding")
    assert request == decode(good)
    assert request.datagram == good
    assert authentic(request, SECRET)


def test_4096_octets_and_200_attributes_are_fine() -> None:
    filler = [(200, bytes(253))] * 15 + [(200, bytes(251))]
    assert len(decode(unsigned(*filler, (200, b"x"))).datagram) == 20 + 15 * 255 + 253 + 3
    assert len(asking.request(7, VECTOR, [*[(200, bytes(253))] * 15, (200, bytes(231))], SECRET)) == 4096
    assert len(decode(unsigned(*[(200, b"")] * 200)).attributes) == 200


def test_unknown_attributes_are_kept_in_order() -> None:
    attributes = ((250, b"b"), (USER_NAME, b"alice"), (249, b""), (250, b"a"))
    request = decode(unsigned(*attributes))
    assert request.attributes == attributes
    assert request.every(250) == [b"b", b"a"]
    assert request.every(248) == []
    assert request.first(250) == b"b"
    assert request.first(248) is None
    assert (request.code, request.identifier, request.authenticator) == (ACCESS_REQUEST, 7, VECTOR)


def test_eap_alone_is_no_flaw() -> None:
    decode(unsigned(BLANK, (EAP_MESSAGE, b"a"), (EAP_MESSAGE, b"b")))


def test_status_server() -> None:
    request = decode(asking.request(1, VECTOR, [], SECRET, STATUS_SERVER))
    assert request.code == STATUS_SERVER
    assert authentic(request, SECRET)


def test_nothing_is_printed() -> None:
    request = decode(unsigned((USER_NAME, b"alice"), (STATE, b"ticket")))
    assert repr(request) == "Request(code=1, identifier=7)"


@pytest.mark.parametrize(
    ("sent", "name", "odd"),
    [
        (b"alice", "alice", False),
        ("Zoë van 't Hoff".encode(), "Zoë van 't Hoff", False),
        (b"CORP\\alice", "CORP\\alice", False),
        (b"al\xffce", "al\ufffdce", True),
        (b"alice\r\nBcc: eve@example.com", "alice\ufffd\ufffdBcc: eve@example.com", True),
        ("\u202eecila".encode(), "\ufffdecila", True),
        (b"alice\0", "alice\ufffd", True),
        (b"\xed\xb3\xbf", "\ufffd" * 3, True),  # a surrogate
        (b"", "", False),
    ],
)
def test_name(sent: bytes, name: str, odd: bool) -> None:  # noqa: FBT001
    request = decode(unsigned((USER_NAME, sent)))
    assert (request.name, request.odd_name) == (name, odd)


def test_no_name_or_two() -> None:
    assert (decode(unsigned()).name, decode(unsigned()).odd_name) == ("", False)
    request = decode(unsigned((USER_NAME, b"alice"), (USER_NAME, b"bob")))
    assert (request.name, request.odd_name) == ("alice", True)


def test_state() -> None:
    assert decode(unsigned()).state is None
    assert decode(unsigned((STATE, b"ticket"))).state == b"ticket"
    assert decode(unsigned((STATE, b""))).state == b""
    assert decode(unsigned((STATE, b"ticket"), (STATE, b"ticket"))).state == b""


def test_microsoft_attributes() -> None:
    both = microsoft_attribute(MS_CHAP_CHALLENGE, b"one")[1] + b"\x0b\x05two"
    request = decode(
        unsigned(
            (VENDOR_SPECIFIC, both),
            (VENDOR_SPECIFIC, b"\0\0\0\x09" + both[4:]),  # another vendor's
            (VENDOR_SPECIFIC, both[:-1]),  # one that runs over its end
            (VENDOR_SPECIFIC, b"\0\0"),
            microsoft_attribute(MS_CHAP_CHALLENGE, b"three"),
        )
    )
    assert request.microsoft(MS_CHAP_CHALLENGE) == [b"one", b"two", b"three"]
    assert request.microsoft(MS_CHAP_RESPONSE) == []


# Message-Authenticator.


@given(st.binary(max_size=200), st.binary(max_size=300))
def test_hmac_is_the_standard_librarys(key: bytes, message: bytes) -> None:
    assert hmac_md5(Secret(key), message) == hmac.new(key, message, md5).digest()


@given(attributes_of_any_type, attributes_of_any_type, secrets)
def test_its_place_does_not_matter(before: list[Attribute], after: list[Attribute], secret: Secret) -> None:
    blank = unsigned(*before, BLANK, *after)
    at = 20 + sum(2 + len(value) for _, value in before) + 2
    right = hmac.new(secret.reveal(), blank, md5).digest()
    request = decode_any(blank[:at] + right + blank[at + 16 :])
    assert authentic(request, secret)
    assert not authentic(request, Secret(secret.reveal() + b"x"))
    assert not authentic(decode_any(blank), secret)


def decode_any(datagram: bytes) -> Packet:
    """Decode without looking at what the attributes mean."""
    return Packet(*split(datagram))


def test_none_is_not_authentic() -> None:
    request = decode(unsigned((USER_NAME, b"alice")))
    assert not request.has_message_authenticator
    assert not authentic(request, SECRET)


# Replies.


@given(st.sampled_from([ACCESS_ACCEPT, ACCESS_REJECT, ACCESS_CHALLENGE]), attributes_of_any_type, secrets)
def test_what_we_encode_pyrad_verifies(code: int, attributes: list[Attribute], secret: Secret) -> None:
    proxies = [b"one", b"", b"two"]
    asked = pyrad.AuthPacket(code=ACCESS_REQUEST, id=9, secret=secret.reveal(), authenticator=VECTOR)
    asked.message_authenticator = True
    asked[PROXY_STATE] = list(proxies)
    request = decode(asked.RequestPacket())
    assert authentic(request, secret)
    attributes = [each for each in attributes if each[0] != PROXY_STATE]
    octets = reply(request, code, attributes, secret)
    answered = asked.CreateReply(packet=octets)
    assert asked.VerifyReply(answered, octets, enforce_ma=True)
    assert (answered.code, answered.id) == (code, 9)
    assert octets[20:22] == b"\x50\x12"
    expected = [*attributes, *((PROXY_STATE, each) for each in proxies)]
    assert list(split(octets)[3][1:]) == expected
    for kind in {kind for kind, _ in expected}:
        assert answered[kind] == [value for each, value in expected if each == kind]


@given(st.lists(st.tuples(plain_types, octets), max_size=8), secrets)
def test_what_pyrad_encodes_we_decode(attributes: list[Attribute], secret: Secret) -> None:
    asked = pyrad.AuthPacket(code=ACCESS_REQUEST, id=9, secret=secret.reveal(), authenticator=VECTOR)
    asked.message_authenticator = True
    for kind, value in attributes:
        asked.setdefault(kind, []).append(value)
    request = decode(asked.RequestPacket())
    assert authentic(request, secret)
    for kind, _ in attributes:
        assert request.every(kind) == asked[kind]


@given(attributes_of_any_type, secrets)
def test_what_we_ask_pyrad_decodes(attributes: list[Attribute], secret: Secret) -> None:
    octets = asking.request(3, VECTOR, attributes, secret)
    seen = pyrad.AuthPacket(packet=octets, secret=secret.reveal())
    assert seen.verify_message_authenticator()
    for kind, _ in attributes:
        assert seen[kind] == [value for each, value in attributes if each == kind]


def test_every_request_has_room_for_its_reply() -> None:
    proxies = [(PROXY_STATE, bytes(253))] * 13 + [(PROXY_STATE, bytes(229))]
    request = decode(unsigned(BLANK, *proxies))
    assert len(reply(request, ACCESS_REJECT, [(REPLY_MESSAGE, bytes(253)), (STATE, bytes(ROOM - 257))], SECRET)) == 4096
    assert flaw_of(unsigned(BLANK, *proxies[:-1], (PROXY_STATE, bytes(230)))) == Flaw.NO_ROOM


def test_what_does_not_fit_is_a_value_error() -> None:
    request = decode(unsigned(BLANK))
    with pytest.raises(ValueError, match="fit"):
        reply(request, ACCESS_ACCEPT, [(200, bytes(253))] * 16, SECRET)
    with pytest.raises(ValueError, match="range"):
        reply(request, ACCESS_ACCEPT, [(200, bytes(254))], SECRET)


# The dictionary.


@pytest.mark.parametrize(
    ("name", "value", "attribute"),
    [
        ("User-Name", "alice", (USER_NAME, b"alice")),
        ("Service-Type", "Framed", (SERVICE_TYPE, b"\0\0\0\x02")),
        ("NAS-Port", "4711", (NAS_PORT, (4711).to_bytes(4))),
        ("NAS-IP-Address", "192.0.2.1", (4, b"\xc0\0\x02\x01")),
        ("NAS-IPv6-Address", "2001:db8::1", (95, bytes.fromhex("20010db8000000000000000000000001"))),
        ("MS-CHAP-Error", "E=691", (VENDOR_SPECIFIC, b"\0\0\x01\x37\x02\x07E=691")),
    ],
)
def test_attributes_by_name(name: str, value: str, attribute: Attribute) -> None:
    assert named(name, value) == attribute
    assert shown(attribute) == (name, b"E=691".hex() if value == "E=691" else value)


@pytest.mark.parametrize(
    ("name", "value"), [("Colour", "red"), ("NAS-Port", "red"), ("NAS-IP-Address", "red"), ("User-Name", "a" * 254)]
)
def test_attributes_by_a_wrong_name(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        named(name, value)
    assert type(caught.value) is not UnicodeDecodeError


@pytest.mark.parametrize(
    ("attribute", "text"),
    [
        ((250, b"\x01\x02"), ("250", "0102")),
        ((VENDOR_SPECIFIC, b"\0\0\0\x09\x01\x03a"), ("26", "00000009010361")),
        ((VENDOR_SPECIFIC, MICROSOFT.to_bytes(4) + b"\xc8\x03a"), ("26", "00000137c80361")),
        ((NAS_PORT, b"\x01"), ("NAS-Port", "01")),
        ((USER_NAME, b"\xff"), ("User-Name", "ff")),
    ],
)
def test_what_the_dictionary_does_not_know(attribute: Attribute, text: tuple[str, str]) -> None:
    assert shown(attribute) == text


@given(st.integers(1, 255), octets)
def test_any_attribute_can_be_shown(kind: int, value: bytes) -> None:
    name, text = shown((kind, value))
    assert name
    assert isinstance(text, str)


def test_a_request_is_frozen() -> None:
    request = decode(unsigned())
    assert isinstance(request, Request)
    with pytest.raises(AttributeError):
        request.code = 2  # type: ignore[misc]
