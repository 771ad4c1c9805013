"""Values that end, in the SQLite store: rows of failures, sessions, histories."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from aad.stores.sqlite import statements as say
from aad.stores.sqlite.file import Connection
from aad.storing import LARGEST_PASSING, Change, Rule

T = TypeVar("T")


class ExpiringValues:
    """What `Sqlite` does with values that end."""

    @abstractmethod
    def now(self) -> float:
        """Return the time, in seconds."""

    @abstractmethod
    async def _read(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run one statement that only reads. Unavailable."""

    @abstractmethod
    async def _commit(self, write: Callable[[Connection], T]) -> T:
        """Do several statements in one transaction. Unavailable."""

    async def get_expiring(self, kind: str, name: str) -> bytes | None:
        """Return a value that hasn't ended."""
        rows = await self._read(say.RECALL, kind, name, self.now())
        return rows[0][0] if rows else None

    async def compare_and_set_expiring(
        self, kind: str, name: str, old: bytes | None, new: bytes | None, until: float
    ) -> bool:
        """Hold `new`, until then, instead of `old`."""
        if new is not None and len(new) > LARGEST_PASSING:
            message = f"{len(new)} octets are too many to be held for a while, {LARGEST_PASSING} at most"
            raise ValueError(message)
        if old is None and new is None:
            return await self.get_expiring(kind, name) is None
        return await self._commit(lambda file: exchanged(file, (kind, name, old, new, until, self.now())))

    async def update_expiring(self, kind: str, name: str, rule: Rule, expected: bytes | None = None) -> None:
        """Do what `rule` says, within one transaction."""

        def changed(file: Connection) -> None:
            now, change = self.now(), rule(expected)
            if change is not None and exchanged(file, (kind, name, expected, *change, now)):
                return
            rows = file.execute(say.RECALL, (kind, name, now)).fetchall()
            if (change := rule(rows[0][0] if rows else None)) is not None:
                written(file, kind, name, change)

        await self._commit(changed)

    async def put_expiring(self, kind: str, changes: Mapping[str, Change | None]) -> None:
        """Hold these values, whatever is held."""

        def wrote(file: Connection) -> None:
            for name, change in changes.items():
                written(file, kind, name, change)

        await self._commit(wrote)

    async def all_expiring(self, kind: str) -> dict[str, bytes]:
        """Return the values of a kind."""
        return dict(await self._read(say.VALUES, kind, self.now()))


def exchanged(file: Connection, values: tuple[str, str, bytes | None, bytes | None, float, float]) -> bool:
    """Exchange a value: kind, name, old, new, until, now; False: it isn't the old one, or there is nothing to do."""
    _, _, old, new, _, _ = values
    if old is None and new is None:
        return False
    going_on = say.END_PASSING if new is None else say.GO_ON_PASSING
    return bool(file.execute(say.BEGIN_PASSING if old is None else going_on, values).fetchall())


def written(file: Connection, kind: str, name: str, change: Change | None) -> None:
    """Write one value that ends, or that there is none."""
    if change is None or change.value is None:
        file.execute(say.REMOVE_PASSING, (kind, name))
    else:
        file.execute(say.WRITE, (kind, name, change.value, change.until))
