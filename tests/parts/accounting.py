"""Accounting-Requests as NASes make them, octet by octet."""

from __future__ import annotations

import struct
from hashlib import md5

from aad.core.secret import Secret
from aad.radius.protocol import constants
from aad.radius.protocol.wire import Attribute, hmac_md5
from tests.parts.daemon import SECRET

START, STOP, INTERIM, ON, OFF = ((constants.ACCT_STATUS_TYPE, bytes((0, 0, 0, n))) for n in (1, 2, 3, 7, 8))
ALICE = (constants.USER_NAME, b"alice")
SESSION = (constants.ACCT_SESSION_ID, b"s-1")


def number(kind: int, value: int) -> Attribute:
    """Make an attribute of 32 bits."""
    return kind, value.to_bytes(4, "big")


def accounting_request(
    *attributes: Attribute,
    identifier: int = 7,
    secret: str = SECRET,
    signed: bool = False,
    code: int = constants.ACCOUNTING_REQUEST,
) -> bytes:
    """Encode one, right by RFC 2866 3; `signed`: with a Message-Authenticator, too."""
    body = b"".join([bytes((kind, len(value) + 2)) + value for kind, value in attributes])
    start = struct.pack("!BBH", code, identifier, 20 + len(body) + 18 * signed)
    if signed:
        blank = bytes((constants.MESSAGE_AUTHENTICATOR, 18)) + bytes(16)
        body += blank[:2] + hmac_md5(Secret(secret), start + bytes(16) + body + blank)
    return start + digest(start, bytes(16), body, secret) + body


def digest(start: bytes, authenticator: bytes, body: bytes, secret: str = SECRET) -> bytes:
    """Return MD5(start + authenticator + body + secret), as RFC 2866 3 has it for requests and responses."""
    return md5(start + authenticator + body + secret.encode(), usedforsecurity=False).digest()


def answers(response: bytes, request: bytes, secret: str = SECRET) -> bool:
    """Say whether `response` is the Accounting-Response to `request`."""
    right = digest(response[:4], request[4:20], response[20:], secret)
    return response[:2] == bytes((constants.ACCOUNTING_RESPONSE, request[1])) and response[4:20] == right
