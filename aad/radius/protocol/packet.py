"""A datagram -> a request, and the reply to it; a datagram that a strict server discards raises PacketError.

It stands, with `wire.py`, in the place of pyrad's packets: see there for the reasons and the measurement.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field

from aad.core.identity import odd, presentable
from aad.core.secret import Secret
from aad.radius.protocol.constants import (
    ACCESS_REQUEST,
    ARAP_PASSWORD,
    CHAP_PASSWORD,
    EAP_MESSAGE,
    MESSAGE_AUTHENTICATOR,
    MS_CHAP2_RESPONSE,
    MS_CHAP_RESPONSE,
    PROXY_STATE,
    STATE,
    STATUS_SERVER,
    USER_NAME,
    USER_PASSWORD,
    VENDOR_SPECIFIC,
    Flaw,
)
from aad.radius.protocol.wire import (
    HEADER,
    LARGEST,
    ZEROED_SIGNATURE,
    Attribute,
    PacketError,
    hmac_md5,
    inside,
    response_authenticator,
    sign,
    split,
)

ROOM = 3072
"""Octets of attributes that fit into every reply, besides Message-Authenticator and Proxy-State."""

_MOST_PROXY_STATE = LARGEST - HEADER - 18 - ROOM


@dataclass(frozen=True, slots=True)
class Packet:
    """A well-formed packet. `types`: those of `attributes`, in order; `datagram`: its octets, without padding.

    Its fields aren't printed: passwords and State are among them.
    """

    code: int
    identifier: int
    authenticator: bytes = field(repr=False)
    attributes: tuple[Attribute, ...] = field(repr=False)
    types: bytes = field(repr=False)
    datagram: bytes = field(repr=False)

    def first(self, kind: int) -> bytes | None:
        """Return the value of the first attribute of a type."""
        at = self.types.find(kind)
        return None if at < 0 else self.attributes[at][1]

    def every(self, kind: int) -> list[bytes]:
        """Return the values of all attributes of a type, in order."""
        return [value for each, value in self.attributes if each == kind] if kind in self.types else []

    def microsoft(self, kind: int) -> list[bytes]:
        """Return the values of all attributes of a type of the vendor Microsoft, in order."""
        return [value for outer in self.every(VENDOR_SPECIFIC) for each, value in inside(outer) if each == kind]


@dataclass(frozen=True, slots=True)
class Request(Packet):
    """An Access-Request, Status-Server or Accounting-Request; `authentic` says whether its signature is right."""

    @property
    def name(self) -> str:
        """The first User-Name, or ""; octets that aren't UTF-8, or can't be printed, are U+FFFD."""
        return presentable((self.first(USER_NAME) or b"").decode("utf-8", "replace"))

    @property
    def odd_name(self) -> bool:
        """Whether `name` isn't exactly what was sent, or several were sent: no user may be looked up by it."""
        return odd(self.name) or self.types.count(USER_NAME) > 1

    @property
    def state(self) -> bytes | None:
        """The State; None: there is none; b"": it is empty or doubled, so neither a ticket nor a new login."""
        states = self.every(STATE)
        if not states:
            return None
        return states[0] if len(states) == 1 else b""

    @property
    def has_message_authenticator(self) -> bool:
        """Whether there is a Message-Authenticator, right or wrong."""
        return MESSAGE_AUTHENTICATOR in self.types


def decode(datagram: bytes) -> Request:
    """Decode an Access-Request or Status-Server. PacketError: discard it; no other exception, whatever it holds."""
    request = Request(*split(datagram))
    types = request.types
    if request.code == STATUS_SERVER:
        # RFC 5997 3: a Status-Server without Message-Authenticator is discarded.
        if not request.has_message_authenticator:
            raise PacketError(Flaw.STATUS_UNSIGNED)
    elif request.code != ACCESS_REQUEST:
        raise PacketError(Flaw.NO_REQUEST)
    if EAP_MESSAGE in types:
        _check_eap(request)
    if PROXY_STATE in types and sum(len(each) + 2 for each in request.every(PROXY_STATE)) > _MOST_PROXY_STATE:
        raise PacketError(Flaw.NO_ROOM)
    return request


def _check_eap(request: Request) -> None:
    # RFC 2869 5.13: "Access-Request packets including an EAP-Message attribute without a Message-Authenticator
    # attribute SHOULD be silently discarded by the RADIUS server."
    if not request.has_message_authenticator:
        raise PacketError(Flaw.EAP_UNSIGNED)
    # RFC 3579 3.3: "An Access-Request that contains either a User-Password or CHAP-Password or ARAP-Password or one or
    # more EAP-Message attributes MUST NOT contain more than one type of those four attributes."
    password = any(kind in request.types for kind in (USER_PASSWORD, CHAP_PASSWORD, ARAP_PASSWORD))
    if password or request.microsoft(MS_CHAP_RESPONSE) or request.microsoft(MS_CHAP2_RESPONSE):
        raise PacketError(Flaw.EAP_BESIDE_PASSWORD)


def authentic(packet: Packet, secret: Secret, authenticator: bytes | None = None) -> bool:
    """Return whether the Message-Authenticator is right, at any place among the attributes; without one: False.

    `authenticator`: the request's, where `packet` is the reply to it (RFC 3579 3.2).
    """
    at = packet.types.find(MESSAGE_AUTHENTICATOR)
    if at < 0:
        return False
    octets = packet.datagram
    start = HEADER + 2 + sum([2 + len(value) for _, value in packet.attributes[:at]])
    end = start + len(ZEROED_SIGNATURE)
    unsigned = (
        octets[:4] + (authenticator or packet.authenticator) + octets[HEADER:start] + ZEROED_SIGNATURE + octets[end:]
    )
    return hmac.compare_digest(octets[start:end], hmac_md5(secret, unsigned))


def reply(request: Request, code: int, attributes: Sequence[Attribute], secret: Secret) -> bytes:
    """Encode the reply to `request`: Message-Authenticator, the `attributes`, and the request's Proxy-State.

    ValueError: they don't fit into one packet; `ROOM` octets always do.
    """
    if PROXY_STATE in request.types:
        # RFC 2865 2: "If any Proxy-State attributes were present in the Access-Request, they MUST be copied unmodified
        # and in order into the response packet."
        attributes = [*attributes, *(each for each in request.attributes if each[0] == PROXY_STATE)]
    start, rest = sign(code, request.identifier, request.authenticator, attributes, secret)
    return start + response_authenticator(start, request.authenticator, rest, secret) + rest
