"""Users in a TOML file: for the demo, for a small shop, for accounts that must work while the directory doesn't.

[users.alice]
password = "scrypt$..."            # aad hash-password
email = "alice@example.com"        # or a list
groups = ["vpn"]
language = "en"
attributes = { mobile = "+49 170 1234567" }    # whatever a method or a reply has use for; a text or a list
disabled = false
attributes = { radiusFramedIPAddress = "192.0.2.7" }    # what replies are made of, by {attribute:NAME}
"""

from __future__ import annotations

import asyncio
import stat
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from aad.core.identity import User, name_key
from aad.core.outcome import Failure, Reason, Success
from aad.core.scrypt import Hash
from aad.core.secret import Secret
from aad.core.settings import option
from aad.ports import Admit, Found, Unavailable, Wiring
from aad.repositories.users_file import Entry, Users, UsersError, read_users

THREADS = 2  # scrypt computes without Python's lock, 45 ms and 16 MiB each
LOOKED_AT = 1.0  # seconds in which the file isn't looked at again


@dataclass(frozen=True, kw_only=True)
class FileSettings:
    """[repositories.NAME] with type = "file"."""

    path: Path = option(Path("users.toml"), "The file; nobody but its owner may write it.")

    def faults(self) -> Iterator[tuple[str, str]]:
        """Read the file, and say everything that is wrong with it."""
        try:
            read_users(self.path, "")
        except UsersError as error:
            yield from (("path", fault) for fault in error.faults)

    def warnings(self) -> Iterator[tuple[str, str]]:
        """Complain of hashes that everybody may try passwords on."""
        if self.path.exists() and self.path.stat().st_mode & stat.S_IROTH:
            yield "path", f"{self.path} may be read by others: chmod o-r {self.path}"


class File:
    """Reads the file anew once it has changed, at most every second.

    A file that can't be used any more (a typing error, half written, gone, emptied) changes nothing: the users read
    before stay in force, and `probe` says why. Nobody should be locked out of a VPN by a missing quote.
    """

    Settings: ClassVar[type] = FileSettings

    def __init__(self, settings: FileSettings, wiring: Wiring) -> None:
        """Keep what it gets."""
        self._path = settings.path
        self._name = wiring.name
        self._users = Users({})
        self._looked = -LOOKED_AT
        self._wrong = ""
        self._reading = asyncio.Lock()
        self._threads: ThreadPoolExecutor

    async def __aenter__(self) -> Self:
        """Read the file. Unavailable: it can't be used."""
        await self._look()
        if self._wrong:
            raise self._unavailable(self._wrong)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix=f"repository {self._name}")
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the threads; nobody waits for them any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def find(self, name: str, password: Secret | None, admit: Admit, deadline: float) -> Found | None:
        """Return the user. Unavailable: too many passwords are being checked.

        For an unknown one a hash is computed too, so that nobody can tell by the time. A disabled one is unknown unless
        his password is asked right now: a chain without a password would let him in.
        """
        entry = (await self._current()).entries.get(name_key(name))
        asked = password if entry and password is not None and admit(entry.user) else None
        if entry is None or (entry.disabled and asked is None):
            if password:
                await self._fits(self._users.decoy, password, deadline)
            return None
        return Found(entry.user, None if asked is None else await self._proof(entry, asked, deadline))

    async def authenticate(self, user: User, password: Secret, deadline: float) -> Success | Failure:
        """Check the password. Unavailable: too many are being checked."""
        entry = (await self._current()).entries.get(user.handle)
        return await self._proof(entry, password, deadline)

    async def probe(self) -> str:
        """Say how many users there are. Unavailable: the file can't be used any more, and why."""
        await self._look()
        if self._wrong:
            message = f"{self._wrong} (the users read before stay in force)"
            raise self._unavailable(message)
        return f"{self._path}: {len(self._users.entries)} users"

    async def _proof(self, entry: Entry | None, password: Secret, deadline: float) -> Success | Failure:
        """Check a password; `entry` None: the user is gone from the file since he was found."""
        if not password:
            return Failure(Reason.EMPTY_PASSWORD)
        fits = await self._fits(entry.hash if entry else self._users.decoy, password, deadline)
        if entry is None:
            return Failure(Reason.UNKNOWN_USER)
        if not fits:
            return Failure(Reason.WRONG_PASSWORD)
        return Failure(Reason.ACCOUNT_DISABLED) if entry.disabled else Success()

    async def _fits(self, stored: Hash, password: Secret, deadline: float) -> bool:
        """Compute in a thread. What still waits for one at the deadline is given up."""
        job = asyncio.get_running_loop().run_in_executor(self._threads, stored.fits, password)
        try:
            return await asyncio.wait_for(job, max(deadline - time.monotonic(), 0.0))
        except TimeoutError:
            message = f"more passwords than {THREADS} threads can check in time"
            raise self._unavailable(message) from None

    async def _current(self) -> Users:
        """Return the users, read anew if the file has changed; it is looked at once a second."""
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
        return Unavailable(what, where=f"repository {self._name}")
