"""Packets written and verified octet by octet, by the words of the RFCs and nothing of the product."""

from __future__ import annotations

import hmac
import secrets
import struct
from hashlib import md5

from tests.parts.daemon import SECRET

USER_NAME, USER_PASSWORD, CHAP_PASSWORD, SERVICE_TYPE, STATE, PROXY_STATE, EAP_MESSAGE = 1, 2, 3, 6, 24, 33, 79
REQUEST, ACCEPT, REJECT, CHALLENGE, STATUS = 1, 2, 3, 11, 12
Attribute = tuple[int, bytes]
_SIGNATURE = b"\x50\x12"
_UNSIGNED = _SIGNATURE + bytes(16)
SIGNATURE: Attribute = (0x50, bytes(16))
"""A Message-Authenticator whose value is still to be made."""


class Datagram:
    """A request. Each `SIGNATURE` among the attributes is made right, wherever it stands."""

    def __init__(self, *attributes: Attribute, code: int = REQUEST, authenticator: bytes = b"") -> None:
        self.authenticator = authenticator or secrets.token_bytes(16)
        body = b"".join(bytes((kind, len(value) + 2)) + value for kind, value in attributes)
        start = struct.pack("!BBH", code, secrets.randbelow(256), 20 + len(body))
        unsigned = start + self.authenticator + body
        signature = hmac.digest(SECRET.encode(), unsigned, "md5")
        self.octets = unsigned.replace(_UNSIGNED, _SIGNATURE + signature)

    def verify(self, reply: bytes) -> None:
        """Check that Message-Authenticator stands first, and both authenticators (RFC 2865 3, RFC 3579 3.2)."""
        assert reply[20:22] == _SIGNATURE
        unsigned = reply[:4] + self.authenticator + _UNSIGNED + reply[38:]
        assert reply[22:38] == hmac.digest(SECRET.encode(), unsigned, "md5")
        assert reply[4:20] == md5(reply[:4] + self.authenticator + reply[20:] + SECRET.encode()).digest()


def login(typed: str | bytes, *attributes: Attribute, name: str = "alice") -> Datagram:
    """Return an Access-Request with a password, signed first."""
    authenticator = secrets.token_bytes(16)
    named = (USER_NAME, name.encode())
    return Datagram(SIGNATURE, named, hidden(typed, authenticator), *attributes, authenticator=authenticator)


def hidden(typed: str | bytes, authenticator: bytes) -> Attribute:
    """Return a User-Password (RFC 2865 5.2)."""
    octets = typed.encode() if isinstance(typed, str) else typed
    octets = octets.ljust(max(16, -(-len(octets) // 16) * 16), b"\0")
    done = b""
    for at in range(0, len(octets), 16):
        pad = md5(SECRET.encode() + (done[-16:] or authenticator)).digest()
        done += bytes(one ^ other for one, other in zip(octets[at : at + 16], pad, strict=True))
    return USER_PASSWORD, done
