"""Enrols users for a method that needs it: an app that shows codes, a sheet of recovery codes.

The command does it for them, the portal lets them do it themselves; these two decide who may.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aad.core.answer import Answer
from aad.core.identity import User
from aad.core.otp_token import SECRET_OCTETS, OtpToken, uri
from aad.core.recovery import SALT_OCTETS, Batch, spelled
from aad.core.secret import Secret
from aad.enrolment.vault import Vault
from aad.ports import ForeignSealError

FOREIGN, SPENT, OTHER = "foreign", "spent", "held"
"""Identities of what is held: it can't be opened; no recovery code is left; a method of another package holds it."""
RACES = 5  # tries to replace what is held, while the user's logins use up codes of it


@dataclass(frozen=True, kw_only=True)
class Enrolment:
    """One method that users are enrolled for. `type`: its type in aad.toml; `key`: the installation's."""

    name: str
    type: str
    settings: Any
    method: Any
    vault: Vault
    key: Secret
    randomness: Callable[[int], bytes]

    async def enrolled(self, user: User) -> bool:
        """Say whether anything is held for `user`, whether it can be opened or not."""
        try:
            return await self.vault.find(user) is not None
        except ForeignSealError:
            return True

    async def identity(self, user: User) -> str:
        """Return an identity of what `user` is enrolled with, which differs from any before or after; "": with nothing.

        Using a code doesn't change it, unless it was the last recovery code. Without the key it gives nothing away.
        """
        try:
            held = await self.vault.find(user)
        except ForeignSealError:
            return FOREIGN
        return self.identity_of(held.value) if held else ""

    def identity_of(self, value: Secret) -> str:
        """Return the identity of a value that is, or will be, held."""
        if self.type == "recovery_codes":
            batch = Batch.decoded(value)
            if not batch.left:
                return SPENT
            lasting = batch.salt
        elif self.type in {"totp", "hotp"}:
            lasting = OtpToken.decoded(value).secret.reveal()
        else:
            return OTHER
        bound = f"aad enrolled\0{self.name}\0".encode()
        return hmac.digest(self.key.reveal(), bound + lasting, hashlib.sha256)[:16].hex()

    def token(self) -> OtpToken:
        """Make a token with a new random secret."""
        return OtpToken(Secret(self.randomness(SECRET_OCTETS)))

    def address(self, token: OtpToken, user: User) -> Secret:
        """Return the otpauth URI that the user's app reads."""
        return uri(token, self.settings.form, user.name, self.settings.issuer)

    def confirmed(self, token: OtpToken, user: User, code: Answer) -> Secret | None:
        """Return what to hold once the app has shown a right code: the token behind it. None: the code is wrong."""
        after: Secret | None = self.method.judged(user, token.encoded(), code).after
        return after

    async def hold(self, user: User, value: Secret, *, instead: bool) -> bool:
        """Hold `value`, `instead` of what is held, or only if nothing is. False: another change was first."""
        return await self.exchange(user, await self.identity(user) if instead else "", value)

    async def exchange(self, user: User, before: str, value: Secret | None) -> bool:
        """Hold `value` (None: nothing) if what is held has the identity `before`; False: it has another one."""
        for _ in range(RACES):
            try:
                held = await self.vault.find(user)
            except ForeignSealError:
                if before != FOREIGN or not await self.vault.remove(user.repository, user.key):
                    return False
                return value is None or await self.vault.swap(user, None, value)
            if (self.identity_of(held.value) if held else "") != before:
                return False
            if await self.vault.swap(user, held, value):
                return True
        return False

    async def make_codes(self, user: User) -> tuple[list[Secret], bool] | None:
        """Replace the recovery codes; return them, and whether there were any. None: another change was first."""
        batch = self.batch()
        before = await self.identity(user)
        return (self.spelled(batch), bool(before)) if await self.exchange(user, before, batch.encoded()) else None

    def batch(self) -> Batch:
        """Make a batch of new random recovery codes."""
        return Batch(self.randomness(SALT_OCTETS))

    def spelled(self, batch: Batch) -> list[Secret]:
        """Return the codes of a batch as users read them, in groups."""
        return [spelled(code) for code in batch.codes(self.key).values()]

    async def left(self, user: User) -> int | None:
        """Count the recovery codes that are left; None: there never were any. ForeignSealError."""
        held = await self.vault.find(user)
        return len(Batch.decoded(held.value).left) if held else None
