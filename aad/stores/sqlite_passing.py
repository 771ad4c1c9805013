"""Values that end, in the SQLite store: the part of it that sessions and histories use, and no login."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from aad.stores import statements as say
from aad.storing import LARGEST_PASSING


class Passing:
    """What `Sqlite` does with values that end."""

    @abstractmethod
    def now(self) -> float:
        """Return the time, in seconds."""

    @abstractmethod
    async def _read(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run one statement that only reads. Unavailable."""

    @abstractmethod
    async def _written(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run one statement that writes. Unavailable."""

    async def recall(self, kind: str, name: str) -> bytes | None:
        """Return a value that hasn't ended."""
        rows = await self._read(say.RECALL, kind, name, self.now())
        return rows[0][0] if rows else None

    async def exchange(self, kind: str, name: str, old: bytes | None, new: bytes | None, until: float) -> bool:
        """Hold `new`, until then, instead of `old`."""
        if new is not None and len(new) > LARGEST_PASSING:
            message = f"{len(new)} octets are too many to be held for a while, {LARGEST_PASSING} at most"
            raise ValueError(message)
        if old is None and new is None:
            return await self.recall(kind, name) is None
        going_on = say.END_PASSING if new is None else say.GO_ON_PASSING
        statement = say.BEGIN_PASSING if old is None else going_on
        return bool(await self._written(statement, kind, name, old, new, until, self.now()))
