"""Connections that are kept, grow with need and carry the mails of callers who may leave at any time.

1. A task owns each connection. It is never cancelled amid a mail, unless the sender is left: that would leave the
   connection out of step, and the mail half sent.
2. A caller waits for the outcome, not for the task. At his deadline he goes (Underway); the mail goes on, if there
   is a connection.
3. A mail may be withdrawn until DATA is said. From then on nobody can tell whether it arrives.
4. Everything is bounded: connections, mails that wait, and the time each step takes.
5. A few connections are made at once when they are needed. More are made while mails wait: so that a mail server that
   takes its time gets many mails at a time, and a fast one is left with few.
6. Where no connection is to be had, or a mail had to be withdrawn since the server was slow, one caller tries again
   after a pause and the others are told at once.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aad.core.message import Receipt
from aad.ports import Unavailable, Underway
from aad.senders.smtp.connection import Connection, ConnectionDroppedError, Mail, WithdrawnError
from aad.senders.smtp.gate import Gate
from aad.senders.smtp.job import Job

FAREWELL = 2.0
"""Seconds that mails under way get when the sender is left."""

FEW = 8  # connections that are made at once
SLOW = 0.02  # seconds that a mail waits before there are more

_LATE = "the mail server did not take the mail in time"
_STOPPED = "stopped before the mail server answered"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """At most so many connections and waiting mails; a connection is closed when it is unused or old (seconds)."""

    connections: int
    queue: int
    idle: float
    lifetime: float


class Pool:
    """Carries mails over connections that `connect` makes."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]], limits: Limits, where: str) -> None:
        """Note how; nothing is connected yet."""
        self._connect = connect
        self._limits = limits
        self._where = where
        self._gate = Gate()  # to a connection
        self._patience = Gate()  # to a mail, while there may be connections
        self._queue: deque[Job] = deque()
        self._resting: list[
            asyncio.Future[Job | None]
        ] = []  # the last to rest works first, so that the others idle out
        self._workers: set[asyncio.Task[None]] = set()  # those that may still take a mail
        self._tasks: set[asyncio.Task[None]] = set()  # and those that only say QUIT
        self._connecting = 0
        self._closing = False

    async def send(self, mail: Mail, deadline: float) -> Receipt:
        """Send. AddressRefused, Deferred, Unavailable, Underway: as a Sender's `send`."""
        job = Job(mail, slow=lambda: self._patience.failed(_LATE))
        self._place(job, deadline)
        try:
            await asyncio.wait((job.outcome,), timeout=deadline - time.monotonic())
        except asyncio.CancelledError:
            job.withdraw()
            raise
        if job.outcome.done():
            return await job.receipt()
        if len(self._workers) == self._connecting:  # nobody should wait for a mail whose server was never reached
            job.withdraw()
            raise self._unavailable(_LATE)
        raise Underway(_LATE, job)

    @property
    def waiting(self) -> int:
        """Count the mails that wait for a connection."""
        return len(self._queue)

    def _place(self, job: Job, deadline: float) -> None:
        """Find somebody who carries the mail, now or soon; Unavailable: nobody."""
        if self._closing or time.monotonic() >= deadline:
            raise self._unavailable(_STOPPED if self._closing else _LATE)
        if not self._patience.lets_one(deadline):
            raise self._unavailable(self._patience.reason)
        if self._resting:
            self._resting.pop().set_result(job)
            return
        self._drop_useless()
        if len(self._queue) >= self._limits.queue + self._connecting:  # each that connects will take one
            what = f"{len(self._queue)} mails wait for the mail server already"
            raise self._unavailable(what)
        if self._connecting <= len(self._queue) and self._grows():
            self._hire()
        elif self._gate.shut and len(self._workers) == self._connecting:
            raise self._unavailable(self._gate.reason)
        self._queue.append(job)

    def _grows(self) -> bool:
        """Say whether to make one more connection now."""
        workers, waits = len(self._workers), self._queue and time.monotonic() - self._queue[0].placed >= SLOW
        more = workers < self._limits.connections and (workers < FEW or (waits and self._connecting < FEW))
        return bool(more) and self._gate.lets_try(self._connecting)

    def _hire(self) -> None:
        self._connecting += 1
        task = asyncio.create_task(self._work(), name=f"{self._where}: connection")
        self._workers.add(task)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self) -> None:
        """Be one connection: open it, carry mails, rest, close it."""
        line: Connection | None = None
        try:
            line = await self._open()
            while job := self._next() or await self._rest() or self._next():
                line = await self._carry(job, line)
                if not line.open or time.monotonic() >= line.opened + self._limits.lifetime:
                    if not self._queue:
                        break
                    await line.quit()
                    line = await self._reopen()
        except Unavailable:
            pass  # no connection is to be had: the gate knows why
        finally:
            self._retire()
            if line:
                await line.quit()

    async def _open(self) -> Connection:
        """Connect; `_connecting` was counted up by whoever decided it. Unavailable: and the gate is shut."""
        try:
            line = await self._connect()
        except Unavailable as error:
            self._gate.failed(error.what)
            raise
        finally:
            self._connecting -= 1
        self._gate.opened()
        return line

    async def _reopen(self) -> Connection:
        """Connect again, unless that failed a moment ago."""
        if not self._gate.lets_try(self._connecting):
            raise self._unavailable(self._gate.reason)
        self._connecting += 1
        return await self._open()

    def _next(self) -> Job | None:
        """Take the first waiting mail that is still of use."""
        self._drop_useless()
        if self._connecting < len(self._queue) - 1 and self._grows():
            self._hire()
        return self._queue.popleft() if self._queue else None

    def _drop_useless(self) -> None:
        while self._queue and self._queue[0].useless:
            self._queue.popleft().tell(self._unavailable(_LATE))

    async def _rest(self) -> Job | None:
        """Wait for a mail. None: too long idle, or the sender is being left."""
        if self._closing:
            return None
        wake: asyncio.Future[Job | None] = asyncio.get_running_loop().create_future()
        self._resting.append(wake)
        timer = asyncio.get_running_loop().call_later(self._limits.idle, self._dismiss, wake)
        try:
            return await wake
        finally:
            timer.cancel()

    def _dismiss(self, wake: asyncio.Future[Job | None]) -> None:
        if wake in self._resting:
            self._resting.remove(wake)
            wake.set_result(None)

    async def _carry(self, job: Job, line: Connection) -> Connection:
        """Send one mail, tell its caller, and return the connection to go on with, which may be closed."""
        try:
            try:
                job.tell(await line.deliver(job.mail, job.commit))
            except ConnectionDroppedError:  # once more, as nothing of DATA was sent
                line = await self._reopen()
                job.tell(await line.deliver(job.mail, job.commit))
        except asyncio.CancelledError:
            line.cut()
            job.tell(Underway(_STOPPED) if job.committed else self._unavailable(_STOPPED))
            raise
        except WithdrawnError:
            job.tell(self._unavailable(_LATE))
            return line
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the caller's to know
            job.tell(error)
        if line.open:  # whatever it says, it says something
            self._patience.opened()
        return line

    def _retire(self) -> None:
        """Take no more mails. Whoever leaves last while mails still wait couldn't connect: their callers are told."""
        task = asyncio.current_task()
        self._workers = {worker for worker in self._workers if worker is not task}
        if not self._workers:
            self._turn_away(self._gate.reason if self._gate.shut else _STOPPED)

    def _turn_away(self, what: str) -> None:
        while self._queue:
            self._queue.popleft().tell(self._unavailable(what))

    async def close(self) -> None:
        """Let mails under way end, at most 2 s, say QUIT and close every connection."""
        self._closing = True
        for wake in list(self._resting):
            self._dismiss(wake)
        try:
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=FAREWELL)
        finally:
            left = list(self._tasks)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
            self._turn_away(_STOPPED)

    def _unavailable(self, what: str) -> Unavailable:
        return Unavailable(what, where=self._where)
