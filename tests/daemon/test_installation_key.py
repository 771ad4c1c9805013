"""The installation's key: the same for all processes that start at the same time, and readable by no other user."""

from __future__ import annotations

import os
import stat
from multiprocessing import get_context
from pathlib import Path

import pytest

from aad.daemon.installation_key import key_at
from aad.ports import Unavailable


def read(path: Path) -> bytes:
    return key_at(path).reveal()


def test_many_processes_that_start_at_once_get_the_same_key(tmp_path: Path) -> None:
    for number in range(5):
        with get_context("fork").Pool(8) as pool:
            keys = pool.map(read, [tmp_path / f"{number}.key"] * 64, chunksize=1)
        assert len(set(keys)) == 1
        assert len(keys[0]) == 32
    assert sorted(each.name for each in tmp_path.iterdir()) == [f"{number}.key" for number in range(5)]
    assert stat.S_IMODE((tmp_path / "0.key").stat().st_mode) == 0o600


def test_a_key_that_is_too_short_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"short")
    with pytest.raises(Unavailable, match="should have 32 octets; remove it"):
        key_at(tmp_path / "key")


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="No such file"):
        key_at(tmp_path / "nowhere" / "key")


def test_what_is_no_key_is_neither_read_nor_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Unavailable, match="is a pipe, not a file"):
        key_at(tmp_path / "pipe")
    (tmp_path / "endless").symlink_to("/dev/zero")
    with pytest.raises(Unavailable, match="should have 32 octets"):
        key_at(tmp_path / "endless")
    (tmp_path / "long").write_bytes(b"k" * 4096)
    assert len(key_at(tmp_path / "long")) == 4096
