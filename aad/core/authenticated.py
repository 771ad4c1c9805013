"""What is kept where others may write, and must be ours: signed by a key, for one purpose, name and span of time.

HMAC-SHA-256 (RFC 2104). The span stands inside what is signed: an end that somebody else keeps beside it proves
nothing. It is not secret: see `sealed` for that.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from dataclasses import dataclass

from aad.core.secret import Secret

_FORM = b"\x01"  # so that another form can be told from this one some day
_MAC_OCTETS = 32
_SPAN = struct.Struct(">dd")
_LENGTH = struct.Struct(">Q")
_SPAN_AT = len(_FORM) + _MAC_OCTETS
_CONTENT_AT = _SPAN_AT + _SPAN.size


@dataclass(frozen=True)
class Authentic:
    """What was signed. `since`, `until`: when, and up to when it counts, in seconds of the signer's clock."""

    content: bytes
    since: float
    until: float


def derived(key: Secret, purpose: str) -> Secret:
    """Derive the key of one purpose: what is signed with it is good for no other. ValueError: under 16 octets."""
    if len(key) < 16:  # noqa: PLR2004 - octets, see above
        message = "a signature needs a key of 16 octets"
        raise ValueError(message)
    return Secret(hmac.digest(key.reveal(), b"aad authenticated\0" + purpose.encode(), hashlib.sha256))


def sign(key: Secret, name: bytes, content: bytes, *, since: float, until: float) -> bytes:
    """Sign `content`, to be kept under `name`. `key`: a derived one."""
    span = _SPAN.pack(since, until)
    return _FORM + _mac(key, name, span, content) + span + content


def signed(octets: bytes) -> bool:
    """Say whether it has the form of something signed, by whatever key."""
    # A store may hold text where octets belong, if others write to it.
    return isinstance(octets, bytes) and octets[:1] == _FORM and len(octets) >= _CONTENT_AT


def verified(key: Secret, name: bytes, octets: bytes) -> Authentic | None:
    """Return what was signed with this key to be kept under this name. None: nothing; whether it ended isn't asked."""
    if not signed(octets):
        return None
    mac, span, content = octets[1:_SPAN_AT], octets[_SPAN_AT:_CONTENT_AT], octets[_CONTENT_AT:]
    if not hmac.compare_digest(mac, _mac(key, name, span, content)):
        return None
    since, until = _SPAN.unpack(span)
    return Authentic(content, since, until)


def _mac(key: Secret, name: bytes, span: bytes, content: bytes) -> bytes:
    # With its length, no name can be read as the beginning of a content.
    return hmac.digest(key.reveal(), _FORM + _LENGTH.pack(len(name)) + name + span + content, hashlib.sha256)
