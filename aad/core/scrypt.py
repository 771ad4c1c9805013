"""Hashes of passwords for the users file: scrypt (RFC 7914), with salt and costs written beside it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass, field

from aad.core.secret import Secret

SALT_OCTETS = 16
_FORM = re.compile(
    r"scrypt\$n=([0-9]{1,8}),r=([0-9]{1,3}),p=([0-9]{1,3})\$([A-Za-z0-9+/=]{1,128})\$([A-Za-z0-9+/=]{1,128})"
)
_LEAST, _MOST = 2**12, 2**19  # of n, and of n r p: 64 MiB and 200 ms at most; a new hash takes 16 MiB and 45 ms
_OCTETS, _LEAST_SALT = 32, 8


@dataclass(frozen=True)
class Hash:
    """A hash, read. `n`, `r`, `p` are scrypt's costs."""

    n: int
    r: int
    p: int
    salt: bytes = field(repr=False)
    octets: bytes = field(repr=False)

    def __str__(self) -> str:
        """Write it as it stands in a users file."""
        salt, octets = (base64.b64encode(part).decode() for part in (self.salt, self.octets))
        return f"scrypt$n={self.n},r={self.r},p={self.p}${salt}${octets}"

    def fits(self, password: Secret) -> bool:
        """Say whether this is the hash of `password`, octet for octet; it takes its time (45 ms)."""
        same = hmac.compare_digest(self.octets, _scrypt(password, self.salt, self.n, self.r, self.p))
        return same and not _padded(password)


def hash_password(password: Secret, salt: bytes) -> str:
    """Return the hash of a password. `salt`: 16 random octets. ValueError: scrypt can't tell it from another."""
    if _padded(password):
        message = "a password can't end in a NUL"
        raise ValueError(message)
    return str(Hash(2**14, 8, 1, salt, _scrypt(password, salt, 2**14, 8, 1)))


def read_hash(text: str) -> Hash:
    """Read a hash; ValueError says what would be right. Its costs are bounded: a file must not ask for gigabytes."""
    match = _FORM.fullmatch(text)
    wrong = "should be a hash that aad hash-password makes: scrypt$n=16384,r=8,p=1$SALT$HASH"
    if not match:
        raise ValueError(wrong)
    n, r, p = (int(match[number]) for number in (1, 2, 3))
    if n < _LEAST or n & (n - 1) or not 0 < n * r * p <= _MOST:
        message = f"has costs that are too low or too high: n a power of 2 from {_LEAST}, and n r p at most {_MOST}"
        raise ValueError(message)
    try:
        salt, octets = base64.b64decode(match[4], validate=True), base64.b64decode(match[5], validate=True)
    except binascii.Error:
        raise ValueError(wrong) from None
    if len(octets) != _OCTETS or len(salt) < _LEAST_SALT:
        raise ValueError(wrong)
    return Hash(n, r, p, salt, octets)


def _padded(password: Secret) -> bool:
    # HMAC (RFC 2104 2), and so scrypt, fills a key with NULs: to it, "secret" and "secret\0" are the same.
    return password.reveal().endswith(b"\0")


def _scrypt(password: Secret, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password.reveal(), salt=salt, n=n, r=r, p=p, maxmem=256 * n * r + 2**20, dklen=_OCTETS)
