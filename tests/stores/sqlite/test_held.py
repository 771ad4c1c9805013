"""What the SQLite store holds for good: over another boot, and of an older version."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from aad.stores.sqlite import file
from tests.stores.kept import OWNER, keep, store_at, taken


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


async def test_it_outlives_another_boot(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with store_at(path) as store:
        await store.compare_and_set("k", "alice", None, b"value")
        await store.compare_and_set_expiring("k", "bob", None, b"value", store.now() + 60)
        await keep(store, b"ticket", OWNER, b"login", store.now() + 60)
    (tmp_path / "boot").write_text("another")
    monkeypatch.setattr(file, "BOOT_ID", tmp_path / "boot")
    async with store_at(path) as store:
        assert await taken(store, b"ticket") is None
        assert await store.get("k", "alice") == b"value"
        assert await store.get_expiring("k", "bob") == b"value"


async def test_what_has_ended_is_swept(path: Path) -> None:
    async with store_at(path) as store:
        for number, end in enumerate((-1, 60)):
            await store.compare_and_set_expiring("k", f"user {number}", None, b"value", store.now() + end)
        assert store._sweep_batch() == 1
        assert store._sweep_batch() == 0
        assert await store.get_expiring("k", "user 1") == b"value"


def make_old(path: Path, version: int, boot: str) -> None:
    """Make a file as an older version of the program left it."""
    made = [file._TABLES, *(made for number, made in file._SINCE.items() if number <= version)]
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(";".join(made))
        connection.execute("INSERT INTO meta VALUES ('boot', ?)", (boot,))
        connection.execute("INSERT INTO waiting VALUES (?, ?, ?, 1e9)", (b"old", OWNER, b"login"))
        connection.execute("INSERT INTO counter VALUES ('mails', 'alice', 'user', 2, 1e9 + 300, 600)")
        connection.execute("INSERT INTO counter VALUES ('lockout', 'alice', 'vpn', 2, 1e9 + 300, 600)")
        connection.execute(f"PRAGMA user_version = {version}")


@pytest.mark.parametrize("version", [2, 3, 4])
async def test_a_file_of_before_is_brought_up_to_date(path: Path, version: int) -> None:
    make_old(path, version, boot="of another time")
    async with store_at(path) as store:
        assert await taken(store, b"old") is None
        (mails,) = await store.counters("mails")
        assert 590 < mails.until - store.now() <= 600, "of another boot nobody knows how much of it was over"
        assert await store.counters("lockout") == []
        await keep(store, b"ticket", OWNER, b"login", store.now() + 60)
        assert await store.compare_and_set("k", "alice", None, b"value")
        assert await store.compare_and_set_expiring("k", "alice", None, b"value", store.now() + 60)
        assert await taken(store, b"ticket") == b"login"
