"""What the SQLite store holds for good: one value a name, moved by one of many."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from aad.ports import Store
from aad.stores import statefile
from aad.storing import LARGEST
from tests.stores.test_sqlite import OWNER, store_at


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


async def test_it_is_held_moved_and_dropped(path: Path) -> None:
    async with store_at(path) as opened:
        store: Store = opened
        assert await store.find("k", "alice") is None
        assert await store.swap("k", "alice", None, b"one")
        assert not await store.swap("k", "alice", None, b"two")
        assert await store.find("k", "alice") == b"one"
        assert not await store.swap("k", "alice", b"two", b"three")
        assert await store.swap("k", "alice", b"one", b"two")
        assert not await store.swap("k", "alice", b"one", None)
        assert not await store.swap("k", "alice", None, None)
        assert await store.swap("k", "alice", b"two", None)
        assert await store.swap("k", "alice", None, None)
        assert await store.find("k", "alice") is None


async def test_a_kind_has_names_of_its_own(path: Path) -> None:
    async with store_at(path) as store:
        for kind, name in (("a", "corp\0bob"), ("a", "corp\0alice"), ("b", "corp\0carol")):
            await store.swap(kind, name, None, kind.encode())
        assert await store.names("a") == ["corp\0alice", "corp\0bob"]
        assert await store.names("c") == []
        assert await store.find("b", "corp\0alice") is None


async def test_of_fifty_who_move_it_at_once_one_does(path: Path) -> None:
    async with store_at(path) as one, store_at(path) as other:
        await one.swap("k", "alice", None, b"old")
        moves = (each.swap("k", "alice", b"old", b"%d" % n) for n in range(25) for each in (one, other))
        assert sum(await asyncio.gather(*moves)) == 1


async def test_it_is_bounded(path: Path) -> None:
    async with store_at(path) as store:
        assert await store.swap("k", "alice", None, bytes(LARGEST))
        with pytest.raises(ValueError, match="4097 octets are too many"):
            await store.swap("k", "alice", bytes(LARGEST), bytes(LARGEST + 1))


async def test_it_outlives_another_boot(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with store_at(path) as store:
        await store.swap("k", "alice", None, b"value")
        await store.keep(b"ticket", OWNER, b"login", store.now() + 60)
    (tmp_path / "boot").write_text("another")
    monkeypatch.setattr(statefile, "BOOT_ID", tmp_path / "boot")
    async with store_at(path) as store:
        assert await store.take(b"ticket") is None
        assert await store.find("k", "alice") == b"value"


async def test_a_file_of_before_is_brought_up_to_date(path: Path) -> None:
    async with store_at(path) as store:
        await store.keep(b"ticket", OWNER, b"login", store.now() + 60)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DROP TABLE held")
        connection.execute("PRAGMA user_version = 2")
    async with store_at(path) as store:
        assert await store.swap("k", "alice", None, b"value")
        assert await store.take(b"ticket") == b"login"
