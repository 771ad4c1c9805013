"""The part of the SQLite store for values that end: rows of failures, sessions, histories."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from aad.stores.sqlite import statements
from aad.stores.sqlite.file import Connection
from aad.storing import LARGEST_PASSING, Change, Rule

T = TypeVar("T")


class ExpiringValues:
    """The methods of `Sqlite` for values that end."""

    @abstractmethod
    def now(self) -> float:
        """Return the store's time, in seconds."""

    @abstractmethod
    async def _read(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run one statement that only reads. Unavailable."""

    @abstractmethod
    async def _commit(self, write: Callable[[Connection], T]) -> T:
        """Do several statements in one transaction. Unavailable."""

    async def get_expiring(self, kind: str, name: str) -> bytes | None:
        """Return a value that hasn't ended."""
        rows = await self._read(statements.GET_EXPIRING, kind, name, self.now())
        return rows[0][0] if rows else None

    async def compare_and_set_expiring(
        self, kind: str, name: str, old: bytes | None, new: bytes | None, until: float
    ) -> bool:
        """Hold `new`, until then, where `old` is held; return whether it was. ValueError: over `LARGEST_PASSING`."""
        if new is not None and len(new) > LARGEST_PASSING:
            message = f"{len(new)} octets are too many to be held for a while, {LARGEST_PASSING} at most"
            raise ValueError(message)
        if old is None and new is None:
            return await self.get_expiring(kind, name) is None
        return await self._commit(lambda file: exchanged(file, (kind, name, old, new, until, self.now())))

    async def update_expiring(self, kind: str, name: str, rule: Rule, expected: bytes | None = None) -> None:
        """Change a value as `rule` says, within one transaction."""

        def changed(file: Connection) -> None:
            now, change = self.now(), rule(expected)
            if change is not None and exchanged(file, (kind, name, expected, *change, now)):
                return
            rows = file.execute(statements.GET_EXPIRING, (kind, name, now)).fetchall()
            if (change := rule(rows[0][0] if rows else None)) is not None:
                written(file, kind, name, change)

        await self._commit(changed)

    async def put_expiring(self, kind: str, changes: Mapping[str, Change | None]) -> None:
        """Hold these values, by name, whatever is held."""

        def wrote(file: Connection) -> None:
            for name, change in changes.items():
                written(file, kind, name, change)

        await self._commit(wrote)

    async def all_expiring(self, kind: str) -> dict[str, bytes]:
        """Return the values of a kind, by name."""
        return dict(await self._read(statements.ALL_EXPIRING, kind, self.now()))


def exchanged(file: Connection, values: tuple[str, str, bytes | None, bytes | None, float, float]) -> bool:
    """Exchange a value; False: another than `old` is held, or there is nothing to do.

    `values`: kind, name, old, new, until, now.
    """
    _, _, old, new, _, _ = values
    if old is None and new is None:
        return False
    going_on = statements.COMPARE_AND_DELETE_EXPIRING if new is None else statements.REPLACE_EXPIRING
    return bool(file.execute(statements.INSERT_EXPIRING if old is None else going_on, values).fetchall())


def written(file: Connection, kind: str, name: str, change: Change | None) -> None:
    """Write one value that ends, or remove it."""
    if change is None or change.value is None:
        file.execute(statements.DELETE_EXPIRING, (kind, name))
    else:
        file.execute(statements.PUT_EXPIRING, (kind, name, change.value, change.until))
