"""The users file while the daemon runs: read again once it has changed; passwords are checked in threads."""

from __future__ import annotations

import asyncio
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from aad.core.identity import name_key
from aad.core.outcome import Failure, Reason, Success
from aad.core.secret import Secret
from aad.core.settings import option
from aad.ports import Unavailable
from aad.users_file.hashing import Hashing
from aad.users_file.parse import Entry, Users, UsersError, read_users

LOOKED_AT = 1.0  # seconds in which the file isn't looked at again


@dataclass(frozen=True, kw_only=True)
class UsersFileSettings:
    """The keys of every plugin that reads a users file."""

    path: Path = option(Path("users.toml"), "The file; nobody but its owner may write it.")

    def faults(self) -> Iterator[tuple[str, str]]:
        """Read the file, and say everything that is wrong with it."""
        try:
            read_users(self.path, "", judge=False)  # the decoder of the path judges the folders above it
        except UsersError as error:
            yield from (("path", fault) for fault in error.faults)

    def warnings(self) -> Iterator[tuple[str, str]]:
        """Warn of hashes that every user of the system may try passwords on."""
        if self.path.exists() and self.path.stat().st_mode & stat.S_IROTH:
            yield "path", f"{self.path} may be read by others: chmod o-r {self.path}"


class UsersFile:
    """Reads the file again once it has changed, at most every second.

    A file that can't be used any more (a typing error, half written, gone, emptied) changes nothing: the users read
    before stay in force, and `probe` says why. A missing quote should lock no user out of a VPN.
    """

    def __init__(self, path: Path, name: str, where: str = "") -> None:
        """Read nothing yet. `name`: of the repository that its users are of; `where`: what an Unavailable names."""
        self._path = path
        self._name = name
        self._where = where
        self._users = Users({})
        self._looked = -LOOKED_AT
        self._wrong = ""
        self._reading = asyncio.Lock()
        self._hashing: Hashing

    async def __aenter__(self) -> Self:
        """Read the file. Unavailable: it can't be used."""
        await self._look()
        if self._wrong:
            raise self._unavailable(self._wrong)
        self._hashing = Hashing(f"passwords of {self._name}")
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the threads, without waiting for them."""
        self._hashing.end()

    async def probe(self) -> str:
        """Say how many users there are. Unavailable: the file can't be used any more, and why."""
        await self._look()
        if self._wrong:
            message = f"{self._wrong} (the users read before stay in force)"
            raise self._unavailable(message)
        return f"{self._path}: {len(self._users.entries)} users"

    async def find(self, name: str) -> Entry | None:
        """Return the user of this name; case and width make no difference. None: there is none."""
        return (await self._current()).entries.get(name_key(name))

    async def has_group(self, key: str) -> bool:
        """Say whether any user is in the group with this key (`aad.core.group_name`)."""
        return any(key in entry.user.folded_groups for entry in (await self._current()).entries.values())

    async def proof(self, entry: Entry | None, password: Secret, deadline: float) -> Success | Failure:
        """Check a password. Unavailable: too many are being checked.

        `entry` None: there is no such user. A hash is computed all the same, so that the time doesn't give it away.
        """
        if not password:
            return Failure(Reason.EMPTY_PASSWORD)
        fits = await self._hashing.fits(entry.hash if entry else self._users.decoy, password, deadline)
        if entry is None:
            return Failure(Reason.UNKNOWN_USER)
        if not fits:
            return Failure(Reason.WRONG_PASSWORD)
        return Failure(Reason.ACCOUNT_DISABLED) if entry.disabled else Success()

    async def pretend(self, deadline: float) -> None:
        """Take as long as if a password were checked. Unavailable: too many are being checked."""
        await self._hashing.pretend(deadline)

    async def _current(self) -> Users:
        """Return the users, read again if the file has changed; it is looked at once a second."""
        if time.monotonic() >= self._looked + LOOKED_AT:
            async with self._reading:
                if time.monotonic() >= self._looked + LOOKED_AT:
                    await self._look()
        return self._users

    async def _look(self) -> None:
        """Look at the file, and read it if it isn't the one that was read."""
        try:
            self._users = await asyncio.to_thread(self._read)
            self._wrong = ""
        except UsersError as error:
            self._wrong = str(error)
        self._looked = time.monotonic()

    def _read(self) -> Users:
        """In a thread: return the users of the file. UsersError."""
        users = read_users(self._path, self._name, self._users)
        if self._users.entries and not users.entries:  # more likely half written than meant
            raise UsersError(self._path, ["has no users any more"])
        return users

    def _unavailable(self, what: str) -> Unavailable:
        return Unavailable(what, where=self._where)
