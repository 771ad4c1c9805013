"""Threads of our own, at most so many, for a library that blocks.

1. Jobs wait in one queue; each thread has a worker, which nobody else uses.
2. Nobody waits for a job past its deadline. One that is still in the queue then is never begun.
3. While anything is at work, the event loop looks every 25 ms who is late: callers are told, workers are told to
   give up. Nothing is woken for a job that is in time, and nothing runs while there is no job.
4. Who leaves the pool waits a second at most; a thread that hangs even then is left behind, and keeps nobody alive.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Generic, Protocol, TypeVar

GRAIN = 0.025
"""Seconds between two looks at who is late."""

FAREWELL = 1.0
"""Seconds that threads get to end."""


class Worker(Protocol):
    """What one thread works with."""

    def watch(self, now: float) -> bool:
        """Give up what should be over by `now` (`time.monotonic()` seconds); say whether anything is at work.

        Called from another thread, again and again.
        """

    def stop(self) -> None:
        """Begin nothing any more; called from another thread."""

    def close(self) -> None:
        """Close what is open; the thread ends."""


W = TypeVar("W", bound=Worker)
T = TypeVar("T")


class Late(Exception):  # noqa: N818 - the word of the house
    """The deadline passed, or the pool is being left: how far the job had come."""


class _Job(Generic[W]):
    """Work for a worker, and the future of whoever waits for it."""

    def __init__(self, work: Callable[[W], Any], deadline: float, answer: asyncio.Future[Any]) -> None:
        self.work = work
        self.deadline = deadline
        self.answer = answer
        self.begun = False

    def late(self) -> None:
        """Tell that it will not be done in time."""
        self.tell(None, Late("no answer in time" if self.begun else "all connections were busy until the deadline"))

    def tell(self, result: Any, error: Exception | None) -> None:
        if self.answer.done():
            return
        if error is None:
            self.answer.set_result(result)
        else:
            self.answer.set_exception(error)


class Pool(Generic[W]):
    """Does jobs in as many threads as there are workers. Enter it in the event loop that asks."""

    def __init__(self, name: str, workers: Sequence[W]) -> None:
        """Note who works; no thread runs yet."""
        self._name = name
        self._workers = workers
        self._queue: SimpleQueue[_Job[W] | None] = SimpleQueue()
        self._jobs: set[_Job[W]] = set()
        self._threads: list[threading.Thread] = []
        self._next_look: asyncio.TimerHandle | None = None
        self._at_home = 0
        self._stopped = False
        self._all_ended = asyncio.Event()

    def start(self) -> None:
        """Start the threads."""
        self._loop = asyncio.get_running_loop()
        for number, worker in enumerate(self._workers):
            # Daemons: one that hangs in the system must not keep the program from ending.
            thread = threading.Thread(target=self._run, args=(worker,), name=f"{self._name}-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    async def stop(self) -> None:
        """Give up every job, and wait a moment for the threads to end."""
        self._stopped = True
        for worker in self._workers:
            worker.stop()
        for job in self._jobs:
            job.tell(None, Late("stopped"))
        for _ in self._threads:
            self._queue.put(None)
        until = time.monotonic() + FAREWELL
        while not self._all_ended.is_set() and time.monotonic() < until:
            for worker in self._workers:
                worker.watch(math.inf)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._all_ended.wait(), GRAIN)
        if self._next_look:
            self._next_look.cancel()

    async def do(self, work: Callable[[W], T], deadline: float) -> T:
        """Let a worker do `work`; Late if it isn't done by the `deadline`; else whatever `work` raises."""
        if self._stopped or time.monotonic() >= deadline:
            message = "stopped" if self._stopped else "no time was left to ask a server"
            raise Late(message)
        job = _Job[W](work, deadline, self._loop.create_future())
        self._jobs.add(job)
        self._queue.put(job)
        if self._next_look is None:
            self._next_look = self._loop.call_later(GRAIN, self._look)
        try:
            answer: T = await job.answer
        finally:
            self._jobs.discard(job)
        return answer

    def _look(self) -> None:
        """Tell who is late."""
        now = time.monotonic()
        at_work = [worker for worker in self._workers if worker.watch(now)]
        for job in self._jobs:
            if now >= job.deadline:
                job.late()
        self._next_look = self._loop.call_later(GRAIN, self._look) if at_work or self._jobs else None

    def _run(self, worker: W) -> None:
        while (job := self._queue.get()) is not None:
            if not job.answer.done():  # else its deadline passed, or its caller has gone
                self._do(job, worker)
            del job
        worker.close()
        self._in_loop(self._ended)

    def _do(self, job: _Job[W], worker: W) -> None:
        job.begun = True
        try:
            result = job.work(worker)
        except Exception as error:  # noqa: BLE001 - it belongs to whoever asked
            self._in_loop(job.tell, None, error)
        else:
            self._in_loop(job.tell, result, None)

    def _in_loop(self, call: Callable[..., None], *args: Any) -> None:
        with suppress(RuntimeError):  # the loop was closed while this thread hung
            self._loop.call_soon_threadsafe(call, *args)

    def _ended(self) -> None:
        self._at_home += 1
        if self._at_home == len(self._threads):
            for thread in self._threads:
                thread.join()  # a matter of microseconds
            self._all_ended.set()
