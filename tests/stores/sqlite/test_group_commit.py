"""What is written in one turn of the event loop is one transaction; and no caller suffers from another's."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from aad.ports import Unavailable
from aad.stores import sqlite
from aad.stores.sqlite import Sqlite, file
from tests.stores.kept import OWNER, keep, rows, store_at, taken, tally


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
async def store(path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sqlite]:
    monkeypatch.setattr(sqlite, "EVERY", 3600.0)  # tests tidy up themselves
    async with store_at(path) as opened:
        yield opened


async def test_what_many_logins_write_at_the_same_time_is_one_transaction(store: Sqlite, path: Path) -> None:
    said: list[str] = []
    store._connection.set_trace_callback(said.append)
    await asyncio.gather(
        *(keep(store, b"%d" % number, OWNER, b"login", store.now() + 60) for number in range(20)),
        *(store.increment(tally(store, str(number)), 3, extend=True) for number in range(20)),
    )
    assert (said.count("BEGIN IMMEDIATE"), said.count("COMMIT"), len(said)) == (1, 1, 62)
    assert (rows(path, "waiting"), rows(path, "counter")) == (20, 20)


async def test_whoever_goes_on_has_it_in_the_file(store: Sqlite, path: Path) -> None:
    await keep(store, b"ticket", OWNER, b"login", store.now() + 60)
    assert rows(path, "waiting") == 1  # as another process sees it


async def test_in_one_transaction_too_one_of_many_takes_a_login(store: Sqlite) -> None:
    await keep(store, b"ticket", OWNER, b"login", store.now() + 60)
    found = await asyncio.gather(*(taken(store, b"ticket") for _ in range(50)))
    assert (found.count(b"login"), found.count(None)) == (1, 49)
    counts = await asyncio.gather(*(store.increment(tally(store), 3, extend=True) for _ in range(50)))
    assert sorted(counts)[-4:] == [0, 1, 2, 3]


async def test_a_step_that_fails_takes_no_other_with_it(store: Sqlite, path: Path) -> None:
    steps = [store.increment(tally(store, name), 3, extend=True) for name in ("alice", "\ud800", "bob")]
    alice, nobody, bob = await asyncio.gather(*steps, return_exceptions=True)
    assert (alice, bob, rows(path, "counter")) == (1, 1, 2)
    assert isinstance(nobody, UnicodeEncodeError)


async def test_whoever_is_cancelled_before_has_written_nothing(store: Sqlite, path: Path) -> None:
    await keep(store, b"ticket", OWNER, b"login", store.now() + 60)
    taking = asyncio.create_task(taken(store, b"ticket"))
    other = asyncio.create_task(store.increment(tally(store), 3, extend=True))
    await asyncio.sleep(0)  # both are on their way
    taking.cancel()
    assert await other == 1
    assert rows(path, "waiting") == 1


async def test_all_are_told_at_once_that_another_process_writes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "PATIENCE", 0.01)
    async with store_at(path) as store:
        with closing(sqlite3.connect(path, isolation_level=None)) as writer:
            writer.execute("BEGIN IMMEDIATE")
            said: list[str] = []
            store._connection.set_trace_callback(said.append)
            steps = [store.increment(tally(store, str(number)), 3, extend=True) for number in range(20)]
            errors = await asyncio.gather(*steps, return_exceptions=True)
            writer.execute("ROLLBACK")
        assert {type(error) for error in errors} == {Unavailable}
        assert said == ["BEGIN IMMEDIATE"]
        assert len(set(map(id, errors))) == 20
        assert await store.increment(tally(store), 3, extend=True) == 1


async def test_what_is_written_while_the_log_begins_anew_is_written_after(store: Sqlite, path: Path) -> None:
    before = asyncio.create_task(store.increment(tally(store, "before"), 3, extend=True))
    await asyncio.sleep(0)
    store._commits.hold()
    meanwhile = asyncio.create_task(store.increment(tally(store, "meanwhile"), 3, extend=True))
    assert await before == 1
    assert rows(path, "counter") == 1
    store._commits.release()
    assert await meanwhile == 1
