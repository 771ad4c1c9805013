"""The log's file read back: in order, over rotations, as it grows."""

from __future__ import annotations

import gzip
import itertools
import os
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from aad.logs.entry import Entry, UnreadableLogError, Wanted
from aad.logs.file_reader import FileReader
from aad.logs.log import Log

ALL = Wanted()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "aad.log"


@pytest.fixture
def log(path: Path) -> Iterator[Log]:
    with closing(Log(to="file", file=path)) as writer:
        yield writer


def users(entries: Iterator[Entry]) -> list[str]:
    return [one.fields["user"] for one in entries]


def test_what_was_written_is_read(path: Path, log: Log) -> None:
    log.record("login.rejected", login="AB23CD", user="alice", reason="wrong code", ms=1.26)
    (one,) = FileReader(path).records(0.0, ALL)
    assert (one.event, one.priority, one.message) == ("login.rejected", 5, "alice from - rejected: wrong code")
    assert one.fields == {"login": "AB23CD", "user": "alice", "reason": "wrong code", "ms": "1.3"}
    assert list(FileReader(path).records(one.time, ALL)) == [one]
    assert list(FileReader(path).records(one.time + 1, ALL)) == []
    assert list(FileReader(path).records(0.0, Wanted(user="bob"))) == []


def test_what_is_no_record_is_passed_over(path: Path, log: Log) -> None:
    log.record("login.started", user="alice")
    with path.open("a") as file:
        file.write('no JSON\n[]\n{}\n{"time": "soon"}\n\n{"time": 1, "user": "bob"}\n{"time": 1, "us')
    assert users(FileReader(path).records(0.0, ALL)) == ["alice", "bob"]


def test_files_that_were_moved_away_are_read_first(path: Path, log: Log) -> None:
    for number, name in enumerate(("aad.log.2.gz", "aad.log.1", "aad.log")):
        log.record("login.started", user=f"user{number}")
        if name == "aad.log":
            break
        moved = path.with_name(name)
        octets = path.read_bytes()
        moved.write_bytes(gzip.compress(octets) if name.endswith(".gz") else octets)
        os.utime(moved, (number + 1, number + 1))
        path.unlink()
        log.reopen()
    path.with_name("aad.log.old").write_text("no file of ours")
    assert users(FileReader(path).records(0.0, ALL)) == ["user0", "user1", "user2"]
    assert users(FileReader(path).latest(ALL)) == ["user2", "user1", "user0"]
    assert users(FileReader(path).records(9.0, ALL)) == ["user2"]  # older files aren't even opened


def test_a_file_is_followed_also_when_it_is_moved_away_or_emptied(path: Path, log: Log) -> None:
    log.record("login.started", user="before")
    book = FileReader(path)
    seen: list[str] = []
    told = threading.Condition()

    def follow() -> None:
        for one in itertools.islice(book.records(0.0, ALL, follow=True), 5):
            with told:
                seen.append(one.fields["user"])
                told.notify()

    def wait(number: int) -> None:
        with told:
            assert told.wait_for(lambda: len(seen) >= number, 10)

    reader = threading.Thread(target=follow, daemon=True)
    reader.start()
    wait(1)
    log.record("login.started", user="here")
    wait(2)
    path.rename(path.with_name("aad.log.1"))
    log.record("login.started", user="last of the old")
    log.reopen()
    log.record("login.started", user="first of the new")
    wait(4)
    os.truncate(path, 0)
    log.record("login.started", user="x")
    wait(5)
    assert seen == ["before", "here", "last of the old", "first of the new", "x"]
    reader.join(10)


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(UnreadableLogError, match="is a pipe, not a file"):
        list(FileReader(path).records(0.0, ALL))


def test_what_the_caller_opened_may_be_a_pipe(path: Path, log: Log) -> None:
    """`aad log --file <(zcat ...)`."""
    log.record("login.started", user="alice")
    reading, writing = os.pipe()
    os.write(writing, path.read_bytes())
    os.close(writing)
    try:
        assert users(FileReader(Path(f"/dev/fd/{reading}")).records(0.0, ALL)) == ["alice"]
    finally:
        os.close(reading)


def test_a_file_that_is_not_there_is_named(path: Path) -> None:
    with pytest.raises(UnreadableLogError, match=f"^{path} can't be read: No such file or directory$"):
        list(FileReader(path).records(0.0, ALL))
    with pytest.raises(UnreadableLogError, match="No such file"):
        list(FileReader(path).latest(ALL))
