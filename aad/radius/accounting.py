"""An Accounting-Request (RFC 2866) -> a record, and its response; a datagram to discard raises PacketError."""

from __future__ import annotations

import hmac
import re
import struct
from collections.abc import Sequence
from ipaddress import ip_address

from aad.core.secret import Secret
from aad.radius.protocol import constants
from aad.radius.protocol.constants import Flaw
from aad.radius.protocol.packet import Request, authentic
from aad.radius.protocol.wire import HEADER, ZEROED_SIGNATURE, Attribute, PacketError, response_authenticator, split

LONGEST = 128  # characters of a text from a NAS or its user
_OURS = b"aad:"
_REFERENCE = re.compile(rb"aad:([0-9A-Z]{4,16})")
_STATUS = {
    1: "session.started",
    2: "session.stopped",
    3: "session.updated",
    7: "nas.on",
    8: "nas.off",
}
# RFC 2867 3.1, RFC 2866 5.1
_OTHER_STATUS = {
    9: "tunnel start",
    10: "tunnel stop",
    11: "tunnel reject",
    12: "tunnel link start",
    13: "tunnel link stop",
    14: "tunnel link reject",
    15: "failed",
}
# RFC 2866 5.10, RFC 3580 2
_CAUSES = {
    1: "user request",
    2: "lost carrier",
    3: "lost service",
    4: "idle timeout",
    5: "session timeout",
    6: "administrator's reset",
    7: "administrator's reboot of the NAS",
    8: "port error",
    9: "NAS error",
    10: "NAS request",
    11: "NAS reboot",
    12: "port unneeded",
    13: "port preempted",
    14: "port suspended",
    15: "service unavailable",
    16: "callback",
    17: "user error",
    18: "host request",
    19: "supplicant restart",
    20: "reauthentication failure",
    21: "port reinitialized",
    22: "port disabled",
}


def class_of(reference: str) -> Attribute:
    """Return the Class that ties a session to its login: the NAS sends it back unmodified (RFC 2865 5.25)."""
    return constants.CLASS, _OURS + reference.encode()


def decode(datagram: bytes) -> Request:
    """Decode a datagram of the accounting port. PacketError: discard it silently."""
    request = Request(*split(datagram))
    if request.code == constants.STATUS_SERVER:
        # RFC 5997 3: a Status-Server without Message-Authenticator is discarded.
        if not request.has_message_authenticator:
            raise PacketError(Flaw.STATUS_UNSIGNED)
    elif request.code != constants.ACCOUNTING_REQUEST:
        raise PacketError(Flaw.NO_ACCOUNTING)
    elif not _number(request, constants.ACCT_STATUS_TYPE):
        raise PacketError(Flaw.NO_STATUS_TYPE)
    return request


def secret_of(request: Request, secrets: Sequence[Secret]) -> Secret:
    """Return the one of a client's `secrets` that an Accounting-Request is signed with. PacketError: none is.

    Its Request Authenticator is a keyed digest of all of it, so unlike that of an Access-Request it needs no
    Message-Authenticator; where there is one, it is right too.
    """
    start, rest = request.datagram[:4], request.datagram[HEADER:]
    for secret in secrets:
        # RFC 2866 3: MD5(Code + Identifier + Length + 16 zero octets + request attributes + shared secret).
        if hmac.compare_digest(request.authenticator, response_authenticator(start, ZEROED_SIGNATURE, rest, secret)):
            break
    else:
        raise PacketError(Flaw.WRONG_REQUEST_AUTHENTICATOR)
    # It was made before the Request Authenticator, over zero octets in its place (as RFC 5176 3.4 writes it down).
    if request.has_message_authenticator and not authentic(request, secret, ZEROED_SIGNATURE):
        raise PacketError(Flaw.WRONG_SIGNATURE)
    return secret


def response(request: Request, secret: Secret) -> bytes:
    """Encode the Accounting-Response; it always fits, since it repeats Proxy-State and adds nothing.

    It has no Message-Authenticator: clients don't agree over which authenticator it is computed.
    """
    # RFC 2865 5.33: Proxy-State goes back unmodified and in order.
    body = b"".join(
        [bytes((constants.PROXY_STATE, len(each) + 2)) + each for each in request.every(constants.PROXY_STATE)]
    )
    start = struct.pack("!BBH", constants.ACCOUNTING_RESPONSE, request.identifier, HEADER + len(body))
    return start + response_authenticator(start, request.authenticator, body, secret) + body


def record_of(request: Request) -> tuple[str, dict[str, object]]:
    """Return name and fields of the record of an Accounting-Request; fields that weren't sent are None or empty.

    `seconds`, `octets_in` and `octets_out` (from and to the user), `packets_in`, `packets_out`, and `delay`:
    the seconds that the NAS has been trying to send it. Two requests that differ only in `delay` have a record each.
    """
    status = _number(request, constants.ACCT_STATUS_TYPE) or 0
    name = _STATUS.get(status, "session.other")
    cause = _number(request, constants.ACCT_TERMINATE_CAUSE)
    fields: dict[str, object] = {
        "nas": _text(request, constants.NAS_IDENTIFIER)
        or _address(request, constants.NAS_IP_ADDRESS, constants.NAS_IPV6_ADDRESS),
        "delay": _number(request, constants.ACCT_DELAY_TIME) or None,
        "cause": "" if cause is None else _CAUSES.get(cause, str(cause)),
    }
    if name.startswith("nas."):
        return name, fields
    fields |= {
        "user": _text(request, constants.USER_NAME),
        "login": _login(request),
        "session": _text(request, constants.ACCT_SESSION_ID),
        "seconds": _number(request, constants.ACCT_SESSION_TIME),
        "octets_in": _octets(request, constants.ACCT_INPUT_OCTETS, constants.ACCT_INPUT_GIGAWORDS),
        "octets_out": _octets(request, constants.ACCT_OUTPUT_OCTETS, constants.ACCT_OUTPUT_GIGAWORDS),
        "packets_in": _number(request, constants.ACCT_INPUT_PACKETS),
        "packets_out": _number(request, constants.ACCT_OUTPUT_PACKETS),
        "address": _address(request, constants.FRAMED_IP_ADDRESS, constants.FRAMED_IPV6_ADDRESS),
        "caller": _text(request, constants.CALLING_STATION_ID),
        "status": "" if status in _STATUS else _OTHER_STATUS.get(status, f"status {status}"),
    }
    return name, fields


def _login(request: Request) -> str:
    """Return the reference of the login that the session belongs to; empty where no Class is one of ours."""
    found = [match[1].decode() for each in request.every(constants.CLASS) if (match := _REFERENCE.fullmatch(each))]
    return found[0] if found else ""


def _text(request: Request, kind: int) -> str:
    text = (request.first(kind) or b"").decode("utf-8", "replace")[:LONGEST]
    return text if text.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in text)


def _number(request: Request, kind: int) -> int | None:
    value = request.first(kind)
    return int.from_bytes(value, "big") if value is not None and len(value) == 4 else None  # noqa: PLR2004 - 32 bits


def _octets(request: Request, kind: int, gigawords: int) -> int | None:
    """Return a count of octets; `gigawords` counts its overflows of 2^32 (RFC 2869 5.1)."""
    count = _number(request, kind)
    return None if count is None else count + ((_number(request, gigawords) or 0) << 32)


def _address(request: Request, *kinds: int) -> str:
    found = [ip_address(value) for value in map(request.first, kinds) if value is not None and len(value) in {4, 16}]
    return str(found[0]) if found else ""
