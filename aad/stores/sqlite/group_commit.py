"""What many logins write at the same time, in one transaction: a commit costs more than most of what it commits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from aad.ports import Unavailable
from aad.stores.sqlite.file import Connection, told

STALLED = 2.0  # seconds that others wait for the end of a checkpoint, before the disk is out of order
T = TypeVar("T")


class _Step(NamedTuple):
    """What one caller writes, and the future of what came of it."""

    write: Callable[[Connection], Any]
    outcome: asyncio.Future[Any]


class GroupCommit:
    """Gathers steps during one turn of the event loop, and commits them together at the next.

    Each is done wholly or not at all, and its caller goes on when it is committed. The file is locked for that moment
    only, never while a caller thinks. One step that fails takes none of the others with it.
    """

    def __init__(self, connection: Connection, path: Path) -> None:
        """Write through a connection whose single statements commit themselves."""
        self._connection, self._path = connection, path
        self._steps: list[_Step] = []
        self._free = asyncio.Event()
        self._free.set()

    async def do(self, write: Callable[[Connection], T]) -> T:
        """Return what `write` returned, once it is committed. Unavailable; whatever else it raised is the caller's."""
        await self.freed()
        loop = asyncio.get_running_loop()
        if not self._steps:
            loop.call_soon(self._commit)
        outcome: asyncio.Future[T] = loop.create_future()
        self._steps.append(_Step(write, outcome))
        return await outcome

    async def freed(self) -> None:
        """Wait while nobody may use the file. Unavailable: that takes too long."""
        if self._free.is_set():
            return
        try:
            async with asyncio.timeout(STALLED):
                await self._free.wait()
        except TimeoutError:
            message = f"{self._path}: the disk has written nothing for {STALLED:g} s"
            raise Unavailable(message, where="store") from None

    def hold(self) -> None:
        """Commit what there is, and let everybody wait from now on."""
        self._commit()
        self._free.clear()

    def release(self) -> None:
        """Let them go on."""
        self._free.set()

    def _commit(self) -> None:
        # A caller who was cancelled meanwhile wants nothing written.
        steps = [step for step in self._steps if not step.outcome.done()]
        self._steps = []
        if steps and self._begun(steps) and not self._committed(steps) and len(steps) > 1:
            for step in steps:
                if self._begun([step]):
                    self._committed([step])

    def _begun(self, steps: list[_Step]) -> bool:
        """Lock the file. Where that takes too long all are told: each one's own try would take as long again."""
        try:
            with told(self._path):
                self._connection.execute("BEGIN IMMEDIATE")
        except Exception as error:  # noqa: BLE001 - it is the callers'
            for step in steps:
                step.outcome.set_exception(_another(error))
            return False
        return True

    def _committed(self, steps: list[_Step]) -> bool:
        """Do all of them or none. False: none, and if it was only one, its caller is told why."""
        try:
            with told(self._path):
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
    """Return the same for one more caller, who adds to it where it passed."""
    return Unavailable(error.what, where=error.where) if isinstance(error, Unavailable) else error
