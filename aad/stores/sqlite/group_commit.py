"""Group commit: what several logins write in one turn of the event loop, in one transaction; commits are expensive."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from aad.ports import Unavailable
from aad.stores.sqlite.file import Connection, unavailable_on_error

STALLED = 2.0  # seconds that writers wait for the end of a checkpoint, before the store is unavailable
T = TypeVar("T")


class _Step(NamedTuple):
    """One caller's write, and the future of its result."""

    write: Callable[[Connection], Any]
    outcome: asyncio.Future[Any]


class GroupCommit:
    """Gathers steps during one turn of the event loop, and commits them together at the next.

    Each is done wholly or not at all, and its caller goes on when it is committed. The file is locked for the commit
    only, never while a caller works. A step that fails doesn't fail the others.
    """

    def __init__(self, connection: Connection, path: Path) -> None:
        """Commit by `connection`, which is in autocommit mode; `path`: its file, for messages."""
        self._connection, self._path = connection, path
        self._steps: list[_Step] = []
        self._free = asyncio.Event()
        self._free.set()

    async def do(self, write: Callable[[Connection], T]) -> T:
        """Return what `write` returned, once it is committed. Unavailable; and whatever `write` raises."""
        await self.freed()
        loop = asyncio.get_running_loop()
        if not self._steps:
            loop.call_soon(self._commit)
        outcome: asyncio.Future[T] = loop.create_future()
        self._steps.append(_Step(write, outcome))
        return await outcome

    async def freed(self) -> None:
        """Wait while a checkpoint holds the file. Unavailable: for more than `STALLED` seconds."""
        if self._free.is_set():
            return
        try:
            async with asyncio.timeout(STALLED):
                await self._free.wait()
        except TimeoutError:
            message = f"{self._path}: the disk has written nothing for {STALLED:g} s"
            raise Unavailable(message, where="store") from None

    def hold(self) -> None:
        """Commit the steps so far, and let later ones wait."""
        self._commit()
        self._free.clear()

    def release(self) -> None:
        """Let the steps that wait go on."""
        self._free.set()

    def _commit(self) -> None:
        # The step of a caller that was cancelled meanwhile isn't written.
        steps = [step for step in self._steps if not step.outcome.done()]
        self._steps = []
        if steps and self._begun(steps) and not self._committed(steps) and len(steps) > 1:
            for step in steps:
                if self._begun([step]):
                    self._committed([step])

    def _begun(self, steps: list[_Step]) -> bool:
        """Lock the file. Where that takes too long all steps fail: each one's own try would take as long again."""
        try:
            with unavailable_on_error(self._path):
                self._connection.execute("BEGIN IMMEDIATE")
        except Exception as error:  # noqa: BLE001 - it is the callers'
            for step in steps:
                step.outcome.set_exception(_another(error))
            return False
        return True

    def _committed(self, steps: list[_Step]) -> bool:
        """Do all of them or none. False: none; a single step's caller gets the exception."""
        try:
            with unavailable_on_error(self._path):
                try:
                    outcomes = [step.write(self._connection) for step in steps]
                    self._connection.execute("COMMIT")
                finally:
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
        except Exception as error:  # noqa: BLE001 - it is the caller's
            if len(steps) == 1:
                steps[0].outcome.set_exception(error)
            return False
        for step, outcome in zip(steps, outcomes, strict=True):
            step.outcome.set_result(outcome)
        return True


def _another(error: Exception) -> Exception:
    """Return a copy for one more caller: each adds its own traceback."""
    return Unavailable(error.what, where=error.where) if isinstance(error, Unavailable) else error
