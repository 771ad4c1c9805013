"""Users in a TOML file: for the demo, for a small shop, for accounts that must work while the directory doesn't.

[users.alice]
password = "scrypt$..."            # aad hash-password
email = "alice@example.com"        # or a list
groups = ["vpn"]
language = "en"
disabled = false
"""

from __future__ import annotations

import asyncio
import stat
import time
import tomllib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from aad.core.identity import User, name_key
from aad.core.outcome import Failure, Reason, Success
from aad.core.scrypt import Hash, hash_password, read_hash
from aad.core.secret import Secret
from aad.core.settings import option
from aad.ports import Admit, Found, Unavailable, Wiring

THREADS = 2  # scrypt computes without Python's lock
LOOKED_AT = 1.0  # seconds in which the file isn't looked at again
_KEYS: dict[str, Any] = {"password": str, "email": (str, list), "groups": list, "language": str, "disabled": bool}
_NOBODY = read_hash(hash_password(Secret(b"nobody's password"), bytes(16)))


@dataclass(frozen=True)
class Entry:
    """One user of the file."""

    user: User
    hash: Hash
    disabled: bool


@dataclass(frozen=True, kw_only=True)
class FileSettings:
    """[repositories.NAME] with type = "file"."""

    path: Path = option(Path("users.toml"), "The file; nobody but its owner may write it.")

    def faults(self) -> Iterator[tuple[str, str]]:
        """Read the file, and say everything that is wrong with it."""
        try:
            _entries(self.path, "")
        except UsersError as error:
            yield from (("path", f"{self.path}: {what}") for what in error.faults)


class UsersError(ValueError):
    """A users file that can't be used; `faults` is everything that is wrong with it."""

    def __init__(self, faults: list[str]) -> None:
        """Hold the faults."""
        super().__init__("; ".join(faults))
        self.faults = faults


class File:
    """Reads the file anew when it has changed; one that is broken then changes nothing, and `probe` says so."""

    Settings: ClassVar[type] = FileSettings

    def __init__(self, settings: FileSettings, wiring: Wiring) -> None:
        """Keep what it gets."""
        self._path = settings.path
        self._name = wiring.name
        self._entries: Mapping[str, Entry] = {}
        self._version: tuple[int, ...] = ()
        self._looked = -LOOKED_AT
        self._wrong = ""

    async def __aenter__(self) -> Self:
        """Read the file. Unavailable: it can't be used."""
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix=f"repository {self._name}")
        self._refresh()
        if self._wrong:
            self._threads.shutdown(wait=False)
            raise Unavailable(self._wrong, where=f"repository {self._name}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def find(self, name: str, password: Secret | None, admit: Admit, deadline: float) -> Found | None:
        """Return the user. For an unknown one a hash is computed too: nobody can tell by the time it takes."""
        self._refresh()
        entry = self._entries.get(name_key(name))
        if entry is None:
            if password:
                await self._fits(_NOBODY, password)
            return None
        proof = await self.authenticate(entry.user, password, deadline) if password and admit(entry.user) else None
        return Found(entry.user, proof)

    async def authenticate(self, user: User, password: Secret, deadline: float) -> Success | Failure:
        """Check the password, in a thread."""
        del deadline  # what waits for a thread waits for milliseconds
        entry = self._entries.get(user.handle)
        if not password:
            return Failure(Reason.EMPTY_PASSWORD)
        if entry is None or not await self._fits(entry.hash, password):
            return Failure(Reason.WRONG_PASSWORD)
        return Failure(Reason.ACCOUNT_DISABLED) if entry.disabled else Success()

    async def probe(self) -> str:
        """Say how many users there are. Unavailable: the file has become unusable since."""
        self._looked = -LOOKED_AT
        self._refresh()
        if self._wrong:
            raise Unavailable(self._wrong, where=f"repository {self._name}")
        return f"{self._path}: {len(self._entries)} users"

    async def _fits(self, stored: Hash, password: Secret) -> bool:
        return await asyncio.get_running_loop().run_in_executor(self._threads, stored.fits, password)

    def _refresh(self) -> None:
        """Read the file if it isn't the one that was read last."""
        now = time.monotonic()
        if now < self._looked + LOOKED_AT:
            return
        self._looked = now
        try:
            found = self._path.stat()
            version = (found.st_ino, found.st_size, found.st_mtime_ns)
            if version != self._version:
                self._entries, self._version, self._wrong = _entries(self._path, self._name), version, ""
        except (OSError, UsersError) as error:
            self._wrong = f"{self._path}: {error}"


def _entries(path: Path, repository: str) -> dict[str, Entry]:
    """Read a users file. UsersError: everything that is wrong with it."""
    try:
        if path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise UsersError([f"may be written by others: chmod go-w {path}"])
        data = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsersError([f"can't be read: {error.strerror}"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsersError([f"not TOML: {error}"]) from None
    faults = [f"{key}: should be [users.NAME]" for key in data if key != "users"]
    users = data.get("users", {})
    entries: dict[str, Entry] = {}
    for name, table in users.items() if isinstance(users, dict) else ():
        wrong = list(_wrong(table))
        faults += [f"users.{name}{what}" for what in wrong]
        if name_key(name) in entries:
            faults.append(f"users.{name}: is the same name as {entries[name_key(name)].user.name}")
        elif not wrong:
            entries[name_key(name)] = _entry(name, table, repository)
    if faults:
        raise UsersError(faults)
    return entries


def _wrong(table: Any) -> Iterator[str]:
    if not isinstance(table, dict):
        yield ": should be a table"
        return
    for key, value in table.items():
        if key not in _KEYS:
            yield f".{key}: unknown key; there are {', '.join(_KEYS)}"
        elif not isinstance(value, _KEYS[key]) or (
            isinstance(value, list) and not all(isinstance(v, str) for v in value)
        ):
            yield f".{key}: has the wrong type"
    try:
        read_hash(str(table.get("password", "")))
    except ValueError as error:
        yield f".password: {error}"


def _items(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _entry(name: str, table: Mapping[str, Any], repository: str) -> Entry:
    email = table.get("email", [])
    user = User(
        name=name,
        repository=repository,
        handle=name_key(name),
        addresses=(email,) if isinstance(email, str) else tuple(email),
        groups=frozenset(table.get("groups", ())),
        language=table.get("language", ""),
    )
    return Entry(user, read_hash(table["password"]), table.get("disabled", False))
