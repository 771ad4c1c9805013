"""What the SQLite store keeps, counts and forgets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aad.stores import sqlite
from aad.stores.sqlite import Sqlite
from aad.stores.sqlite.file import rest
from tests.stores.kept import OWNER, keep, rows, store_at, taken, tally


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
async def store(path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sqlite]:
    monkeypatch.setattr(sqlite, "EVERY", 3600.0)  # tests tidy up themselves
    async with store_at(path) as opened:
        yield opened


async def test_waiting_counts_at_once_and_not_the_expired(store: Sqlite) -> None:
    for number in range(5):
        await keep(store, bytes([number]), OWNER, b"", store.now() + 60)
    await taken(store, b"\0")
    assert await store.count_logins() == 4
    await keep(store, b"late", OWNER, b"", store.now() - 1)
    await store._tidy_once()
    assert await store.count_logins() == 4


async def test_what_is_refunded_leaves_no_row(store: Sqlite, path: Path) -> None:
    await store.increment(tally(store), 2, extend=False)
    await store.decrement("lockout", "vpn", "alice")
    assert rows(path, "counter") == 0, "a million names whose logins went well leave nothing behind"


async def test_the_swept_are_those_nobody_can_ask_for(
    store: Sqlite, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BATCH", 4)
    for number in range(10):
        await keep(store, b"old %d" % number, OWNER, b"", store.now() - 61)
        await store.increment(tally(store, f"old {number}", lasts=-1), 3, extend=True)
    await keep(store, b"late", OWNER, b"", store.now() - 30)
    await store.increment(tally(store), 3, extend=True)
    await store._tidy_once()
    assert (rows(path, "waiting"), rows(path, "counter")) == (1, 1)


async def test_it_tidies_up_by_itself(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "EVERY", 0.001)
    async with store_at(path) as store:
        await keep(store, b"old", OWNER, b"", store.now() - 61)
        async with asyncio.timeout(10):
            while rows(path, "waiting"):  # noqa: ASYNC110 - it is done by a task of the store's own
                await asyncio.sleep(0.001)


def test_counting_many_is_done_seldom() -> None:
    assert [rest(took, 1.0) for took in (0.0001, 0.009, 0.05, 3.0)] == [0, 0, 5, 10]


async def test_what_others_do_is_counted_again_after_a_rest(store: Sqlite, path: Path) -> None:
    store._rest = 1
    async with store_at(path) as other:
        await keep(other, b"ticket", "owner", b"login", other.now() + 60)
        await store._tidy_once()
        assert await store.count_logins() == 0
        await store._tidy_once()
        assert await store.count_logins() == 1


async def test_somebody_who_always_writes_does_not_make_the_log_grow(
    store: Sqlite, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "CHANGES", 1)
    busy = True

    async def write() -> None:
        while busy:
            await store.increment(tally(store), 10**9, extend=True)
            await asyncio.sleep(0)

    writer = asyncio.create_task(write())
    log, sizes = path.with_name("state.db-wal"), []
    for _ in range(20):
        before = store._connection.total_changes
        while store._connection.total_changes < before + 50:  # noqa: ASYNC110 - as many rows each time
            await asyncio.sleep(0)
        await store._tidy_once()
        sizes.append(log.stat().st_size)
    busy = False
    await writer
    # Unless it begins anew, 20 rounds of 50 rows and more: 4 MB at least.
    assert sizes[-1] == max(sizes[-2:]) < 20 * 50 * 4096


async def test_probe_counts(store: Sqlite, path: Path) -> None:
    await keep(store, b"ticket", OWNER, b"login", store.now() + 60)
    assert await store.probe() == f"{path}: 1 logins wait, 0 counters"


async def test_it_can_be_left_and_entered_again(path: Path) -> None:
    store = store_at(path)
    for _ in range(2):
        async with store:
            await keep(store, b"ticket", OWNER, b"login", store.now() + 60)
    async with store:
        assert await store.count_logins() == 1
    assert [file.name for file in path.parent.iterdir()] == ["state.db"]
