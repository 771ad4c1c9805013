"""What the SQLite store keeps, counts and forgets."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from aad.core.secret import Secret
from aad.ports import Store, Tally, Wiring
from aad.stores import sqlite
from aad.stores.sqlite import Sqlite, SqliteSettings

OWNER = "vpn\0gateway\0corp\0alice"


def store_at(path: Path) -> Sqlite:
    return Sqlite(SqliteSettings(path=path), Wiring(name="store", key=Secret(b"")))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
async def store(path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sqlite]:
    monkeypatch.setattr(sqlite, "EVERY", 3600.0)  # tests tidy up themselves
    async with store_at(path) as opened:
        yield opened


def tally(store: Store, name: str = "alice", *, scope: str = "vpn", lasts: float = 300.0) -> Tally:
    return Tally(kind="lockout", scope=scope, name=name, count=0, until=store.now() + lasts)


def rows(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        count: int = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        return count


async def test_it_is_a_store(store: Sqlite) -> None:
    as_port: Store = store
    assert await as_port.waiting() == 0


async def test_a_login_is_taken_once(store: Sqlite) -> None:
    await store.keep(b"ticket", OWNER, b'{"a": 1}', store.now() + 60)
    assert await store.take(b"another") is None
    assert await store.take(b"ticket") == b'{"a": 1}'
    assert await store.take(b"ticket") is None


async def test_fifty_takers_at_once_get_it_once(store: Sqlite) -> None:
    await store.keep(b"ticket", OWNER, b"login", store.now() + 60)
    taken = await asyncio.gather(*(store.take(b"ticket") for _ in range(50)))
    assert sorted(taken, key=str) == [*[None] * 49, b"login"]


async def test_a_login_put_back_can_be_taken_again(store: Sqlite) -> None:
    for _ in range(2):
        await store.keep(b"ticket", OWNER, b"login", store.now() + 60)
    assert await store.take(b"ticket") == b"login"
    assert await store.take(b"ticket") is None


@pytest.mark.parametrize(("ago", "taken"), [(1.0, b"login"), (55.0, b"login"), (61.0, None)])
async def test_an_expired_login_is_given_out_for_a_minute(store: Sqlite, ago: float, taken: bytes | None) -> None:
    await store.keep(b"ticket", OWNER, b"login", store.now() - ago)
    assert await store.again(OWNER) is None
    assert await store.take(b"ticket") == taken


async def test_again_finds_the_latest_and_leaves_it(store: Sqlite) -> None:
    for ticket in (b"first", b"second", b"third"):
        await store.keep(ticket, OWNER, b"login of " + ticket, store.now() + 60)
    await store.keep(b"hers", OWNER + "2", b"login", store.now() + 60)
    assert await store.again(OWNER) == (b"third", b"login of third")
    assert await store.take(b"third") == b"login of third"
    assert await store.again(OWNER) == (b"second", b"login of second")
    assert await store.again("nobody") is None


async def test_waiting_counts_at_once_and_not_the_expired(store: Sqlite) -> None:
    for number in range(5):
        await store.keep(bytes([number]), OWNER, b"", store.now() + 60)
    await store.take(b"\0")
    assert await store.waiting() == 4
    await store.keep(b"late", OWNER, b"", store.now() - 1)
    await store._tidied()
    assert await store.waiting() == 4


async def test_a_counter_stops_at_its_limit(store: Sqlite) -> None:
    assert [await store.spend(tally(store), 3, extend=False) for _ in range(5)] == [1, 2, 3, 0, 0]
    assert await store.spend(tally(store), 0, extend=False) == 0
    assert await store.spend(tally(store, scope="wifi"), 3, extend=False) == 1


async def test_a_hundred_spend_at_once_and_three_may(store: Sqlite) -> None:
    counts = await asyncio.gather(*(store.spend(tally(store), 3, extend=True) for _ in range(100)))
    assert sorted(counts, reverse=True)[:4] == [3, 2, 1, 0]


async def test_an_expired_counter_begins_anew(store: Sqlite) -> None:
    assert await store.spend(tally(store, lasts=-1), 1, extend=False) == 1
    assert await store.tallies("lockout") == []
    assert await store.spend(tally(store), 1, extend=False) == 1
    assert await store.spend(tally(store), 1, extend=False) == 0


@pytest.mark.parametrize("extend", [False, True])
async def test_only_extend_prolongs_what_counts(store: Sqlite, extend: bool) -> None:  # noqa: FBT001
    first, second = tally(store, lasts=100), tally(store, lasts=200)
    await store.spend(first, 3, extend=extend)
    await store.spend(second, 3, extend=extend)
    (kept,) = await store.tallies("lockout")
    assert kept == Tally(
        kind="lockout", scope="vpn", name="alice", count=2, until=second.until if extend else first.until
    )


async def test_a_counter_at_its_limit_is_not_prolonged(store: Sqlite) -> None:
    first = tally(store, lasts=100)
    await store.spend(first, 1, extend=True)
    await store.spend(tally(store, lasts=200), 1, extend=True)
    assert (await store.tallies("lockout"))[0].until == first.until


async def test_what_is_refunded_can_be_spent_again(store: Sqlite, path: Path) -> None:
    await store.refund("lockout", "vpn", "nobody")
    for _ in range(2):
        await store.spend(tally(store), 2, extend=False)
    await store.refund("lockout", "vpn", "alice")
    assert await store.spend(tally(store), 2, extend=False) == 2
    for _ in range(5):
        await store.refund("lockout", "vpn", "alice")
    assert await store.tallies("lockout") == []
    assert rows(path, "counter") == 0, "a million names whose logins went well leave nothing behind"


async def test_forget_ends_one_scope_or_all(store: Sqlite) -> None:
    for scope in ("vpn", "wifi", "ssh"):
        await store.spend(tally(store, scope=scope), 3, extend=True)
    await store.spend(tally(store, "bob"), 3, extend=True)
    assert await store.forget("lockout", "vpn", "alice")
    assert [t.scope for t in await store.tallies("lockout")] == ["ssh", "wifi", "vpn"]
    assert await store.forget("lockout", "", "alice")
    assert not await store.forget("lockout", "", "alice")
    assert not await store.forget("mail", "", "bob")
    assert [t.name for t in await store.tallies("lockout")] == ["bob"]


async def test_forgetting_an_expired_counter_is_no_news(store: Sqlite) -> None:
    await store.spend(tally(store, lasts=-1), 3, extend=True)
    assert not await store.forget("lockout", "", "alice")


async def test_the_swept_are_those_nobody_can_ask_for(
    store: Sqlite, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BATCH", 4)
    for number in range(10):
        await store.keep(b"old %d" % number, OWNER, b"", store.now() - 61)
        await store.spend(tally(store, f"old {number}", lasts=-1), 3, extend=True)
    await store.keep(b"late", OWNER, b"", store.now() - 30)
    await store.spend(tally(store), 3, extend=True)
    await store._tidied()
    assert (rows(path, "waiting"), rows(path, "counter")) == (1, 1)


async def test_it_tidies_up_by_itself(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "EVERY", 0.001)
    async with store_at(path) as store:
        await store.keep(b"old", OWNER, b"", store.now() - 61)
        async with asyncio.timeout(10):
            while rows(path, "waiting"):  # noqa: ASYNC110 - it is done by a task of the store's own
                await asyncio.sleep(0.001)


async def test_somebody_who_always_writes_does_not_make_the_log_grow(
    store: Sqlite, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "CHANGES", 1)
    busy = True

    async def write() -> None:
        while busy:
            await store.spend(tally(store), 10**9, extend=True)
            await asyncio.sleep(0)

    writer = asyncio.create_task(write())
    log, sizes = path.with_name("state.db-wal"), []
    for _ in range(20):
        before = store._connection.total_changes
        while store._connection.total_changes < before + 50:  # noqa: ASYNC110 - as many rows each time
            await asyncio.sleep(0)
        await store._tidied()
        sizes.append(log.stat().st_size)
    busy = False
    await writer
    # Unless it begins anew, 20 rounds of 50 rows and more: 4 MB at least.
    assert sizes[-1] == max(sizes[-2:]) < 20 * 50 * 4096


async def test_probe_counts(store: Sqlite, path: Path) -> None:
    await store.keep(b"ticket", OWNER, b"login", store.now() + 60)
    assert await store.probe() == f"{path}: 1 logins wait, 0 counters"


async def test_it_can_be_left_and_entered_again(path: Path) -> None:
    store = store_at(path)
    for _ in range(2):
        async with store:
            await store.keep(b"ticket", OWNER, b"login", store.now() + 60)
    async with store:
        assert await store.waiting() == 1
    assert [file.name for file in path.parent.iterdir()] == ["state.db"]
