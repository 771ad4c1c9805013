"""The file of the SQLite store: its mode, its version, and what is said of files that are none."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from aad.ports import Unavailable
from aad.stores.sqlite import file as statefile
from tests.stores.kept import OWNER, keep, store_at


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def writer(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def make(path: Path, octets: bytes | None) -> None:
    if octets is None:
        path.mkdir()
    else:
        path.write_bytes(octets)


def damage(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
async def test_a_file_that_root_makes_belongs_to_the_owner_of_the_folder(path: Path) -> None:
    os.chown(path.parent, 4321, 4322)
    async with store_at(path):
        assert {(file.stat().st_uid, file.stat().st_gid) for file in path.parent.iterdir()} == {(4321, 4322)}


async def test_a_disk_that_cannot_hold_a_log_is_said() -> None:
    with (
        closing(sqlite3.connect(":memory:")) as connection,
        pytest.raises(Unavailable, match="can keep no log beside it"),
    ):
        statefile._fit(connection, Path("state.db"), 0.0)


async def test_the_files_are_for_their_owner_alone(path: Path) -> None:
    async with store_at(path) as store:
        await keep(store, b"ticket", OWNER, b"login", store.now() + 60)
        assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}


async def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "state.db"
    with pytest.raises(Unavailable) as caught:
        await store_at(path).__aenter__()
    assert caught.value.where == "store"
    assert caught.value.what.startswith(f"{path}: can't be made: No such file or directory; make its folder")


@pytest.mark.parametrize(("octets", "words"), [(b"users = 3\n" * 500, "is no file of aad's; move it away"), (None, "")])
async def test_what_is_no_store_is_said(path: Path, octets: bytes | None, words: str) -> None:
    make(path, octets)
    with pytest.raises(Unavailable, match=words or "can't be opened"):
        await store_at(path).__aenter__()


async def test_a_damaged_file_is_said(path: Path) -> None:
    async with store_at(path) as store:
        for number in range(300):
            await keep(store, b"%d" % number, OWNER, bytes(500), store.now() + 60)
    damage(path)
    with pytest.raises(Unavailable, match="is damaged; move it away, and a new one is made"):
        await store_at(path).__aenter__()


@pytest.mark.parametrize("version", [0, 1, 99])
async def test_another_version_is_told_what_to_do(path: Path, writer: sqlite3.Connection, version: int) -> None:
    writer.execute("CREATE TABLE theirs (x)")
    writer.execute(f"PRAGMA user_version = {version}")
    with pytest.raises(Unavailable, match=rf"schema {version}, this one reads \d\): run that, or move it away"):
        await store_at(path).__aenter__()
