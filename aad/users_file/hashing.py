"""Passwords hashed in a few threads of their own, by turns: a source that floods delays itself, not the others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from aad.core.asker import ASKER
from aad.core.scrypt import Hash
from aad.core.secret import Secret
from aad.core.turns import Source, Turns
from aad.ports import Unavailable

THREADS = 2  # scrypt computes without Python's lock, 45 ms and 16 MiB each
EACH, MOST = 250, 500  # that wait for a thread: of one source, and of one client
TOOK, OF_LATE = 0.05, 8  # seconds that a hash takes until one was timed; and of how many the average is


@dataclass(eq=False)
class _Job:
    """One password to be hashed; without `work`, only its time is taken."""

    source: Source
    work: Callable[[], bool] | None
    fits: asyncio.Future[bool]
    begun: float = 0.0


class Hashing:
    """Hashes passwords. Unavailable: it could not be done in time, which is no outage: only that source is late."""

    def __init__(self, name: str) -> None:
        """Start nothing yet. `name`: of the threads."""
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix=name)
        self._turns: Turns[_Job] = Turns(EACH, MOST)
        self._free = THREADS
        self._took = TOOK

    def end(self) -> None:
        """Begin nothing more, and don't wait for the threads."""
        self._free -= THREADS
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def fits(self, stored: Hash, password: Secret, deadline: float) -> bool:
        """Say whether it is the hash of `password`. Never begun, if it has no turn by the deadline. Unavailable."""
        return await self._waited(partial(stored.fits, password), deadline)

    async def pretend(self, deadline: float) -> None:
        """Take as long as if a password were hashed: its turn, and then the time of one of late. Unavailable."""
        await self._waited(None, deadline)

    async def _waited(self, work: Callable[[], bool] | None, deadline: float) -> bool:
        job = _Job(ASKER.get(), work, asyncio.get_running_loop().create_future())
        if (gone := self._turns.join(job.source, job, deadline)) and not gone.fits.done():
            gone.fits.set_exception(Unavailable(f"more than {EACH} passwords of one source wait to be checked"))
        self._go_on()
        try:
            return await asyncio.wait_for(job.fits, max(deadline - time.monotonic(), 0.0))
        except TimeoutError:
            message = f"more passwords than {THREADS} threads can check in time"
            raise Unavailable(message) from None
        finally:
            self._turns.leave(job.source, job)

    def _go_on(self) -> None:
        """Give each free thread to the job whose turn it is."""
        while self._free > 0 and (job := self._turns.next(time.monotonic())):
            loop, job.begun = asyncio.get_running_loop(), time.monotonic()
            if job.work is None:
                loop.call_later(self._took, self._pretended, job)
                continue
            self._free -= 1
            loop.run_in_executor(self._threads, job.work).add_done_callback(partial(self._done, job))

    @staticmethod
    def _pretended(job: _Job) -> None:
        if not job.fits.done():
            job.fits.set_result(False)

    def _done(self, job: _Job, found: asyncio.Future[bool]) -> None:
        self._free += 1
        self._took += (time.monotonic() - job.begun - self._took) / OF_LATE
        if job.fits.done() or found.cancelled():  # its caller has left
            pass
        elif error := found.exception():
            job.fits.set_exception(error)
        else:
            job.fits.set_result(found.result())
        self._go_on()
