"""Encrypts what must not be readable in the store: with a key, and bound to the user and the use it is for.

XChaCha20-Poly1305 (RFC 8439 2.8, with a nonce of 24 octets, so that a random one is never met twice). The second door
to Cryptodome: the standard library has no cipher.
"""

from __future__ import annotations

import hashlib
import hmac

from Cryptodome.Cipher import ChaCha20_Poly1305

from aad.core.secret import Secret

NONCE_OCTETS = 24
_TAG_OCTETS = 16
_FORM = b"\x01"  # so that another form can be told from this one some day


def seal(key: Secret, bound: bytes, value: Secret, nonce: bytes) -> bytes:
    """Seal `value`. `key`: at least 16 octets; `bound`: for whom, and what for; `nonce`: 24 random octets."""
    if len(key) < 16 or len(nonce) != NONCE_OCTETS:  # noqa: PLR2004 - octets, see above
        message = f"a seal needs a key of 16 octets and a nonce of {NONCE_OCTETS}"
        raise ValueError(message)
    octets, tag = ChaCha20_Poly1305.new(key=_derived(key, bound), nonce=nonce).encrypt_and_digest(value.reveal())
    return _FORM + nonce + tag + octets


def opened(key: Secret, bound: bytes, sealed: bytes) -> Secret:
    """Open what was sealed. ValueError: with another key, for another user or use, or it isn't whole."""
    nonce, tag, octets = sealed[1:25], sealed[25:41], sealed[41:]
    if sealed[:1] != _FORM or len(tag) != _TAG_OCTETS:
        message = "this was never sealed"
        raise ValueError(message)
    cipher = ChaCha20_Poly1305.new(key=_derived(key, bound), nonce=nonce)
    return Secret(cipher.decrypt_and_verify(octets, tag))


def _derived(key: Secret, bound: bytes) -> bytes:
    """Derive a key that is good for this one use and user."""
    return hmac.digest(key.reveal(), b"aad sealed\0" + bound, hashlib.sha256)
