"""Passwords hashed in a few threads of their own, by turns: who floods waits behind themselves, not before others."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from aad.asker import ASKER
from aad.core.scrypt import Hash
from aad.core.secret import Secret
from aad.core.turns import Source, Turns
from aad.ports import Unavailable

THREADS = 2  # scrypt computes without Python's lock, 45 ms and 16 MiB each
EACH, MOST = 250, 500  # that wait for a thread: of one source, and of one client


@dataclass(eq=False)
class _Job:
    """One password to be hashed."""

    source: Source
    stored: Hash
    password: Secret
    fits: asyncio.Future[bool] = field(repr=False)


class Hashing:
    """Hashes passwords. Unavailable: it could not be done in time, which is nobody's outage: only who asks is late."""

    def __init__(self, name: str) -> None:
        """Start nothing yet. `name`: of the threads."""
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix=name)
        self._turns: Turns[_Job] = Turns(EACH, MOST)
        self._free = THREADS

    def end(self) -> None:
        """Begin nothing more; nobody waits for the threads."""
        self._free -= THREADS
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def fits(self, stored: Hash, password: Secret, deadline: float) -> bool:
        """Say whether it is the hash of `password`. What has no turn by the deadline is never begun. Unavailable."""
        job = _Job(ASKER.get(), stored, password, asyncio.get_running_loop().create_future())
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
        """Give each free thread to whose turn it is."""
        while self._free > 0 and (job := self._turns.next(time.monotonic())):
            self._free -= 1
            done = asyncio.get_running_loop().run_in_executor(self._threads, job.stored.fits, job.password)
            done.add_done_callback(partial(self._done, job))

    def _done(self, job: _Job, found: asyncio.Future[bool]) -> None:
        self._free += 1
        if job.fits.done() or found.cancelled():  # nobody waits for it any more
            pass
        elif error := found.exception():
            job.fits.set_exception(error)
        else:
            job.fits.set_result(found.result())
        self._go_on()
