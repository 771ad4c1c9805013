"""The SQLite file of a store: made, opened, migrated to this version, fitted to this boot; its errors in words."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from pathlib import Path
from sqlite3 import Connection

from aad.filesystem import folders
from aad.ports import Unavailable
from aad.stores.sqlite.statements import COUNTS

__all__ = [
    "Connection",
    "checkpoint",
    "connected",
    "counted",
    "opened",
    "remember",
    "rest",
    "restart_log",
    "unavailable_on_error",
]

SCHEMA = 5
_FIRST = 2  # a file of this version, or a later one, is brought up to date
PATIENCE = 0.2  # seconds to wait for another process that writes (aad unlock); the event loop stands still meanwhile
OPENING = 10.0  # the same at the start: other processes may be making the file, or migrating it
LONGEST_LOG = 64 * 1024 * 1024  # octets; a longer log is truncated at the next checkpoint
CACHE = 512  # KiB of pages kept in memory; the rest is in the system's cache anyway
SHARE = 0.01  # of a core that counting may take: with a million counters it is done less often
LONGEST_REST = 10  # ticks, at most, in which it is left out
PAGE = 2048  # octets: each change writes whole pages to the log, and a login fits into one
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE waiting (
    ticket BLOB NOT NULL UNIQUE, owner TEXT NOT NULL, login BLOB NOT NULL, expires REAL NOT NULL
);
CREATE INDEX waiting_owner ON waiting (owner);
CREATE INDEX waiting_expires ON waiting (expires);
CREATE TABLE counter (
    kind TEXT NOT NULL, name TEXT NOT NULL, scope TEXT NOT NULL,
    count INTEGER NOT NULL, until REAL NOT NULL, length REAL NOT NULL,
    PRIMARY KEY (kind, name, scope)
) WITHOUT ROWID;
CREATE INDEX counter_until ON counter (until)
"""
_SINCE = {
    3: """
CREATE TABLE held (
    kind TEXT NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (kind, name)
) WITHOUT ROWID
""",
    4: """
CREATE TABLE passing (
    kind TEXT NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL, until REAL NOT NULL, length REAL NOT NULL,
    PRIMARY KEY (kind, name)
) WITHOUT ROWID;
CREATE INDEX passing_until ON passing (until)
""",
    # Waiting logins end: their columns are others now. From here on, time goes on over a boot.
    5: """
DROP TABLE waiting;
CREATE TABLE waiting (
    ticket BLOB NOT NULL UNIQUE, holder TEXT NOT NULL, proven INTEGER NOT NULL, row TEXT NOT NULL, login BLOB NOT NULL,
    expires REAL NOT NULL
);
CREATE INDEX waiting_holder ON waiting (holder);
CREATE INDEX waiting_expires ON waiting (expires);
DELETE FROM counter WHERE kind = 'lockout';
INSERT OR REPLACE INTO meta SELECT 'time', max(
    0.0, coalesce((SELECT max(until - length) FROM counter), 0.0),
    coalesce((SELECT max(until - length) FROM passing), 0.0)
);
ALTER TABLE counter DROP COLUMN length;
ALTER TABLE passing DROP COLUMN length
""",
}
_REMEMBER = """
INSERT INTO meta VALUES ('time', ?1)
ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE CAST(value AS REAL) < CAST(excluded.value AS REAL)
"""
_AFRESH = "move it away, and a new one is made (waiting logins, lockouts, mail limits and enrolments end)"
_WORDS = {
    sqlite3.SQLITE_BUSY: "another process has been writing for too long",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "may not be written by the user that aad runs as",
    sqlite3.SQLITE_PERM: "may not be opened by the user that aad runs as",
    sqlite3.SQLITE_CANTOPEN: "can't be opened: does its folder belong to the user that aad runs as?",
    sqlite3.SQLITE_CORRUPT: f"is damaged; {_AFRESH}",
    sqlite3.SQLITE_NOTADB: f"is no file of aad's; {_AFRESH}",
}


class unavailable_on_error:  # noqa: N801 - a context manager; as a class it costs a third of a generator
    """Turn SQLite's errors into Unavailable, in an administrator's words. ProgrammingError is our fault, and passes."""

    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        """`path`: of the file, for the message."""
        self._path = path

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Raise Unavailable in place of an sqlite3.Error."""
        if not isinstance(error, sqlite3.Error) or isinstance(error, sqlite3.ProgrammingError):
            return
        primary = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the rest is the extended code
        words = _WORDS.get(primary, f"{error} ({getattr(error, 'sqlite_errorname', 'no code')})")
        raise _unavailable(self._path, words) from error


def opened(path: Path, since_boot: float) -> tuple[Connection, float]:
    """Open the file, made if there is none, migrated to this version and fitted to this boot. Unavailable.

    Return the connection, and the seconds that the store's time is ahead of `since_boot`.
    """
    with unavailable_on_error(path):
        _make(path)
        connection = connected(path)
        try:
            connection.execute(f"PRAGMA busy_timeout = {OPENING * 1000:.0f}")
            ahead = _fit(connection, path, since_boot)
            connection.execute(f"PRAGMA busy_timeout = {PATIENCE * 1000:.0f}")
        except BaseException:
            connection.close()
            raise
        return connection, ahead


def remember(connection: Connection, path: Path, now: float) -> None:
    """Write down the time from which the store's goes on after another boot; it never goes back."""
    with unavailable_on_error(path):
        connection.execute(_REMEMBER, (now,))


def connected(path: Path) -> Connection:
    """Return one more connection to the file, in autocommit mode; no commit waits for the disk."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=PATIENCE, isolation_level=None
    )
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute(f"PRAGMA cache_size = -{CACHE}")
    return connection


def counted(path: Path, now: float) -> tuple[int, int, float]:
    """Return the number of waiting logins, of counters, and the seconds of CPU that counting took."""
    began = time.thread_time()
    with unavailable_on_error(path), contextlib.closing(connected(path)) as connection:
        waiting, counters = connection.execute(COUNTS, (now,)).fetchone()
    return waiting, counters, time.thread_time() - began


def rest(took: float, every: float) -> int:
    """Return in how many ticks counting is left out after it took `took` seconds of CPU. `every`: seconds of a tick."""
    return min(int(took / (SHARE * every)), LONGEST_REST)


def checkpoint(path: Path) -> None:
    """Write what the log (WAL) holds into the file, and sync both; other connections go on writing."""
    with unavailable_on_error(path), contextlib.closing(connected(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def restart_log(path: Path, now: float) -> None:
    """Write the rest of the log into the file, and begin the log at its start, which syncs once more.

    Without this the first write on the event loop's thread would wait for that sync.
    """
    with unavailable_on_error(path), contextlib.closing(connected(path)) as connection:
        connection.execute(f"PRAGMA journal_size_limit = {LONGEST_LOG}").fetchall()
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('log begun', ?)", (str(now),))


def _make(path: Path) -> None:
    """Make an empty file, 0600; SQLite gives the files beside it the same mode and owner. Unavailable."""
    # Never open and close a file that exists: that ends the locks of every connection of this process (fcntl(2)).
    try:
        with folders.opened(path.parent) as folder:
            os.close(folder.make(path.name, os.O_WRONLY, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        right = "make its folder, owned by the user that aad runs as, mode 0700"
        raise _unavailable(path, f"can't be made: {error.strerror}; {right}") from error


def _fit(connection: Connection, path: Path, since_boot: float) -> float:
    """Make or migrate the tables; after another boot, end the waiting logins, and go on with the time. Unavailable.

    The machine's clock began at zero, and how long it was off is unknown: for a lockout, no time has passed.
    """
    connection.execute(f"PRAGMA page_size = {PAGE}")  # of a new file; an old one keeps its page size
    if _logging_mode(connection) != "wal":
        raise _unavailable(path, "SQLite can keep no log beside it: is it on a network file system?")
    boot = _boot(path)
    if _version(connection) == SCHEMA and _boot_of(connection) == boot:
        return _number(connection, "ahead")
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        _migrate(connection, path)
        if _boot_of(connection) != boot:
            connection.execute("DELETE FROM waiting")
            ahead = max(0.0, _number(connection, "time") - since_boot)
            for key, value in (("boot", boot), ("ahead", str(ahead))):
                connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))
    return _number(connection, "ahead")


def _logging_mode(connection: Connection) -> str:
    """Switch to write-ahead logging, and return the mode. SQLite doesn't wait for other writers here, so we do."""
    until = time.monotonic() + OPENING
    while True:
        try:
            mode: str = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return mode


def _migrate(connection: Connection, path: Path) -> None:
    """Make the tables as this version has them. Unavailable: the file is of a later version, or not of aad."""
    if not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
        for statement in (*_TABLES.split(";"), f"PRAGMA user_version = {_FIRST}"):
            connection.execute(statement)
    for version, made in _SINCE.items():
        if _version(connection) == version - 1:
            for statement in (*made.split(";"), f"PRAGMA user_version = {version}"):
                connection.execute(statement)
    if (version := _version(connection)) != SCHEMA:
        words = f"was written by another version of aad (schema {version}, this one reads {SCHEMA}): run that, or"
        raise _unavailable(path, f"{words} {_AFRESH}")


def _number(connection: Connection, key: str) -> float:
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return float(row[0]) if row else 0.0


def _version(connection: Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def _boot_of(connection: Connection) -> str:
    row = connection.execute("SELECT value FROM meta WHERE key = 'boot'").fetchone()
    return row[0] if row else ""


def _boot(path: Path) -> str:
    """Return the boot's id: the clock is comparable within one boot only. Unavailable."""
    try:
        return BOOT_ID.read_text("ascii").strip()
    except OSError as error:
        words = f"{BOOT_ID} can't be read ({error.strerror}): the unit must not set ProcSubset=pid"
        raise _unavailable(path, words) from error


def _unavailable(path: Path, words: str) -> Unavailable:
    return Unavailable(f"{path}: {words}", where="store")
