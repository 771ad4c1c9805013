"""The rows of a daemon's store as whoever can write to it sees them: a SQLite file, or keys of a Valkey server."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from aad.stores.valkey.reply import ErrorReply, ReplyReader
from tests.parts.daemon import Daemon
from tests.parts.redis import Redis

FOR_EVER = 1e12
_LOGINS = "SELECT ticket, holder, login, expires, proven, row FROM waiting ORDER BY rowid"


@dataclass(frozen=True)
class Row:
    """A waiting login. `login` is octets; in a SQLite file it may be something else."""

    ticket: bytes
    holder: str
    login: Any
    expires: float = FOR_EVER
    proven: int = 1
    row: str = ""

    def but(self, **changed: Any) -> Row:
        return replace(self, **changed)

    def saying(self, old: bytes, new: bytes) -> Row:
        """Return it with other words, wherever they stand."""
        assert old in self.login, old
        return self.but(login=self.login.replace(old, new))


class Rows(Protocol):
    """What can be done to a store by going around the daemon."""

    octets_only: bool

    def logins(self) -> list[Row]:
        """Return the waiting logins."""

    def put(self, row: Row) -> None:
        """Write a waiting login, in the place of any that has its ticket; it is its holder's latest."""

    def passing(self, kind: str) -> dict[str, bytes]:
        """Return the values of a kind that end."""

    def hold(self, kind: str, name: str, value: Any) -> None:
        """Write a value that ends, for ever; None: remove it."""


class InFile:
    """A SQLite file."""

    octets_only = False

    def __init__(self, path: Path) -> None:
        self._path = path

    def logins(self) -> list[Row]:
        return [Row(*each) for each in self._do(_LOGINS)]

    def put(self, row: Row) -> None:
        values = (row.ticket, row.holder, row.proven, row.row, row.login, row.expires)
        self._do("INSERT OR REPLACE INTO waiting VALUES (?, ?, ?, ?, ?, ?)", *values)

    def passing(self, kind: str) -> dict[str, bytes]:
        return dict(self._do("SELECT name, value FROM passing WHERE kind = ?", kind))

    def hold(self, kind: str, name: str, value: Any) -> None:
        self._do("DELETE FROM passing WHERE kind = ? AND name = ?", kind, name)
        if value is not None:
            self._do("INSERT INTO passing VALUES (?, ?, ?, ?)", kind, name, value, FOR_EVER)

    def _do(self, statement: str, *values: Any) -> list[Any]:
        with closing(sqlite3.connect(self._path, isolation_level=None, timeout=10)) as file:
            return file.execute(statement, values).fetchall()


class InValkey:
    """Keys of a server, all with the prefix of one daemon."""

    octets_only = True

    def __init__(self, server: Redis, prefix: str) -> None:
        self._server = server
        self._prefix = prefix.encode()

    def logins(self) -> list[Row]:
        rows = []
        for key in self._keys(b"login:"):
            pairs = self._do(b"HGETALL", key)
            kept = dict(zip(pairs[::2], pairs[1::2], strict=True))
            ticket = key.removeprefix(self._prefix + b"login:")
            known = {"proven": int(kept[b"proven"]), "row": kept[b"row"].decode()}
            rows.append(Row(ticket, kept[b"holder"].decode(), kept[b"login"], float(kept[b"expires"]), **known))
        return rows

    def put(self, row: Row) -> None:
        key, holder = self._prefix + b"login:" + row.ticket, self._prefix + b"holder:" + row.holder.encode()
        fields = (b"holder", row.holder.encode(), b"login", row.login, b"expires", repr(row.expires).encode())
        self._do(b"HSET", key, *fields, b"proven", b"%d" % row.proven, b"row", row.row.encode())
        self._do(b"PERSIST", key)
        self._do(b"LREM", holder, b"0", row.ticket)
        self._do(b"LPUSH", holder, row.ticket)
        self._do(b"PERSIST", holder)

    def passing(self, kind: str) -> dict[str, bytes]:
        beginning = b"passing:" + kind.encode() + b"\0"
        found = self._keys(beginning)
        return {key.removeprefix(self._prefix + beginning).decode(): self._do(b"GET", key) for key in found}

    def hold(self, kind: str, name: str, value: Any) -> None:
        key = self._prefix + f"passing:{kind}\0{name}".encode()
        self._do(b"DEL", key) if value is None else self._do(b"SET", key, value)

    def _keys(self, beginning: bytes) -> list[bytes]:
        pattern = (self._prefix + beginning).replace(b"[", b"\\[")
        return sorted(self._do(b"KEYS", pattern + b"*"))

    def _do(self, *words: bytes) -> Any:
        reader, answers = ReplyReader(), list[Any]()
        with _line(self._server) as line:
            line.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words))
            while not answers:
                answers += reader.read(line.recv(1 << 20))
        assert not isinstance(answers[0], ErrorReply), str(answers[0])
        return answers[0]


@contextmanager
def _line(server: Redis) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(10)
        line.connect(str(server.socket))
        yield line


def rows_of(daemon: Daemon, server: Redis | None) -> Rows:
    """Return the store of a daemon; `server`: where it is, if in no file."""
    return InFile(daemon.folder / "state.db") if server is None else InValkey(server, f"aad{daemon.folder}:")
