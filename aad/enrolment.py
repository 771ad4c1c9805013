"""Enrols users for a method that needs it: an app that shows codes, a sheet of recovery codes.

The command does it for them, the portal lets them do it themselves; who may is their business.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aad.core.answer import Answer
from aad.core.identity import User
from aad.core.recovery import SALT_OCTETS, Batch, spelled
from aad.core.secret import Secret
from aad.core.token import SECRET_OCTETS, Token, uri
from aad.ports import ForeignSeal
from aad.vault import Vault


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
        except ForeignSeal:
            return True

    def token(self) -> Token:
        """Make a secret that nobody has yet."""
        return Token(Secret(self.randomness(SECRET_OCTETS)))

    def address(self, token: Token, user: User) -> Secret:
        """Return the otpauth URI that the user's app reads."""
        return uri(token, self.settings.form, user.name, self.settings.issuer)

    def confirmed(self, token: Token, user: User, code: Answer) -> Secret | None:
        """Return what to hold once the app has shown a right code: the token behind it. None: the code is wrong."""
        after: Secret | None = self.method.judged(user, token.encoded(), code).after
        return after

    async def hold(self, user: User, value: Secret, *, instead: bool) -> bool:
        """Hold `value`, and with `instead` end what was held; False: somebody else was first."""
        if instead:
            await self.vault.remove(user.repository, user.key)
        return await self.vault.swap(user, None, value)

    async def make_codes(self, user: User) -> tuple[list[Secret], bool] | None:
        """Make recovery codes, spelled, which end those of before; say too whether there were any. None: as `hold`."""
        batch = Batch(self.randomness(SALT_OCTETS))
        before = await self.vault.remove(user.repository, user.key)
        if not await self.vault.swap(user, None, batch.encoded()):
            return None
        return [spelled(code) for code in batch.codes(self.key).values()], before

    async def left(self, user: User) -> int | None:
        """Count the recovery codes that are left; None: there never were any. ForeignSeal."""
        held = await self.vault.find(user)
        return len(Batch.decoded(held.value).left) if held else None
