"""Limits how many jobs run at once, each with a worker of its own; further jobs wait for a free one.

First come, first served. No job waits past its deadline, and one whose turn comes after it is never begun. The worker
that was freed last works first, so that no more workers keep connections than there is need of.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Generic, Protocol, TypeVar

FAREWELL = 1.0
"""Seconds that jobs get to end when the pool is stopped."""


class Worker(Protocol):
    """What one job works with."""

    def stop(self) -> None:
        """Begin nothing new, end what is in progress, close what is open."""


W = TypeVar("W", bound=Worker)
T = TypeVar("T")


class PoolTimeoutError(Exception):
    """The deadline passed, or the pool is being stopped."""


class Pool(Generic[W]):
    """Does as many jobs at a time as there are workers."""

    def __init__(self, workers: Sequence[W]) -> None:
        """Begin with all workers free."""
        self._workers = workers
        self._free = list(workers)
        self._waiting: deque[asyncio.Future[W]] = deque()
        self._stopped = False
        self._all_free = asyncio.Event()

    async def stop(self) -> None:
        """Stop every worker, and wait up to `FAREWELL` seconds for their jobs to end."""
        self._stopped = True
        for turn in self._waiting:
            if not turn.done():
                turn.set_exception(PoolTimeoutError("stopped"))
        for worker in self._workers:
            worker.stop()
        if len(self._free) < len(self._workers):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._all_free.wait(), FAREWELL)

    async def do(self, work: Callable[[W], Awaitable[T]], deadline: float) -> T:
        """Let a worker do `work`. PoolTimeoutError: none is free by the `deadline` (monotonic)."""
        if self._stopped or time.monotonic() >= deadline:
            message = "stopped" if self._stopped else "no time was left to ask a server"
            raise PoolTimeoutError(message)
        worker = self._free.pop() if self._free else await self._turn(deadline)
        try:
            return await work(worker)
        finally:
            self._give_back(worker)

    async def _turn(self, deadline: float) -> W:
        """Wait for a free worker. PoolTimeoutError."""
        turn: asyncio.Future[W] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout_at(deadline):
                return await turn
        except (TimeoutError, asyncio.CancelledError) as error:
            if turn.done() and not turn.cancelled() and not turn.exception():  # at the same moment
                self._give_back(turn.result())
            if isinstance(error, TimeoutError):
                message = "all connections were busy until the deadline"
                raise PoolTimeoutError(message) from None
            raise

    def _give_back(self, worker: W) -> None:
        """Hand a worker to the job that has waited longest, or set it free."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(worker)
                return
        self._free.append(worker)
        if len(self._free) == len(self._workers):
            self._all_free.set()
