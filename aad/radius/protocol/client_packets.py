"""Packets of a client, for `aad login` and `radius_client`: a request, its passwords, and the check of its reply."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from aad.core.secret import Secret
from aad.radius.protocol import mschap
from aad.radius.protocol.constants import (
    ACCESS_ACCEPT,
    ACCESS_CHALLENGE,
    ACCESS_REJECT,
    ACCESS_REQUEST,
    CHAP_CHALLENGE,
    CHAP_PASSWORD,
    MS_CHAP2_RESPONSE,
    MS_CHAP_CHALLENGE,
    USER_PASSWORD,
    Flaw,
)
from aad.radius.protocol.packet import Packet, authentic
from aad.radius.protocol.password import chap_response, encrypt
from aad.radius.protocol.wire import (
    HEADER,
    Attribute,
    PacketError,
    microsoft_attribute,
    response_authenticator,
    sign,
    split,
)


@dataclass(frozen=True, slots=True)
class Reply(Packet):
    """An Access-Accept, -Reject or -Challenge that answers our request and is authentic."""


def request(
    identifier: int,
    authenticator: bytes,
    attributes: Sequence[Attribute],
    secret: Secret,
    code: int = ACCESS_REQUEST,
) -> bytes:
    """Encode a request, Message-Authenticator first. `authenticator`: 16 random octets, never used twice."""
    start, rest = sign(code, identifier, authenticator, attributes, secret)
    return start + authenticator + rest


def check_reply(datagram: bytes, authenticator: bytes, identifier: int, secret: Secret) -> Reply:
    """Decode the reply to the request that had this `authenticator` and `identifier`. PacketError: discard it."""
    reply = Reply(*split(datagram))
    if reply.code not in {ACCESS_ACCEPT, ACCESS_REJECT, ACCESS_CHALLENGE}:
        raise PacketError(Flaw.NO_REPLY)
    if reply.identifier != identifier:
        raise PacketError(Flaw.OTHER_IDENTIFIER)
    right = response_authenticator(reply.datagram[:4], authenticator, reply.datagram[HEADER:], secret)
    if not hmac.compare_digest(reply.authenticator, right):
        raise PacketError(Flaw.WRONG_AUTHENTICATOR)
    if not authentic(reply, secret, authenticator):  # CVE-2024-3596: the other one alone can be forged
        raise PacketError(Flaw.WRONG_SIGNATURE)
    return reply


def pap(password: Secret, authenticator: bytes, secret: Secret) -> list[Attribute]:
    """Give a password as User-Password. ValueError: more than 128 octets."""
    return [(USER_PASSWORD, encrypt(password, authenticator, secret))]


def chap(password: Secret, challenge: bytes, identifier: int) -> list[Attribute]:
    """Give a password as CHAP. `challenge`: 16 random octets."""
    number = bytes((identifier,))
    response = chap_response(number, password, challenge)
    return [(CHAP_PASSWORD, number + response), (CHAP_CHALLENGE, challenge)]


def mschapv2(password: Secret, name: str, challenge: bytes, peer_challenge: bytes, identifier: int) -> list[Attribute]:
    """Give a password as MS-CHAPv2. Both challenges: 16 random octets. ValueError: the password isn't UTF-8."""
    response = mschap.nt_response(challenge, peer_challenge, name.encode(), password.text())
    value = bytes((identifier, 0)) + peer_challenge + bytes(8) + response  # RFC 2548 2.3.2
    return [
        microsoft_attribute(MS_CHAP_CHALLENGE, challenge),
        microsoft_attribute(MS_CHAP2_RESPONSE, value),
    ]
