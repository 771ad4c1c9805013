"""What the tests of stores keep and count."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from aad.core.secret import Secret
from aad.ports import Kept, Store, Tally, Wiring
from aad.stores.sqlite import Sqlite, SqliteSettings

OWNER = "vpn\0gateway\0corp\0alice"


def tally(store: Store, name: str = "alice", *, scope: str = "vpn", lasts: float = 300.0) -> Tally:
    return Tally(kind="lockout", scope=scope, name=name, count=0, until=store.now() + lasts)


async def keep(store: Store, ticket: bytes, holder: str, login: bytes, expires: float, **more: Any) -> bool:
    """Keep a login as somebody who may have as many as there are."""
    most = more.pop("most", 10**6)
    return await store.put_login(Kept(ticket=ticket, holder=holder, login=login, expires=expires, **more), most)


async def taken(store: Store, ticket: bytes) -> bytes | None:
    """Take a login that no row refuses."""
    found = await store.take_login(ticket)
    assert found is None or not found.refused
    return found.login if found else None


def store_at(path: Path) -> Sqlite:
    return Sqlite(SqliteSettings(path=path), Wiring(name="store", key=Secret(b"")))


def rows(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        count: int = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        return count
