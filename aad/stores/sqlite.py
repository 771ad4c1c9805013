"""Waiting logins and counters in one SQLite file: they survive `kill -9`, and each login is answered once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from aad.core.settings import option
from aad.ports import Tally, Unavailable, Wiring

SCHEMA_VERSION = 1
SCHEMA = """
CREATE TABLE waiting (ticket BLOB PRIMARY KEY, owner TEXT, login BLOB, expires REAL) WITHOUT ROWID;
CREATE INDEX by_owner ON waiting (owner, expires);
CREATE INDEX by_end ON waiting (expires);
CREATE TABLE tally (kind TEXT, scope TEXT, name TEXT, count INTEGER, until REAL, made REAL,
                    PRIMARY KEY (kind, scope, name)) WITHOUT ROWID;
CREATE TABLE boot (id TEXT);
"""
GRACE = 60.0  # seconds after its end in which a login is still told apart from an unknown one
HOUSEKEEPING = 5.0  # seconds
SWEPT, SWEEPS = 500, 1000  # rows at a time, times in a row
BUSY = 200  # milliseconds that another process may hold the file
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, kw_only=True)
class SqliteSettings:
    """[store] with type = "sqlite"."""

    path: Path = option(Path("/var/lib/aad/state.db"), "The file; its folder must be there.")


class Sqlite:
    """One connection on the event loop's thread: a statement takes some 25 microseconds and is one transaction.

    synchronous=NORMAL writes to the file without waiting for the disk, which is enough to survive `kill -9`; what does
    wait for the disk, the checkpoint, runs on a second connection in a thread.
    """

    Settings: ClassVar[type] = SqliteSettings

    def __init__(self, settings: SqliteSettings, wiring: Wiring) -> None:
        """Keep the path; nothing is opened yet."""
        del wiring
        self._path = settings.path
        self._db: sqlite3.Connection
        self._counted = (0, -1.0)

    async def __aenter__(self) -> Self:
        """Open the file, making it if it isn't there. Unavailable: it can't be used, and why."""
        with _told(self._path):
            self._db = _opened(self._path)
            _prepared(self._db, self._path, self.now())
        self._housekeeping = asyncio.get_running_loop().create_task(self._keep_house())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Close."""
        self._housekeeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._housekeeping
        self._db.close()

    def now(self) -> float:
        """Return the seconds since the machine started: no step of the wall clock touches them, nor does a restart."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    async def keep(self, ticket: bytes, owner: str, login: bytes, expires: float) -> None:
        """Keep a waiting login."""
        self._do("INSERT OR REPLACE INTO waiting VALUES (?, ?, ?, ?)", ticket, owner, login, expires)

    async def take(self, ticket: bytes) -> bytes | None:
        """Return the login and forget it; for a minute after its end still, so that it can be told what it was."""
        row = self._do("DELETE FROM waiting WHERE ticket = ? RETURNING login, expires", ticket)
        return row[0] if row and row[1] + GRACE > self.now() else None

    async def again(self, owner: str) -> tuple[bytes, bytes] | None:
        """Return ticket and login that `owner` kept last and that still wait."""
        question = "SELECT ticket, login FROM waiting WHERE owner = ? AND expires > ? ORDER BY expires DESC LIMIT 1"
        row = self._do(question, owner, self.now())
        return (row[0], row[1]) if row else None

    async def waiting(self) -> int:
        """Count the waiting logins; what was counted within the last second is good enough."""
        count, when = self._counted
        now = self.now()
        if not when <= now < when + 1.0:
            count = self._do("SELECT count(*) FROM waiting WHERE expires > ?", now)[0]
            self._counted = (count, now)
        return count

    async def spend(self, tally: Tally, limit: int, *, extend: bool) -> int:
        """Count one more, up to `limit`."""
        now = self.now()
        row = self._do(
            """INSERT INTO tally VALUES (:kind, :scope, :name, 1, :until, :now)
            ON CONFLICT DO UPDATE SET
                count = CASE WHEN until > :now THEN count ELSE 0 END + 1,
                until = CASE WHEN until > :now AND NOT :extend THEN until ELSE :until END,
                made = CASE WHEN until > :now AND NOT :extend THEN made ELSE :now END
            WHERE until <= :now OR count < :limit
            RETURNING count""",
            kind=tally.kind,
            scope=tally.scope,
            name=tally.name,
            until=tally.until,
            now=now,
            extend=extend,
            limit=limit,
        )
        return row[0] if row else 0

    async def refund(self, kind: str, scope: str, name: str) -> None:
        """Take one back; a counter of nothing is gone."""
        which = "kind = ? AND scope = ? AND name = ?"
        if not self._do(f"DELETE FROM tally WHERE {which} AND count <= 1 RETURNING 1", kind, scope, name):  # noqa: S608
            self._do(f"UPDATE tally SET count = count - 1 WHERE {which}", kind, scope, name)  # noqa: S608

    async def forget(self, kind: str, scope: str, name: str) -> bool:
        """Remove a counter."""
        which = "kind = ? AND (? = '' OR scope = ?) AND name = ?"
        return bool(self._all(f"DELETE FROM tally WHERE {which} RETURNING 1", kind, scope, scope, name))  # noqa: S608

    async def tallies(self, kind: str) -> list[Tally]:
        """Return the counters that still count."""
        question = "SELECT kind, scope, name, count, until FROM tally WHERE kind = ? AND until > ? ORDER BY name, scope"
        return [
            Tally(kind=kind, scope=scope, name=name, count=count, until=until)
            for kind, scope, name, count, until in self._all(question, kind, self.now())
        ]

    async def probe(self) -> str:
        """Write and take back."""
        await self.keep(b"probe", "", b"", 0.0)
        await self.take(b"probe")
        return f"{self._path}: written and read"

    def _do(self, statement: str, *values: object, **named: object) -> Any:
        """Run one statement and return its first row."""
        with _told(self._path):
            return self._db.execute(statement, named or values).fetchone()

    def _all(self, statement: str, *values: object) -> list[Any]:
        with _told(self._path):
            return self._db.execute(statement, values).fetchall()

    async def _keep_house(self) -> None:
        """Sweep out what has ended, and let a thread wait for the disk."""
        while True:
            await asyncio.sleep(HOUSEKEEPING)
            # A store out of order is told by whoever needs it.
            with contextlib.suppress(Unavailable):
                for _ in range(SWEEPS):
                    if not self._swept():
                        break
                    await asyncio.sleep(0)
                await asyncio.to_thread(_checkpoint, self._path)

    def _swept(self) -> bool:
        """Remove some rows that have ended; say whether there may be more."""
        ended = self.now()
        logins = "SELECT ticket FROM waiting WHERE expires <= ? LIMIT ?"
        rows = self._all(f"DELETE FROM waiting WHERE ticket IN ({logins}) RETURNING 1", ended - GRACE, SWEPT)  # noqa: S608
        some = "SELECT kind, scope, name FROM tally WHERE until <= ? LIMIT ?"
        rows += self._all(f"DELETE FROM tally WHERE (kind, scope, name) IN ({some}) RETURNING 1", ended, SWEPT)  # noqa: S608
        return len(rows) >= SWEPT


def _opened(path: Path) -> sqlite3.Connection:
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))
    db = sqlite3.connect(path, isolation_level=None, timeout=BUSY / 1000)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("PRAGMA wal_autocheckpoint = 0")
    return db


def _prepared(db: sqlite3.Connection, path: Path, now: float) -> None:
    """Make the tables, or see that they are ours; after a boot of the machine, carry over what outlives it."""
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version not in (0, SCHEMA_VERSION):
        message = f"{path} was written by another version of aad: move it away, and a new one is made"
        raise Unavailable(message, where="store")
    boot = BOOT_ID.read_text().strip()
    db.execute("BEGIN IMMEDIATE")
    with db:
        if not db.execute("PRAGMA user_version").fetchone()[0]:
            for statement in SCHEMA.split(";"):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        if db.execute("SELECT id FROM boot").fetchone() != (boot,):
            # The clock began anew. Codes end; a count lasts as long again, rather than too short.
            db.execute("DELETE FROM waiting")
            db.execute("UPDATE tally SET until = ? + (until - made), made = ?", (now, now))
            db.execute("DELETE FROM boot")
            db.execute("INSERT INTO boot VALUES (?)", (boot,))


def _checkpoint(path: Path) -> None:
    with _told(path), contextlib.closing(sqlite3.connect(path, timeout=BUSY / 1000)) as db:
        db.execute("PRAGMA wal_checkpoint(PASSIVE)")


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn SQLite's and the system's errors into words an administrator understands."""
    try:
        yield
    except sqlite3.Error as error:
        message = f"{path}: {error}"
        raise Unavailable(message, where="store") from None
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise Unavailable(message, where="store") from None
