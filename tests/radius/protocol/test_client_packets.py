"""The client's side: a reply is believed only if both authenticators are right."""

from __future__ import annotations

import pytest
from pyrad import packet as pyrad

from aad.core.secret import Secret
from aad.radius.protocol import client_packets
from aad.radius.protocol.constants import (
    ACCESS_ACCEPT,
    ACCESS_CHALLENGE,
    PROXY_STATE,
    REPLY_MESSAGE,
    STATE,
    USER_NAME,
    USER_PASSWORD,
    Flaw,
)
from aad.radius.protocol.packet import decode, reply
from aad.radius.protocol.wire import PacketError, response_authenticator
from tests.radius.datagrams import SECRET, VECTOR

REQUEST = client_packets.request(7, VECTOR, [(USER_NAME, b"alice"), (PROXY_STATE, b"x")], SECRET)
CHALLENGE = reply(decode(REQUEST), ACCESS_CHALLENGE, [(STATE, b"ticket"), (REPLY_MESSAGE, b"Code: ")], SECRET)


def flaw(datagram: bytes, identifier: int = 7, secret: Secret = SECRET, authenticator: bytes = VECTOR) -> Flaw:
    with pytest.raises(PacketError) as caught:
        client_packets.check_reply(datagram, authenticator, identifier, secret)
    return caught.value.flaw


def authenticated(datagram: bytes) -> bytes:
    """Make the Response Authenticator right, whatever the rest says."""
    return datagram[:4] + response_authenticator(datagram[:4], VECTOR, datagram[20:], SECRET) + datagram[20:]


def test_a_good_reply() -> None:
    got = client_packets.check_reply(CHALLENGE + b"padding", VECTOR, 7, SECRET)
    assert (got.code, got.first(STATE), got.first(REPLY_MESSAGE)) == (ACCESS_CHALLENGE, b"ticket", b"Code: ")
    assert got.attributes[-1] == (PROXY_STATE, b"x")


def test_a_good_reply_of_pyrads() -> None:
    answer = pyrad.AuthPacket(packet=REQUEST, secret=SECRET.reveal()).CreateReply()
    answer[REPLY_MESSAGE] = [b"Welcome"]
    got = client_packets.check_reply(answer.ReplyPacket(), VECTOR, 7, SECRET)
    assert (got.code, got.first(REPLY_MESSAGE)) == (ACCESS_ACCEPT, b"Welcome")


def test_not_believed() -> None:
    assert flaw(CHALLENGE[:-1]) == Flaw.TRUNCATED
    assert flaw(REQUEST) == Flaw.NO_REPLY
    assert flaw(CHALLENGE, identifier=8) == Flaw.OTHER_IDENTIFIER
    assert flaw(CHALLENGE, secret=Secret(b"another")) == Flaw.WRONG_AUTHENTICATOR
    assert flaw(CHALLENGE, authenticator=bytes(16)) == Flaw.WRONG_AUTHENTICATOR
    assert flaw(CHALLENGE[:-1] + b"y") == Flaw.WRONG_AUTHENTICATOR


def test_the_response_authenticator_alone_is_not_enough() -> None:
    assert flaw(authenticated(CHALLENGE[:22] + bytes(16) + CHALLENGE[38:])) == Flaw.WRONG_SIGNATURE
    assert flaw(authenticated(b"\x02\x07\x00\x14" + bytes(16))) == Flaw.WRONG_SIGNATURE


def test_pap_is_hidden() -> None:
    kind, hidden = client_packets.pap(Secret(b"correct horse"), VECTOR, SECRET)[0]
    assert (kind, len(hidden)) == (USER_PASSWORD, 16)
    with pytest.raises(ValueError, match="128"):
        client_packets.pap(Secret(b"x" * 129), VECTOR, SECRET)
