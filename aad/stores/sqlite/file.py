"""The SQLite file of a store: made, opened, held against its version and this boot; its errors, in words."""

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

__all__ = ["Connection", "begin_log_anew", "checkpoint", "connected", "counted", "opened", "remember", "rest", "told"]

SCHEMA = 5
_FIRST = 2  # a file of this version, or a later one, is brought up to date
PATIENCE = 0.2  # seconds for another process that writes (aad unlock); the event loop stands still meanwhile
OPENING = 10.0  # the same before anybody is served: others may be making the file, or bring it up to date
LONGEST_LOG = 64 * 1024 * 1024  # octets that are not given back to the disk
CACHE = 512  # KiB of pages kept in memory; the rest is in the system's cache anyway
SHARE = 0.01  # of a core that counting may take; with a million counters it is done seldom
LONGEST_REST = 10  # times, at most, that it is left out
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
    # The logins that wait end: what was kept of them before isn't what is now. Times go on over a boot.
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


class told:  # noqa: N801 - read as a word: `with told(path):`
    """Turn SQLite's errors into Unavailable, in words an administrator understands. Misuse is ours, and stays."""

    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        """Say it of this file."""
        self._path = path

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Say what went wrong."""
        if not isinstance(error, sqlite3.Error) or isinstance(error, sqlite3.ProgrammingError):
            return
        primary = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the rest says where it happened
        words = _WORDS.get(primary, f"{error} ({getattr(error, 'sqlite_errorname', 'no code')})")
        raise _unavailable(self._path, words) from error


def opened(path: Path, since_boot: float) -> tuple[Connection, float]:
    """Open the file, made if there is none, as it fits this version and this boot. Unavailable.

    Return too how many seconds its time is ahead of those since this boot.
    """
    with told(path):
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
    """Note the time, from which it goes on after another boot; never an earlier one than is noted already."""
    with told(path):
        connection.execute(_REMEMBER, (now,))


def connected(path: Path) -> Connection:
    """Return one more connection to the file: single statements commit themselves, and none waits for the disk."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=PATIENCE, isolation_level=None
    )
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute(f"PRAGMA cache_size = -{CACHE}")
    return connection


def counted(path: Path, now: float) -> tuple[int, int, float]:
    """Count logins that wait and counters; and the seconds of CPU that it took."""
    began = time.thread_time()
    with told(path), contextlib.closing(connected(path)) as connection:
        waiting, counters = connection.execute(COUNTS, (now,)).fetchone()
    return waiting, counters, time.thread_time() - began


def rest(took: float, every: float) -> int:
    """Return how often counting is left out after it took so many seconds of CPU. `every`: seconds between two."""
    return min(int(took / (SHARE * every)), LONGEST_REST)


def checkpoint(path: Path) -> None:
    """Bring into the file what the log holds now, and sync both; others go on writing."""
    with told(path), contextlib.closing(connected(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def begin_log_anew(path: Path, now: float) -> None:
    """Bring the rest into the file, and write at the log's beginning, which syncs it once more: better here than there.

    There: in the first write of the event loop.
    """
    with told(path), contextlib.closing(connected(path)) as connection:
        connection.execute(f"PRAGMA journal_size_limit = {LONGEST_LOG}").fetchall()
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('log begun', ?)", (str(now),))


def _make(path: Path) -> None:
    """Make an empty file, 0600; SQLite gives the files beside it the same mode and owner."""
    # Never open and close a file that is there: that ends the locks of every connection of this process (fcntl(2)).
    try:
        with folders.opened(path.parent) as folder:
            os.close(folder.make(path.name, os.O_WRONLY, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        right = "make its folder, owned by the user that aad runs as, mode 0700"
        raise _unavailable(path, f"can't be made: {error.strerror}; {right}") from error


def _fit(connection: Connection, path: Path, since_boot: float) -> float:
    """Make the tables if there are none; after another boot, end the waiting logins, and go on with the time.

    The machine's clock began anew, and nobody knows how long it was off: for a lockout it was not.
    """
    connection.execute(f"PRAGMA page_size = {PAGE}")  # of a new file; an old one keeps its own
    if _log_begun(connection) != "wal":
        raise _unavailable(path, "SQLite can keep no log beside it: is it on a network file system?")
    boot = _boot(path)
    if _version(connection) == SCHEMA and _boot_of(connection) == boot:
        return _number(connection, "ahead")
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        _bring_up_to_date(connection, path)
        if _boot_of(connection) != boot:
            connection.execute("DELETE FROM waiting")
            ahead = max(0.0, _number(connection, "time") - since_boot)
            for key, value in (("boot", boot), ("ahead", str(ahead))):
                connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))
    return _number(connection, "ahead")


def _log_begun(connection: Connection) -> str:
    """Have SQLite keep a log beside the file, and return how it logs. It doesn't wait here for who writes: so we do."""
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


def _bring_up_to_date(connection: Connection, path: Path) -> None:
    """Make the tables as this version has them. Unavailable: of a later version, or of none of ours."""
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
    """Return which boot of the machine this is: the clock means something within one only."""
    try:
        return BOOT_ID.read_text("ascii").strip()
    except OSError as error:
        words = f"{BOOT_ID} can't be read ({error.strerror}): the unit must not set ProcSubset=pid"
        raise _unavailable(path, words) from error


def _unavailable(path: Path, words: str) -> Unavailable:
    return Unavailable(f"{path}: {words}", where="store")
