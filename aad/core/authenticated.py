"""Signs what is kept where others may write: with a key, for one purpose, name and span of time.

HMAC-SHA-256 (RFC 2104). The span is signed too: an end that is kept beside the signature, by anything else, proves
nothing. The content is not secret: see `sealed_box` for that.
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
    """A signed content. `since`, `until`: when it was signed and when it ends, in seconds of the signer's clock."""

    content: bytes
    since: float
    until: float


def derived(key: Secret, purpose: str) -> Secret:
    """Derive the key of one purpose: its signatures are good for no other. ValueError: `key` has under 16 octets."""
    if len(key) < 16:  # noqa: PLR2004 - octets, see above
        message = "a signature needs a key of 16 octets"
        raise ValueError(message)
    return Secret(hmac.digest(key.reveal(), b"aad authenticated\0" + purpose.encode(), hashlib.sha256))


def sign(key: Secret, name: bytes, content: bytes, *, since: float, until: float) -> bytes:
    """Return `content`, signed, to be kept under `name`. `key`: a derived one."""
    span = _SPAN.pack(since, until)
    return _FORM + _mac(key, name, span, content) + span + content


def signed(octets: bytes) -> bool:
    """Say whether octets have the form of a signed content, by any key."""
    # A store may hold text where octets belong, if others write to it.
    return isinstance(octets, bytes) and octets[:1] == _FORM and len(octets) >= _CONTENT_AT


def verified(key: Secret, name: bytes, octets: bytes) -> Authentic | None:
    """Return what was signed with this key to be kept under this name, even if it has ended. None: it wasn't."""
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
