"""What is signed, and how: Message-Authenticator, and replies; pyrad is the oracle."""

from __future__ import annotations

import ast
import hmac
from hashlib import md5
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pyrad import packet as pyrad

import aad.radius
from aad.core.secret import Secret
from aad.radius.protocol import client_packets
from aad.radius.protocol.constants import (
    ACCESS_ACCEPT,
    ACCESS_CHALLENGE,
    ACCESS_REJECT,
    ACCESS_REQUEST,
    PROXY_STATE,
    REPLY_MESSAGE,
    STATE,
    USER_NAME,
    Flaw,
)
from aad.radius.protocol.packet import ROOM, Packet, authentic, decode, reply
from aad.radius.protocol.wire import Attribute, PacketError, hmac_md5, split
from tests.radius.datagrams import BLANK, SECRET, VECTOR, attributes_of_any_type, octets, plain_types, secrets, unsigned


@given(st.binary(max_size=200), st.binary(max_size=300))
@example(b"k" * 65, b"a key longer than a block")
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
    octets = client_packets.request(3, VECTOR, attributes, secret)
    seen = pyrad.AuthPacket(packet=octets, secret=secret.reveal())
    assert seen.verify_message_authenticator()
    for kind, _ in attributes:
        assert seen[kind] == [value for each, value in attributes if each == kind]


def test_every_request_has_room_for_its_reply() -> None:
    proxies = [(PROXY_STATE, bytes(253))] * 3 + [(PROXY_STATE, bytes(219))]
    request = decode(unsigned(BLANK, *proxies))
    most = [(REPLY_MESSAGE, bytes(253)), (STATE, bytes(253)), *[(200, bytes(254 - 2))] * 10, (200, bytes(ROOM - 3052))]
    assert len(reply(request, ACCESS_REJECT, most, SECRET)) == 4096
    with pytest.raises(PacketError, match=Flaw.NO_ROOM):
        decode(unsigned(BLANK, *proxies[:-1], (PROXY_STATE, bytes(220))))


def test_what_does_not_fit_is_a_value_error() -> None:
    request = decode(unsigned(BLANK))
    with pytest.raises(ValueError, match="fit"):
        reply(request, ACCESS_ACCEPT, [(200, bytes(253))] * 16, SECRET)
    with pytest.raises(ValueError, match="range"):
        reply(request, ACCESS_ACCEPT, [(200, bytes(254))], SECRET)


def test_fips_hosts_allow_it() -> None:
    for file in Path(aad.radius.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"md5", "sha1"}:
                assert [keyword.arg for keyword in node.keywords] == ["usedforsecurity"], file.name
