"""Users in a TOML file: for the demo, for a small shop, for accounts that must work while the directory doesn't.

[users.alice]
password = "scrypt$..."            # aad hash-password
email = "alice@example.com"        # or a list
groups = ["vpn"]
language = "en"
attributes = { mobile = "+49 170 1234567", radiusFramedIPAddress = "192.0.2.7" }    # for methods and replies
disabled = false
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from aad.core.group_name import group_key
from aad.core.identity import User
from aad.core.outcome import Failure, Success
from aad.core.secret import Secret
from aad.ports import Admit, Found, GroupLookup, Wiring
from aad.users_file.file import UsersFile, UsersFileSettings


@dataclass(frozen=True, kw_only=True)
class FileSettings(UsersFileSettings):
    """[repositories.NAME] with type = "file"."""


class File:
    """Finds the users of a file."""

    Settings: ClassVar[type] = FileSettings

    def __init__(self, settings: FileSettings, wiring: Wiring) -> None:
        """Read nothing yet."""
        self._path = settings.path
        self._file = UsersFile(settings.path, wiring.name, f"repository {wiring.name}")

    async def __aenter__(self) -> Self:
        """Read the file. Unavailable: it can't be used."""
        await self._file.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the threads, without waiting for them."""
        await self._file.__aexit__()

    async def find(self, name: str, password: Secret | None, admit: Admit, deadline: float) -> Found | None:
        """Return the user. Unavailable: too many passwords are being checked.

        For an unknown user, and one who is barred, a hash is computed too, so that the time doesn't tell them apart.
        """
        entry = await self._file.find(name)
        admitted = password if entry and password is not None and await admit(entry.user) else None
        if password and admitted is None and (entry is None or entry.disabled):
            await self._file.proof(None, password, deadline)
        if entry is None:
            return None
        return Found(entry.user, None if admitted is None else await self._file.proof(entry, admitted, deadline))

    async def authenticate(self, user: User, password: Secret, deadline: float) -> Success | Failure:
        """Check the password. Unavailable: too many are being checked."""
        return await self._file.proof(await self._file.find(user.handle), password, deadline)

    async def pretend(self, user: User, deadline: float) -> None:
        """Take as long as if a password were checked (ports.Pretends); `find` has done so for a user who is barred."""
        if user.barred is None:
            await self._file.pretend(deadline)

    async def probe(self) -> str:
        """Say how many users there are. Unavailable: the file can't be used any more, and why."""
        return await self._file.probe()

    async def look_up_group(self, group: str, deadline: float) -> GroupLookup:  # noqa: ARG002 - it takes no time
        """Say whether any user is in the group (ports.LooksUpGroups)."""
        if await self._file.has_group(group_key(group)):
            return GroupLookup(found=True)
        return GroupLookup(found=False, note=f"no user of {self._path} has it")
