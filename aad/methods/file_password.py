"""The method file_password: a password in a users file, whichever repository holds the user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from aad.core.conversation import Login
from aad.core.outcome import Failure, Reason, Success
from aad.core.secret import Secret
from aad.methods.any_password import AnyPassword, AnyPasswordSettings
from aad.ports import Wiring
from aad.users_file.file import UsersFile, UsersFileSettings


@dataclass(frozen=True, kw_only=True)
class FilePasswordSettings(AnyPasswordSettings, UsersFileSettings):
    """[methods.NAME] with type = "file_password". The keys of the last come first, where they are listed."""


class FilePassword(AnyPassword):
    """Checks the password against a users file; all else about the user comes from their repository."""

    Settings: ClassVar[type] = FilePasswordSettings

    def __init__(self, settings: FilePasswordSettings, wiring: Wiring) -> None:
        """Read nothing yet."""
        super().__init__(settings)
        self._file = UsersFile(settings.path, wiring.name)

    async def __aenter__(self) -> Self:
        """Read the file. Unavailable: it can't be used."""
        await self._file.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        """End its threads."""
        await self._file.__aexit__()

    async def checked(self, login: Login, password: Secret, deadline: float) -> Success | Failure:
        """Check the password. Unavailable: too many are being checked."""
        entry = await self._file.find(login.user.name)
        outcome = await self._file.proof(entry, password, deadline)
        return Failure(Reason.NOT_IN_FILE) if entry is None else outcome
