"""What the SQLite store holds for good: over another boot, and of an older version."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from aad.stores import statefile
from tests.stores.kept import OWNER
from tests.stores.test_sqlite import store_at


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


async def test_it_outlives_another_boot(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with store_at(path) as store:
        await store.swap("k", "alice", None, b"value")
        await store.exchange("k", "bob", None, b"value", store.now() + 60)
        await store.keep(b"ticket", OWNER, b"login", store.now() + 60)
    (tmp_path / "boot").write_text("another")
    monkeypatch.setattr(statefile, "BOOT_ID", tmp_path / "boot")
    async with store_at(path) as store:
        assert await store.take(b"ticket") is None
        assert await store.find("k", "alice") == b"value"
        assert await store.recall("k", "bob") == b"value"


async def test_what_has_ended_is_swept(path: Path) -> None:
    async with store_at(path) as store:
        for number, end in enumerate((-1, 60)):
            await store.exchange("k", f"user {number}", None, b"value", store.now() + end)
        assert store._swept() == 1
        assert store._swept() == 0
        assert await store.recall("k", "user 1") == b"value"


@pytest.mark.parametrize(("version", "lacks"), [(2, ("held", "passing")), (3, ("passing",))])
async def test_a_file_of_before_is_brought_up_to_date(path: Path, version: int, lacks: tuple[str, ...]) -> None:
    async with store_at(path) as store:
        await store.keep(b"ticket", OWNER, b"login", store.now() + 60)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for table in lacks:
            connection.execute(f"DROP TABLE {table}")
        connection.execute(f"PRAGMA user_version = {version}")
    async with store_at(path) as store:
        assert await store.swap("k", "alice", None, b"value")
        assert await store.exchange("k", "alice", None, b"value", store.now() + 60)
        assert await store.take(b"ticket") == b"login"
