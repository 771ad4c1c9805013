"""A datagram is a request, or a PacketError; never anything else."""

from __future__ import annotations

import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aad.radius.protocol import client_packets
from aad.radius.protocol.constants import (
    ACCESS_REQUEST,
    ARAP_PASSWORD,
    CHAP_PASSWORD,
    EAP_MESSAGE,
    MESSAGE_AUTHENTICATOR,
    MS_CHAP2_RESPONSE,
    MS_CHAP_CHALLENGE,
    MS_CHAP_RESPONSE,
    NAS_PORT,
    PROXY_STATE,
    STATE,
    STATUS_SERVER,
    USER_NAME,
    USER_PASSWORD,
    VENDOR_SPECIFIC,
    Flaw,
)
from aad.radius.protocol.packet import Request, authentic, decode
from aad.radius.protocol.wire import Attribute, PacketError, microsoft_attribute
from tests.radius.datagrams import BLANK, SECRET, VECTOR, attributes_of_any_type, unsigned


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
    good = client_packets.request(7, VECTOR, attributes, SECRET)
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
    good = client_packets.request(7, VECTOR, [(USER_NAME, b"alice")], SECRET)
    request = decode(good + b"padding")
    assert request == decode(good)
    assert request.datagram == good
    assert authentic(request, SECRET)


def test_4096_octets_and_200_attributes_are_fine() -> None:
    whole = unsigned(*[(200, bytes(253))] * 15, (200, bytes(249)))
    assert len(decode(whole).datagram) == 4096
    assert len(client_packets.request(7, VECTOR, [*[(200, bytes(253))] * 15, (200, bytes(231))], SECRET)) == 4096
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
    request = decode(client_packets.request(1, VECTOR, [], SECRET, STATUS_SERVER))
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


def test_a_request_is_frozen() -> None:
    request = decode(unsigned())
    assert isinstance(request, Request)
    with pytest.raises(AttributeError):
        request.code = 2  # type: ignore[misc]
