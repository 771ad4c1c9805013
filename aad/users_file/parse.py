"""Parse users.toml: its users, or everything that is wrong with it, by user and key."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aad.core.identity import Bar, User, name_key
from aad.core.outcome import Reason
from aad.core.scrypt import Hash, hash_password, read_hash
from aad.core.secret import Secret
from aad.filesystem import secure_path

Version = tuple[int, ...]
_DECOY = replace(read_hash(hash_password(Secret("any"), bytes(16))), octets=bytes(32))


class UsersError(ValueError):
    """A users file that can't be used; `faults` is everything that is wrong with it."""

    def __init__(self, path: Path, faults: list[str]) -> None:
        """Name the file in each of the `faults`."""
        self.faults = [f"{path}: {fault}" for fault in faults]
        super().__init__("; ".join(self.faults))


@dataclass(frozen=True)
class Entry:
    """One user of the file."""

    user: User
    hash: Hash
    disabled: bool


@dataclass(frozen=True)
class Users:
    """The users, by their folded names. `version` tells the file from a changed one.

    `decoy` fits no password and takes as long as the dearest hash of the file: it is for names that no user has.
    """

    entries: Mapping[str, Entry]
    decoy: Hash = _DECOY
    version: Version = ()


def _version(found: os.stat_result) -> Version:
    """Return what changes with a file: another one in its place, a write, a chmod."""
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_mode, found.st_uid)


def read_users(path: Path, repository: str, before: Users | None = None, *, judge: bool = True) -> Users:
    """Read a users file, unless it is the one that was read `before`. UsersError: everything that is wrong with it.

    `judge`: that others may write to it, or to a folder above it, is wrong; without, the caller sees to it.
    """
    try:
        descriptor, doubts = secure_path.opened(path)
        with open(descriptor, "rb") as file:  # noqa: PTH123 - of a descriptor
            found = os.fstat(file.fileno())  # before the octets: what is written meanwhile is read the next time
            if before and before.version == _version(found):
                return before
            data = tomllib.load(file)
    except OSError as error:
        raise UsersError(path, [f"can't be read: {error.strerror}"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsersError(path, [f"not TOML: {error}"]) from None
    faults = [f"{key}: unknown; should be [users.NAME]" for key in data if key != "users"]
    faults += secure_path.faults(doubts, secure_path.owners()) if judge else []
    entries = _entries(data.get("users", {}), repository, faults)
    if faults:
        raise UsersError(path, faults)
    dearest = max((entry.hash for entry in entries.values()), key=lambda one: one.n * one.r * one.p, default=_DECOY)
    return Users(entries, replace(_DECOY, n=dearest.n, r=dearest.r, p=dearest.p), _version(found))


def _entries(tables: Any, repository: str, faults: list[str]) -> dict[str, Entry]:
    """Turn the tables into entries; what is wrong goes to `faults`."""
    if not isinstance(tables, dict):
        faults.append("users: should be tables: [users.NAME]")
        return {}
    entries: dict[str, Entry] = {}
    spelled: dict[str, str] = {}
    for name, table in tables.items():
        key, wrong = name_key(name), list(_wrong(table))
        faults += [f"users.{name}{what}" for what in wrong]
        if not key:
            faults.append(f"users.{name!r}: should be a name that can be seen")
        elif key in spelled:
            faults.append(f"users.{name}: is the same name as {spelled[key]}; case and width make no difference")
        elif not wrong:
            entries[key] = _entry(name, table, repository)
        spelled.setdefault(key, name)
    return entries


def _entry(name: str, table: Mapping[str, Any], repository: str) -> Entry:
    email, disabled = table.get("email", []), table.get("disabled", False)
    user = User(
        name=name,
        repository=repository,
        handle=name_key(name),
        addresses=(email,) if isinstance(email, str) else tuple(email),
        groups=frozenset(table.get("groups", ())),
        language=table.get("language", ""),
        attributes={
            name: tuple(map(str, given)) if isinstance(given, list) else (str(given),)
            for name, given in table.get("attributes", {}).items()
        },
        barred=Bar(Reason.ACCOUNT_BARRED, Reason.ACCOUNT_DISABLED) if disabled else None,
    )
    return Entry(user, read_hash(table["password"]), disabled)


def _wrong(table: Any) -> Iterator[str]:
    """Say what is wrong with one user; values are never quoted, a password may stand at the wrong key."""
    if not isinstance(table, dict):
        yield ": should be a table"
        return
    if "password" not in table:
        yield ".password: missing; aad hash-password makes one"
    for key, value in table.items():
        if key in _RULES:
            if what := _RULES[key](value):
                yield f".{key}: {what}"
        elif isinstance(value, dict):
            yield f'.{key}: unknown; a name with a dot is written in quotes: [users."NAME.{key}"]'
        else:
            yield f".{key}: unknown key; there are {', '.join(_RULES)}"


def _password(value: Any) -> str:
    try:
        read_hash(value if isinstance(value, str) else "")
    except ValueError as error:
        return str(error)
    return ""


def _email(value: Any) -> str:
    items = value if isinstance(value, list) else [value]
    right = all(isinstance(item, str) and "@" in item for item in items)
    return "" if right else 'should be an address, such as "alice@example.com", or a list of them'


def _groups(value: Any) -> str:
    right = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return "" if right else 'should be a list of names, such as ["vpn"]'


def _language(value: Any) -> str:
    return "" if isinstance(value, str) else 'should be a language, such as "en"'


def _disabled(value: Any) -> str:
    return "" if isinstance(value, bool) else "should be true or false"


def _attributes(value: Any) -> str:
    right = isinstance(value, dict) and all(
        isinstance(item, str | int) and not isinstance(item, bool)
        for given in value.values()
        for item in (given if isinstance(given, list) else [given])
    )
    return "" if right else 'should be a table of texts, such as { department = "IT" }'


_RULES: dict[str, Callable[[Any], str]] = {
    "password": _password,
    "email": _email,
    "groups": _groups,
    "language": _language,
    "disabled": _disabled,
    "attributes": _attributes,
}
