"""Waiting logins and counters in one SQLite file: embedded, for the processes of one machine."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from aad.core.settings import option
from aad.ports import Kept, RowRule, Taken, Tally, Unavailable, Wiring
from aad.stores.sqlite import statements as say
from aad.stores.sqlite.expiring_values import ExpiringValues, written
from aad.stores.sqlite.file import Connection, begin_log_anew, checkpoint, counted, opened, remember, rest, told
from aad.stores.sqlite.group_commit import GroupCommit
from aad.storing import GRACE, LARGEST, ROW

EVERY = 1.0  # seconds from one tidying to the next
BATCH = 300  # expired rows removed at a time: about 3 ms
CHANGES = 1000  # changed rows from one checkpoint to the next: about 15 MB of log
REMEMBERED = 60.0  # seconds from one noting of the time to the next; so much of it a power failure may take back
T = TypeVar("T")
MOST_COUNTERS = 1_000_000  # then new names are refused, and known ones go on


@dataclass(frozen=True, kw_only=True)
class SqliteSettings:
    """[store] with type = "sqlite"."""

    path: Path = option(
        Path("/var/lib/aad/state.db"),
        "The file; its folder must exist, on a local disk, and belong to the user that aad runs as.",
        written=True,
    )


class Sqlite(ExpiringValues):
    """One connection on the event loop's thread: each call is one or two statements of a few tens of microseconds.

    What is written in one turn of the event loop is one transaction (`commits`), and none waits for the disk
    (synchronous=NORMAL). What does, the checkpoint, is done by other connections in a thread; the loop goes on.
    `kill -9` loses nothing; a power failure ends the waiting logins anyway.
    """

    Settings: ClassVar[type] = SqliteSettings
    shared: ClassVar[bool] = False

    def __init__(self, settings: SqliteSettings, wiring: Wiring) -> None:  # noqa: ARG002 - what every plugin gets
        """Keep what it gets."""
        self._path = settings.path
        self._connection: Connection
        self._waiting = self._counters = self._checkpointed = self._rest = 0
        self._ahead = self._remembered = 0.0
        self._leaving = asyncio.Event()
        self._commits: GroupCommit
        self._tidying: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        """Open the file, making it if there is none. Unavailable: why it can't be."""
        with told(self._path):
            self._connection, self._ahead = opened(self._path, _since_boot())
            self._waiting, self._counters = self._connection.execute(say.COUNTS, (self.now(),)).fetchone()
        self._commits = GroupCommit(self._connection, self._path)
        self._leaving.clear()
        self._tidying = asyncio.create_task(self._tidy_up(), name="store: tidy up")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it. The last one who does brings the log into the file, which is done by then in a thread."""
        self._leaving.set()
        try:
            await self._tidying
            with contextlib.suppress(Unavailable):
                remember(self._connection, self._path, self.now())
            if self._connection.total_changes != self._checkpointed:
                with contextlib.suppress(Unavailable):
                    await asyncio.to_thread(checkpoint, self._path)
        finally:
            self._connection.close()

    def now(self) -> float:
        """Return the seconds that this machine has been up, those it slept included, as far as the file knows.

        CLOCK_BOOTTIME goes on when the daemon is restarted, no step of the wall clock touches it, and it doesn't
        stop while a laptop or a virtual machine sleeps, as CLOCK_MONOTONIC does. After another boot the time goes on
        from what was remembered: nobody knows how long the machine was off, so that isn't in it.
        """
        return _since_boot() + self._ahead

    async def put_login(self, kept: Kept, most: int) -> bool:
        """Keep a waiting login, of `most` of its holder."""

        def keeping(file: Connection) -> list[bytes]:
            file.execute(say.KEEP, (kept.ticket, kept.holder, kept.proven, kept.row, kept.login, kept.expires))
            surplus: list[tuple[bytes]] = file.execute(say.SURPLUS, (kept.holder, self.now(), most)).fetchall()
            return [ticket for (ticket,) in surplus]

        gone = await self._commits.do(keeping)
        self._waiting += 1 - len(gone)
        return kept.ticket not in gone

    async def take_login(self, ticket: bytes, count: RowRule | None = None) -> Taken | None:
        """Return the login and forget it. An expired one is given out for 60 s more: its method says it's too late."""
        earliest = self.now() - GRACE
        if count is None:
            rows = await self._written(say.TAKE, ticket, earliest)
            taken = Taken(rows[0][0]) if rows else None
        else:
            rule = count
            taken = await self._commits.do(lambda file: self._taken(file, ticket, earliest, rule))
        if taken and not taken.refused:
            self._waiting = max(self._waiting - 1, 0)
        return taken

    def _taken(self, file: Connection, ticket: bytes, earliest: float, count: RowRule) -> Taken | None:
        """Take a login and count in its row, if it has one."""
        found = file.execute(say.WITH_ROW, (ticket, earliest, self.now())).fetchone()
        if found is None:
            return None
        login, row, value = found
        if row:
            if (change := count(row, value)) is None:
                return Taken(login, refused=True)
            written(file, ROW, row, change)
        file.execute(say.TAKE, (ticket, earliest)).fetchall()
        return Taken(login)

    async def logins_of(self, holder: str) -> list[tuple[bytes, bytes]]:
        """Return tickets and logins that are kept for `holder`, unless expired."""
        return [(ticket, login) for ticket, login in await self._read(say.AGAIN, holder, self.now())]

    async def count_logins(self) -> int:
        """Count the waiting logins. What other processes did in the last seconds isn't in it."""
        return self._waiting

    async def increment(self, tally: Tally, limit: int, *, extend: bool) -> int:
        """Count one more, unless at the `limit`. Unavailable, too: a million counters count already, and no new one."""
        if limit < 1:
            return 0
        await self._make_room(tally)
        values = {"kind": tally.kind, "name": tally.name, "scope": tally.scope, "until": tally.until}
        values |= {"now": self.now(), "extend": extend, "limit": limit}
        rows = await self._commits.do(lambda file: file.execute(say.SPEND, values).fetchall())
        count: int = rows[0][0] if rows else 0
        self._counters += count == 1
        return count

    async def _make_room(self, tally: Tally) -> None:
        """Refuse a new counter if there are too many: whoever floods us with names must not fill the disk."""
        if self._counters >= MOST_COUNTERS and not await self._read(say.KNOWN, tally.kind, tally.name, tally.scope):
            message = f"{self._path}: {self._counters} users failed or got mail of late, so new ones are refused"
            raise Unavailable(message, where="store")

    async def decrement(self, kind: str, scope: str, name: str) -> None:
        """Take one back; a counter of none is removed."""
        which = (kind, name, scope, self.now())

        def refunded(file: Connection) -> bool:
            removed = bool(file.execute(say.REMOVE, which).fetchall())
            if not removed:
                file.execute(say.REFUND, which)
            return removed

        self._counters -= await self._commits.do(refunded)

    async def delete_counter(self, kind: str, scope: str, name: str) -> bool:
        """Remove a counter, or with an empty `scope` those of every scope; say whether any still counted."""
        if not await self._read(say.ANY, kind, name, scope, scope):
            return False  # as nearly always, when whoever logs in has not failed before
        rows, now = await self._written(say.FORGET, kind, name, scope, scope), self.now()
        self._counters -= len(rows)
        return any(until > now and count for until, count in rows)

    async def counters(self, kind: str) -> list[Tally]:
        """Return the counters of a kind that still count."""
        rows = await self._read(say.TALLIES, kind, self.now())
        return [
            Tally(kind=kind, scope=scope, name=name, count=count, until=until) for scope, name, count, until in rows
        ]

    async def get(self, kind: str, name: str) -> bytes | None:
        """Return what is held."""
        rows = await self._read(say.FIND, kind, name)
        return rows[0][0] if rows else None

    async def compare_and_set(self, kind: str, name: str, old: bytes | None, new: bytes | None) -> bool:
        """Hold `new` instead of `old`, in one statement. A power failure may take back the last seconds' swaps."""
        if new is not None and len(new) > LARGEST:
            message = f"{len(new)} octets are too many to be held, {LARGEST} at most"
            raise ValueError(message)
        if old is None:
            return (
                await self.get(kind, name) is None
                if new is None
                else bool(await self._written(say.HOLD, new, kind, name))
            )
        if new is None:
            return bool(await self._written(say.DROP, kind, name, old))
        return bool(await self._written(say.RENEW, new, kind, name, old))

    async def names(self, kind: str) -> list[str]:
        """Return the names, in order."""
        return [name for (name,) in await self._read(say.NAMES, kind)]

    async def probe(self) -> str:
        """Write, so that a full disk shows, and count."""
        await self._written("INSERT OR REPLACE INTO meta VALUES ('probed', ?)", str(self.now()))
        ((waiting, counters),) = await self._read(say.COUNTS, self.now())
        return f"{self._path}: {waiting} logins wait, {counters} counters"

    async def _tidy_up(self) -> None:
        """Until the store is left: sweep, count, and bring the log into the file, every second."""
        while not self._leaving.is_set():
            try:
                await asyncio.wait_for(self._leaving.wait(), EVERY)
            except TimeoutError:
                # Out of order: whoever uses the store is told so; here we just try again.
                with contextlib.suppress(Unavailable):
                    await self._tidied()

    async def _tidied(self) -> None:
        """Tidy up once. Other tasks run between the batches; whatever may take longer is done in a thread."""
        while self._swept() >= BATCH:  # noqa: ASYNC110 - nothing is waited for, it is just the others' turn
            await asyncio.sleep(0)
        if self._rest:
            self._rest -= 1
        else:
            await self._count()
        if self._connection.total_changes - self._checkpointed >= CHANGES:
            await self._checkpoint()
        if self.now() >= self._remembered + REMEMBERED:
            self._remembered = self.now()
            remember(self._connection, self._path, self._remembered)

    async def _count(self) -> None:
        """Hold against the file what was counted here: other processes write, too."""
        before = self._waiting, self._counters
        waiting, counters, took = await asyncio.to_thread(counted, self._path, self.now())
        # What was done here meanwhile may be counted twice or not: about is enough, and the next time it is right.
        self._waiting, self._counters = waiting + self._waiting - before[0], counters + self._counters - before[1]
        self._rest = rest(took, EVERY)

    async def _checkpoint(self) -> None:
        """Bring the log into the file and begin it anew: most of it while others write, the rest while they await us.

        Somebody who always writes would never let the log come to its end, and it would grow without bound.
        """
        await asyncio.to_thread(checkpoint, self._path)
        self._commits.hold()
        try:
            await asyncio.to_thread(begin_log_anew, self._path, self.now())
        finally:
            self._commits.release()
        self._checkpointed = self._connection.total_changes

    def _swept(self) -> int:
        """Remove a batch of what has expired; return how many rows that was."""
        now = self.now()
        with told(self._path):
            logins = self._connection.execute(say.SWEEP_WAITING, (now - GRACE, BATCH)).rowcount
            logins += self._connection.execute(say.SWEEP_PASSING, (now, BATCH)).rowcount
            return logins + self._connection.execute(say.SWEEP_COUNTERS, (now, BATCH)).rowcount

    async def _commit(self, write: Callable[[Connection], T]) -> T:
        return await self._commits.do(write)

    async def _written(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run one statement that writes; return its rows once it is committed."""
        return await self._commits.do(lambda file: file.execute(statement, values).fetchall())

    async def _read(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run one statement that only reads, at once."""
        await self._commits.freed()
        with told(self._path):
            return self._connection.execute(statement, values).fetchall()


def _since_boot() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)
