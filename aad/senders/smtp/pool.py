"""Connections that are kept, grow with need and carry the mails of callers who may leave at any time.

1. A task owns each connection. It is never cancelled amid a mail, unless the sender is closed: that would leave the
   connection out of step, and the mail half sent.
2. A caller waits for the outcome, not for the task. At their deadline they go (Underway); the mail goes on, if there
   is a connection.
3. A mail may be withdrawn until DATA is said. From then on it can't be known whether it arrives.
4. Everything is bounded: connections, mails that wait, and the time each step takes.
5. A few connections are made at once when they are needed. More are made while mails wait: so that a mail server that
   takes its time gets many mails at a time, and a fast one is left with few.
6. Where no connection can be made, or a mail had to be withdrawn since the server was slow, one caller tries again
   after a pause and the others are told at once.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aad.core.message import Receipt
from aad.net.backoff import Backoff
from aad.ports import AddressRefusedError, Unavailable, Underway
from aad.senders.smtp.connection import Connection, ConnectionDroppedError, Mail, WithdrawnError
from aad.senders.smtp.replies import queue_id

FAREWELL = 2.0
"""Seconds that mails under way get when the sender is closed."""

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


@dataclass(eq=False)
class Job:
    """One mail on its way through the pool, and the future of its caller: a `ports.Later`.

    `slow`: called when it is withdrawn.
    """

    mail: Mail
    slow: Callable[[Job], object]
    committed: bool = False  # it may arrive
    placed: float = field(default_factory=time.monotonic)
    outcome: asyncio.Future[str] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def useless(self) -> bool:
        """Whether it was withdrawn, or would come too late."""
        return self.outcome.done() or time.monotonic() >= self.mail.until

    def commit(self) -> bool:
        """Say whether DATA may be said; from then on the mail may arrive."""
        self.committed = not self.useless
        return self.committed

    async def receipt(self) -> Receipt:
        """Wait until it is settled; neither a timeout nor a cancelled caller reaches the mail. Errors: as of `send`."""
        if not self.outcome.done():
            await asyncio.wait((self.outcome,))
        return Receipt(queue_id=queue_id(self.outcome.result()))

    def withdraw(self) -> bool:
        """Stop it and say so, if DATA isn't said yet. The server was too slow: the next mails needn't wait for it."""
        if self.outcome.done():
            return False
        self.slow(self)
        if not self.committed:
            self.outcome.cancel()
        return not self.committed

    def settle(self, outcome: str | Exception) -> None:
        """Give the caller the server's text or the error, unless they have withdrawn the mail."""
        if self.outcome.done():
            return
        if isinstance(outcome, str):
            self.outcome.set_result(outcome)
            return
        if isinstance(outcome, Unavailable | AddressRefusedError | Underway):
            outcome.__context__ = None  # the foreign error beneath holds addresses
            outcome = outcome.with_traceback(None)
        self.outcome.set_exception(outcome)
        self.outcome.exception()  # the caller may have left: then it's no "exception was never retrieved"


class Pool:
    """Carries mails over connections that `connect` makes."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]], limits: Limits, where: str) -> None:
        """Connect to nothing yet. `where`: what an Unavailable names."""
        self._connect = connect
        self._limits = limits
        self._where = where
        self._to_connect = Backoff()
        self._to_mail = Backoff()  # while there may be connections
        self._queue: deque[Job] = deque()
        # the last to rest works first, so that the others idle out
        self._resting: list[asyncio.Future[Job | None]] = []
        self._workers: set[asyncio.Task[None]] = set()  # those that may still take a mail
        self._tasks: set[asyncio.Task[None]] = set()  # and those that only say QUIT
        self._connecting = 0
        self._closing = False

    async def send(self, mail: Mail, deadline: float) -> Receipt:
        """Send. AddressRefusedError, Deferred, Unavailable, Underway: as a Sender's `send`."""
        job = Job(mail, slow=self._was_slow)
        self._place(job, deadline)
        try:
            await asyncio.wait((job.outcome,), timeout=deadline - time.monotonic())
        except asyncio.CancelledError:
            job.withdraw()
            raise
        if job.outcome.done():
            return await job.receipt()
        if len(self._workers) == self._connecting:  # no need to wait for a mail whose server was never reached
            job.withdraw()
            raise self._unavailable(_LATE)
        raise Underway(_LATE, job)

    @property
    def waiting(self) -> int:
        """Count the mails that wait for a connection."""
        return len(self._queue)

    def _was_slow(self, job: Job) -> None:
        self._to_mail.failed(job.placed, time.monotonic(), _LATE)

    def _place(self, job: Job, deadline: float) -> None:
        """Give the mail to a connection, or queue it for one that comes soon. Unavailable: none does."""
        if self._closing or time.monotonic() >= deadline:
            raise self._unavailable(_STOPPED if self._closing else _LATE)
        if not self._to_mail.admit(job.placed, deadline):
            raise self._unavailable(self._to_mail.reason)
        if self._resting:
            self._resting.pop().set_result(job)
            return
        self._drop_useless()
        if len(self._queue) >= self._limits.queue + self._connecting:  # each that connects will take one
            what = f"{len(self._queue)} mails wait for the mail server already"
            raise self._unavailable(what)
        if self._connecting <= len(self._queue) and self._grows():
            self._start_worker()
        elif self._to_connect.down and len(self._workers) == self._connecting:
            raise self._unavailable(self._to_connect.reason)
        self._queue.append(job)

    def _grows(self) -> bool:
        """Say whether to make one more connection now."""
        workers, waits = len(self._workers), self._queue and time.monotonic() - self._queue[0].placed >= SLOW
        more = workers < self._limits.connections and (workers < FEW or (waits and self._connecting < FEW))
        return bool(more) and self._may_connect()

    def _may_connect(self) -> bool:
        """Say whether to connect now: while the server is down, one at a time, after a pause."""
        alone = not self._to_connect.down or not self._connecting
        return alone and self._to_connect.admits(time.monotonic())

    def _start_worker(self) -> None:
        self._connecting += 1
        task = asyncio.create_task(self._work(), name=f"{self._where}: connection")
        self._workers.add(task)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self) -> None:
        """Be one connection: open it, carry mails, rest, close it."""
        connection: Connection | None = None
        try:
            connection = await self._open()
            while job := self._next() or await self._rest() or self._next():
                connection = await self._carry(job, connection)
                if not connection.open or time.monotonic() >= connection.opened + self._limits.lifetime:
                    if not self._queue:
                        break
                    await connection.quit()
                    connection = await self._reopen()
        except Unavailable:
            pass  # there is no connection: the backoff knows why
        finally:
            self._retire()
            if connection:
                await connection.quit()

    async def _open(self) -> Connection:
        """Connect; the caller has counted up `_connecting`. Unavailable."""
        began = time.monotonic()
        try:
            connection = await self._connect()
        except Unavailable as error:
            self._to_connect.failed(began, time.monotonic(), error.what)
            raise
        finally:
            self._connecting -= 1
        self._to_connect.worked(time.monotonic())
        return connection

    async def _reopen(self) -> Connection:
        """Connect again, unless that failed a moment ago. Unavailable."""
        if not self._may_connect():
            raise self._unavailable(self._to_connect.reason)
        self._connecting += 1
        return await self._open()

    def _next(self) -> Job | None:
        """Take the first waiting mail that is still of use."""
        self._drop_useless()
        if self._connecting < len(self._queue) - 1 and self._grows():
            self._start_worker()
        return self._queue.popleft() if self._queue else None

    def _drop_useless(self) -> None:
        while self._queue and self._queue[0].useless:
            self._queue.popleft().settle(self._unavailable(_LATE))

    async def _rest(self) -> Job | None:
        """Wait for a mail. None: too long idle, or the sender is being closed."""
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

    async def _carry(self, job: Job, connection: Connection) -> Connection:
        """Send one mail, settle its job, and return the connection to go on with, which may be closed."""
        try:
            try:
                job.settle(await connection.deliver(job.mail, job.commit))
            except ConnectionDroppedError:  # once more, as nothing of DATA was sent
                connection = await self._reopen()
                job.settle(await connection.deliver(job.mail, job.commit))
        except asyncio.CancelledError:
            connection.abort()
            job.settle(Underway(_STOPPED) if job.committed else self._unavailable(_STOPPED))
            raise
        except WithdrawnError:
            job.settle(self._unavailable(_LATE))
            return connection
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the caller's to know
            job.settle(error)
        if connection.open:  # the server answered, whatever it said
            self._to_mail.worked(time.monotonic())
        return connection

    def _retire(self) -> None:
        """Take no more mails. Mails that wait when the last worker leaves, as it couldn't connect, are refused."""
        task = asyncio.current_task()
        self._workers = {worker for worker in self._workers if worker is not task}
        if not self._workers:
            self._refuse_queue(self._to_connect.reason if self._to_connect.down else _STOPPED)

    def _refuse_queue(self, what: str) -> None:
        while self._queue:
            self._queue.popleft().settle(self._unavailable(what))

    async def close(self) -> None:
        """Let mails under way end, at most `FAREWELL` seconds, say QUIT and close every connection."""
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
            self._refuse_queue(_STOPPED)

    def _unavailable(self, what: str) -> Unavailable:
        return Unavailable(what, where=self._where)
