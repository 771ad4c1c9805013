"""The store in one SQLite file, for the processes of one machine."""

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
from aad.stores.sqlite import statements
from aad.stores.sqlite.expiring_values import ExpiringValues, written
from aad.stores.sqlite.file import (
    Connection,
    checkpoint,
    counted,
    opened,
    remember,
    rest,
    restart_log,
    unavailable_on_error,
)
from aad.stores.sqlite.group_commit import GroupCommit
from aad.storing import GRACE, LARGEST, ROW

EVERY = 1.0  # seconds from one removal of expired rows to the next
BATCH = 300  # expired rows removed at a time: about 3 ms
CHANGES = 1000  # changed rows from one checkpoint to the next: about 15 MB of log
REMEMBERED = 60.0  # seconds between two writes of the time; a power failure may take so much of it back
T = TypeVar("T")
MOST_COUNTERS = 1_000_000  # beyond, new names are refused, and known ones go on


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

    What is written in one turn of the event loop is one transaction (`GroupCommit`), and none waits for the disk
    (synchronous=NORMAL). The checkpoint does, and is done by other connections in a thread; the loop goes on.
    `kill -9` loses nothing; a power failure ends the waiting logins anyway.
    """

    Settings: ClassVar[type] = SqliteSettings
    shared: ClassVar[bool] = False

    def __init__(self, settings: SqliteSettings, wiring: Wiring) -> None:  # noqa: ARG002 - what every plugin gets
        """Open nothing yet."""
        self._path = settings.path
        self._connection: Connection
        self._waiting = self._counters = self._checkpointed = self._rest = 0
        self._ahead = self._remembered = 0.0
        self._leaving = asyncio.Event()
        self._commits: GroupCommit
        self._tidying: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        """Open the file, made if there is none. Unavailable: it can't be opened, or is no store of this version."""
        with unavailable_on_error(self._path):
            self._connection, self._ahead = opened(self._path, _since_boot())
            self._waiting, self._counters = self._connection.execute(statements.COUNTS, (self.now(),)).fetchone()
        self._commits = GroupCommit(self._connection, self._path)
        self._leaving.clear()
        self._tidying = asyncio.create_task(self._tidy_up(), name="store: tidy up")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the file, after a checkpoint in a thread: SQLite's last connection would do it on this one."""
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
        from what was remembered: how long the machine was off is unknown, so that isn't in it.
        """
        return _since_boot() + self._ahead

    async def put_login(self, kept: Kept, most: int) -> bool:
        """Keep a waiting login, at most `most` of one holder; see `Store.put_login`."""

        def keeping(file: Connection) -> list[bytes]:
            file.execute(
                statements.PUT_LOGIN, (kept.ticket, kept.holder, kept.proven, kept.row, kept.login, kept.expires)
            )
            surplus: list[tuple[bytes]] = file.execute(
                statements.DELETE_SURPLUS_LOGINS, (kept.holder, self.now(), most)
            ).fetchall()
            return [ticket for (ticket,) in surplus]

        gone = await self._commits.do(keeping)
        self._waiting += 1 - len(gone)
        return kept.ticket not in gone

    async def take_login(self, ticket: bytes, count: RowRule | None = None) -> Taken | None:
        """Return the login and forget it; see `Store.take_login`."""
        earliest = self.now() - GRACE
        if count is None:
            rows = await self._written(statements.TAKE_LOGIN, ticket, earliest)
            taken = Taken(rows[0][0]) if rows else None
        else:
            rule = count
            taken = await self._commits.do(lambda file: self._taken(file, ticket, earliest, rule))
        if taken and not taken.refused:
            self._waiting = max(self._waiting - 1, 0)
        return taken

    def _taken(self, file: Connection, ticket: bytes, earliest: float, count: RowRule) -> Taken | None:
        """Take a login, and write what `count` says to its row, if it has one."""
        found = file.execute(statements.GET_LOGIN_WITH_ROW, (ticket, earliest, self.now())).fetchone()
        if found is None:
            return None
        login, row, value = found
        if row:
            if (change := count(row, value)) is None:
                return Taken(login, refused=True)
            written(file, ROW, row, change)
        file.execute(statements.TAKE_LOGIN, (ticket, earliest)).fetchall()
        return Taken(login)

    async def logins_of(self, holder: str) -> list[tuple[bytes, bytes]]:
        """Return tickets and logins that are kept for `holder`, unless expired."""
        return [(ticket, login) for ticket, login in await self._read(statements.LOGINS_OF, holder, self.now())]

    async def count_logins(self) -> int:
        """Return the number of waiting logins; those of other processes in the last seconds may be missing."""
        return self._waiting

    async def increment(self, tally: Tally, limit: int, *, extend: bool) -> int:
        """Count one more, unless at the `limit`; return the new count, or 0. Unavailable: too many counters."""
        if limit < 1:
            return 0
        await self._make_room(tally)
        values = {"kind": tally.kind, "name": tally.name, "scope": tally.scope, "until": tally.until}
        values |= {"now": self.now(), "extend": extend, "limit": limit}
        rows = await self._commits.do(lambda file: file.execute(statements.INCREMENT, values).fetchall())
        count: int = rows[0][0] if rows else 0
        self._counters += count == 1
        return count

    async def _make_room(self, tally: Tally) -> None:
        """Refuse a new counter if there are too many: a flood of names must not fill the disk. Unavailable."""
        if self._counters >= MOST_COUNTERS and not await self._read(
            statements.IS_COUNTER, tally.kind, tally.name, tally.scope
        ):
            message = f"{self._path}: {self._counters} users failed or got mail of late, so new ones are refused"
            raise Unavailable(message, where="store")

    async def decrement(self, kind: str, scope: str, name: str) -> None:
        """Count one less; a counter of none is removed."""
        which = (kind, name, scope, self.now())

        def refunded(file: Connection) -> bool:
            removed = bool(file.execute(statements.DELETE_LAST_COUNT, which).fetchall())
            if not removed:
                file.execute(statements.DECREMENT, which)
            return removed

        self._counters -= await self._commits.do(refunded)

    async def delete_counter(self, kind: str, scope: str, name: str) -> bool:
        """Remove a counter, or with an empty `scope` those of every scope; return whether any still counted."""
        if not await self._read(statements.ANY_COUNTER, kind, name, scope, scope):
            return False  # as nearly always: the user has not failed before
        rows, now = await self._written(statements.DELETE_COUNTER, kind, name, scope, scope), self.now()
        self._counters -= len(rows)
        return any(until > now and count for until, count in rows)

    async def counters(self, kind: str) -> list[Tally]:
        """Return the counters of a kind that still count."""
        rows = await self._read(statements.COUNTERS, kind, self.now())
        return [
            Tally(kind=kind, scope=scope, name=name, count=count, until=until) for scope, name, count, until in rows
        ]

    async def get(self, kind: str, name: str) -> bytes | None:
        """Return a value that is held for good."""
        rows = await self._read(statements.GET_VALUE, kind, name)
        return rows[0][0] if rows else None

    async def compare_and_set(self, kind: str, name: str, old: bytes | None, new: bytes | None) -> bool:
        """Hold `new` where `old` is held; return whether it was. ValueError: `new` is over `LARGEST`.

        A power failure may take back the changes of the last seconds.
        """
        if new is not None and len(new) > LARGEST:
            message = f"{len(new)} octets are too many to be held, {LARGEST} at most"
            raise ValueError(message)
        if old is None:
            return (
                await self.get(kind, name) is None
                if new is None
                else bool(await self._written(statements.INSERT_VALUE, new, kind, name))
            )
        if new is None:
            return bool(await self._written(statements.DELETE_VALUE, kind, name, old))
        return bool(await self._written(statements.REPLACE_VALUE, new, kind, name, old))

    async def names(self, kind: str) -> list[str]:
        """Return the names of a kind, in order."""
        return [name for (name,) in await self._read(statements.NAMES, kind)]

    async def probe(self) -> str:
        """Write, so that a full disk is seen; return the file and its counts."""
        await self._written("INSERT OR REPLACE INTO meta VALUES ('probed', ?)", str(self.now()))
        ((waiting, counters),) = await self._read(statements.COUNTS, self.now())
        return f"{self._path}: {waiting} logins wait, {counters} counters"

    async def _tidy_up(self) -> None:
        """Every second until the store is closed: remove what has expired, count, and write the log into the file."""
        while not self._leaving.is_set():
            try:
                await asyncio.wait_for(self._leaving.wait(), EVERY)
            except TimeoutError:
                # Unavailable is raised where the store is used; here it is tried again.
                with contextlib.suppress(Unavailable):
                    await self._tidy_once()

    async def _tidy_once(self) -> None:
        """Tidy up once. Other tasks run between the batches; what may take longer is done in a thread."""
        while self._sweep_batch() >= BATCH:  # noqa: ASYNC110 - nothing is awaited: other tasks get their turn
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
        """Correct the counts by the file's: other processes write, too."""
        before = self._waiting, self._counters
        waiting, counters, took = await asyncio.to_thread(counted, self._path, self.now())
        # Changes made here meanwhile may be counted twice or not at all: the next time it is right.
        self._waiting, self._counters = waiting + self._waiting - before[0], counters + self._counters - before[1]
        self._rest = rest(took, EVERY)

    async def _checkpoint(self) -> None:
        """Write the log into the file and restart it: most of it while others write, the rest while they wait.

        With a writer at every moment the log would never come to its end, and grow without bound.
        """
        await asyncio.to_thread(checkpoint, self._path)
        self._commits.hold()
        try:
            await asyncio.to_thread(restart_log, self._path, self.now())
        finally:
            self._commits.release()
        self._checkpointed = self._connection.total_changes

    def _sweep_batch(self) -> int:
        """Remove a batch of expired rows; return how many."""
        now = self.now()
        with unavailable_on_error(self._path):
            logins = self._connection.execute(statements.SWEEP_WAITING, (now - GRACE, BATCH)).rowcount
            logins += self._connection.execute(statements.SWEEP_EXPIRING, (now, BATCH)).rowcount
            return logins + self._connection.execute(statements.SWEEP_COUNTERS, (now, BATCH)).rowcount

    async def _commit(self, write: Callable[[Connection], T]) -> T:
        return await self._commits.do(write)

    async def _written(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run one statement that writes; return its rows once it is committed."""
        return await self._commits.do(lambda file: file.execute(statement, values).fetchall())

    async def _read(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run one statement that only reads, at once."""
        await self._commits.freed()
        with unavailable_on_error(self._path):
            return self._connection.execute(statement, values).fetchall()


def _since_boot() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)
