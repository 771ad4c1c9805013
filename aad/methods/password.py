"""The method password: checked by the repository where the user lives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from aad.core.conversation import Login
from aad.core.outcome import Failure, Success
from aad.core.secret import Secret
from aad.methods.any_password import AnyPassword, AnyPasswordSettings
from aad.ports import Wiring


@dataclass(frozen=True, kw_only=True)
class PasswordSettings(AnyPasswordSettings):
    """[methods.NAME] with type = "password"."""


class Password(AnyPassword):
    """Has the user's repository check the password."""

    Settings: ClassVar[type] = PasswordSettings
    asks_repository: ClassVar[bool] = True

    def __init__(self, settings: PasswordSettings, wiring: Wiring) -> None:
        """Ask the repositories of `wiring`."""
        super().__init__(settings)
        self._repositories = wiring.repositories

    async def checked(self, login: Login, password: Secret, deadline: float) -> Success | Failure:
        """Ask the repository, unless it was asked on the way (`login.proof`)."""
        if login.proof is not None:
            return login.proof
        return await self._repositories[login.user.repository].authenticate(login.user, password, deadline)
