"""Recovery codes, for users who lost their phone. Each is derived from the installation's key, and none is ever kept.

Only a batch's salt is kept, and which of its codes are left. So answers by CHAP and MS-CHAPv2 can be checked too.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, replace
from typing import Self

from aad.core.answer import Answer, Plain
from aad.core.otp_token import bare
from aad.core.secret import Secret

CODES = 10
LENGTH = 10  # letters of 5 bits: 50 bits
SALT_OCTETS = 16
_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"  # none that is taken for another
_TAKEN_FOR = bytes.maketrans(b"OoIiLlABCDEFGHJKMNPQRSTVWXYZ", b"001111abcdefghjkmnpqrstvwxyz")


@dataclass(frozen=True)
class Batch:
    """The codes of one user, by number: `left` are those not used yet. `salt`: 16 random octets, never used twice."""

    salt: bytes
    left: tuple[int, ...] = tuple(range(CODES))

    def codes(self, key: Secret) -> dict[int, Secret]:
        """Return the codes that are left, by number, without dashes. `key`: the installation's. ValueError."""
        if len(self.salt) < SALT_OCTETS or len(key) < 16:  # noqa: PLR2004 - octets
            message = f"recovery codes need a salt of {SALT_OCTETS} octets and a key of 16"
            raise ValueError(message)
        return {number: self._code(key, number) for number in self.left}

    def _code(self, key: Secret, number: int) -> Secret:
        octets = hmac.digest(key.reveal(), b"aad recovery code\0" + self.salt + bytes((number,)), hashlib.sha256)
        return Secret("".join(_LETTERS[octet % 32] for octet in octets[:LENGTH]))

    def number(self, answer: Answer, key: Secret) -> int | None:
        """Return the number of the code that was answered; None: it is none of those left."""
        plain = bare(answer, b"-")
        if plain.text is not None:
            plain = Plain(Secret(plain.text.reveal().translate(_TAKEN_FOR)))
        for number, code in self.codes(key).items():
            if plain.matches(code) or plain.matches(spelled(code)):
                return number
        return None

    def without(self, number: int) -> Batch:
        """Return the batch without the code that was used."""
        return replace(self, left=tuple(each for each in self.left if each != number))

    def encoded(self) -> Secret:
        """Return it as JSON, to be sealed."""
        return Secret(json.dumps({"salt": self.salt.hex(), "left": self.left}))

    @classmethod
    def decoded(cls, kept: Secret) -> Self:
        """Read what `encoded` wrote."""
        data = json.loads(kept.reveal())
        return cls(bytes.fromhex(data["salt"]), tuple(data["left"]))


def spelled(code: Secret) -> Secret:
    """Write a code as it is read more easily: "abcde-fghjk"."""
    return Secret(code.text()[: LENGTH // 2] + "-" + code.text()[LENGTH // 2 :])
