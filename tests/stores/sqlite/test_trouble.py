"""The SQLite store and the world around it: kill -9, other processes, another boot, full disks."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from aad.ports import Unavailable
from aad.stores import sqlite
from aad.stores.sqlite import file, group_commit
from tests.stores.kept import OWNER, keep, rows, store_at, taken, tally

ROOT = Path(__file__).parents[3]
PROLOGUE = """
import asyncio, os, sys
from pathlib import Path
from aad.ports import Unavailable
from tests.stores.kept import keep, taken, tally
from tests.stores.kept import store_at
"""
KEEPER = """
async def main():
    async with store_at(Path(sys.argv[1])) as store:
        for number in range(10**6):
            await keep(store, b"%d" % number, "owner", b"login %d" % number, store.now() + 60)
            await store.increment(tally(store), 10**6, extend=True)
            print(number, flush=True)
asyncio.run(main())
"""
TAKER = """
async def main():
    async with store_at(Path(sys.argv[1])) as store:
        print("ready", flush=True)
        sys.stdin.readline()
        for number in range(300):
            if await taken(store, b"%d" % number):
                print(number)
asyncio.run(main())
"""
ON_A_SMALL_DISK = """
async def main():
    folder = Path(sys.argv[1])
    async with store_at(folder / "state.db") as store:
        await keep(store, b"before", "owner", b"login", store.now() + 60)
        await store.increment(tally(store), 3, extend=True)
        filler = os.open(folder / "filler", os.O_CREAT | os.O_WRONLY)
        try:
            while True:
                os.write(filler, bytes(4096))
        except OSError as error:
            print("filled:", error.strerror)
        try:
            for number in range(1000):
                await keep(store, b"%d" % number, "owner", bytes(900), store.now() + 60)
        except Unavailable as error:
            print("keep:", error.what)
        try:
            for number in range(10):  # what room is left for a small write is soon gone
                await store.probe()
        except Unavailable as error:
            print("probe:", error.what)
        os.unlink(folder / "filler")
        os.close(filler)
        print(await taken(store, b"before"), await taken(store, b"before"))
        await keep(store, b"after", "owner", b"login", store.now() + 60)
        print(await taken(store, b"after"), await store.increment(tally(store), 3, extend=True))
asyncio.run(main())
"""
SMALL_DISK = ["sh", "-c", 'mount -t tmpfs -o size=1m tmpfs "$0" && exec "$@"']


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def writer(path: Path) -> Iterator[sqlite3.Connection]:
    """Another process's connection, as far as SQLite is concerned."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


async def child(script: str, argument: Path, *before: str) -> Process:
    command = (*before, sys.executable, "-c", PROLOGUE + script, str(argument))
    return await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=PIPE, stdout=PIPE)


async def line(process: Process) -> bytes:
    assert process.stdout is not None
    return (await asyncio.wait_for(process.stdout.readline(), 30)).strip()


async def test_kill_9_loses_nothing_that_was_kept(path: Path) -> None:
    keeper = await child(KEEPER, path)
    for _ in range(200):
        await line(keeper)
    keeper.kill()
    kept = [int(number) for number in (await keeper.communicate())[0].decode().rpartition("\n")[0].split()]
    last = max([199, *kept])
    async with store_at(path) as store:
        for number in range(last + 1):
            assert await taken(store, b"%d" % number) == b"login %d" % number
            assert await taken(store, b"%d" % number) is None
        assert last + 1 <= (await store.counters("lockout"))[0].count <= last + 2


async def test_of_two_processes_that_take_one_gets_it(path: Path) -> None:
    async with store_at(path) as store:
        for number in range(300):
            await keep(store, b"%d" % number, OWNER, b"login", store.now() + 600)
        takers = [await child(TAKER, path) for _ in range(2)]
        assert [await line(taker) for taker in takers] == [b"ready", b"ready"]
        outputs = await asyncio.gather(*(taker.communicate(b"go\n") for taker in takers))
    assert [taker.returncode for taker in takers] == [0, 0]
    numbers = [int(number) for output, _ in outputs for number in output.split()]
    assert sorted(numbers) == list(range(300))


async def test_a_full_disk_is_said_and_got_over(tmp_path: Path) -> None:
    namespace = ("unshare", "--mount", *(() if os.geteuid() == 0 else ("--map-root-user",)))
    process = await child(ON_A_SMALL_DISK, tmp_path, *namespace, *SMALL_DISK, str(tmp_path))
    output, _ = await process.communicate()
    where = tmp_path / "state.db"
    assert output.decode().splitlines() == [
        "filled: No space left on device",
        f"keep: {where}: the disk is full",
        f"probe: {where}: the disk is full",
        "b'login' None",
        "b'login' 2",
    ]


async def test_many_open_a_new_file_at_once(path: Path) -> None:
    takers = [await child(TAKER, path) for _ in range(4)]
    assert [await line(taker) for taker in takers] == [b"ready"] * 4
    await asyncio.gather(*(taker.communicate(b"go\n") for taker in takers))
    assert [taker.returncode for taker in takers] == [0] * 4


async def test_who_opens_waits_for_who_is_making_the_file(path: Path) -> None:
    def opened() -> None:
        connection, _ = file.opened(path, 1.0)
        connection.close()

    with closing(sqlite3.connect(path, isolation_level=None)) as maker:
        maker.execute("BEGIN IMMEDIATE")
        opening = asyncio.create_task(asyncio.to_thread(opened))
        await asyncio.wait({opening}, timeout=3 * file.PATIENCE)
        maker.execute("COMMIT")
    await opening


async def test_after_another_boot_logins_end_and_the_time_goes_on(path: Path) -> None:
    async with store_at(path) as store:
        await keep(store, b"ticket", OWNER, b"login", store.now() + 60)
        await store.increment(tally(store, lasts=300), 3, extend=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE meta SET value = 'another' WHERE key = 'boot'")
        connection.execute("UPDATE counter SET until = until + 1e9")  # that clock had run for longer
        connection.execute("UPDATE meta SET value = value + 1e9 WHERE key = 'time'")
    for _ in range(2):
        async with store_at(path) as store:
            assert await taken(store, b"ticket") is None
            (kept,) = await store.counters("lockout")
            assert 200 < kept.until - store.now() <= 300


async def test_a_boot_id_that_cannot_be_read_is_said(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "BOOT_ID", Path("/nowhere/boot_id"))
    with pytest.raises(Unavailable, match=r"boot_id can't be read \(No such file or directory\): .*ProcSubset=pid"):
        await store_at(path).__aenter__()


async def test_another_process_that_writes_for_long_is_said(path: Path, writer: sqlite3.Connection) -> None:
    async with store_at(path) as store:
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match=r"state\.db: another process has been writing for too long"):
            await keep(store, b"ticket", OWNER, b"login", store.now() + 60)
        writer.execute("ROLLBACK")
        assert await taken(store, b"ticket") is None
        await keep(store, b"ticket", OWNER, b"login", store.now() + 60)
        assert await taken(store, b"ticket") == b"login"


async def test_tidying_up_goes_on_after_trouble(
    path: Path, writer: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "EVERY", 0.001)
    async with store_at(path) as store:
        await keep(store, b"old", OWNER, b"", store.now() - 61)
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable):
            await store._tidy_once()
        writer.execute("ROLLBACK")
        async with asyncio.timeout(10):
            while rows(path, "waiting"):  # noqa: ASYNC110 - it is done by a task of the store's own
                await asyncio.sleep(0.001)


async def test_a_disk_that_stands_still_is_said(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "STALLED", 0.01)
    async with store_at(path) as store:
        store._commits.hold()
        with pytest.raises(Unavailable, match=r"the disk has written nothing for 0\.01 s"):
            await taken(store, b"ticket")


async def test_too_many_counters_refuse_new_names_only(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "MOST_COUNTERS", 2)
    async with store_at(path) as store:
        for name in ("alice", "bob"):
            await store.increment(tally(store, name), 3, extend=True)
        with pytest.raises(Unavailable, match="2 users failed or got mail of late, so new ones are refused"):
            await store.increment(tally(store, "mallory"), 3, extend=True)
        assert await store.increment(tally(store, "bob"), 3, extend=True) == 2
        await store.delete_counter("lockout", "", "alice")
        assert await store.increment(tally(store, "mallory"), 3, extend=True) == 1


async def test_using_a_closed_store_is_our_fault_and_not_the_disks(path: Path) -> None:
    async with store_at(path) as store:
        pass
    with pytest.raises(sqlite3.ProgrammingError):
        await taken(store, b"ticket")
