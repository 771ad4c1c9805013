"""One-time codes: a login's own, issued and checked, and those that a user's token shows. The only door to pyotp.

Neither memo nor store ever holds one. A login's code is HOTP (RFC 4226) over a key derived, by HMAC-SHA-256, from the
installation's key and the login's nonce. Both are needed to know it: a stolen store has no key, a stolen key no nonce.
"""

from __future__ import annotations

import hashlib
import hmac

import pyotp

from aad.core.answer import Answer
from aad.core.secret import Secret

SHORTEST, LONGEST = 4, 10
ALGORITHMS = {"sha1": hashlib.sha1, "sha256": hashlib.sha256, "sha512": hashlib.sha512}


class _Hotp(pyotp.HOTP):
    """HOTP over octets: pyotp wants them in base32, and decodes that, in Python, whenever it needs them."""

    def __init__(self, octets: bytes, digits: int = LONGEST, algorithm: str = "sha1") -> None:
        self._octets = octets
        super().__init__("", digits=digits, digest=ALGORITHMS[algorithm])

    def byte_secret(self) -> bytes:
        return self._octets


def issue(key: Secret, nonce: bytes, length: int) -> Secret:
    """Derive the code of the login with this `nonce`: `length` ASCII digits.

    `key`: the installation's, at least 16 octets; `nonce`: at least 16 random octets, never used twice.
    ValueError: too little of either, or a length outside 4 to 10.
    """
    if len(key) < 16 or len(nonce) < 16 or not SHORTEST <= length <= LONGEST:  # noqa: PLR2004 - octets, see above
        message = f"a code needs a key and a nonce of 16 octets and {SHORTEST} to {LONGEST} digits"
        raise ValueError(message)
    derived = hmac.digest(key.reveal(), b"aad one-time code\0" + nonce, hashlib.sha256)
    # pyotp refuses fewer than 6 digits; of fewer, RFC 4226 5.3 takes the last ones.
    return Secret(_Hotp(derived).at(0)[-length:])


def check(answer: Answer, key: Secret, nonce: bytes, length: int) -> bool:
    """Say whether `answer` is the code. ASCII digits only; a full-width digit is another character."""
    return answer.matches(issue(key, nonce, length))


def at(secret: Secret, counter: int, digits: int, algorithm: str) -> Secret:
    """Return what a token with this `secret` shows at a `counter` (RFC 4226 5.3), or time step (RFC 6238 4.2)."""
    return Secret(_Hotp(secret.reveal(), digits, algorithm).at(counter))
