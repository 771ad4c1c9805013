"""The writer of journald's protocol: it never waits, keeps the order, counts what it loses, and says so."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from aad.logs import journal_writer
from aad.logs.journal_writer import MOST_RECORDS, Journal


def lost(count: int) -> bytes:
    return b"LOST=%d\n" % count


@contextlib.contextmanager
def listening(place: Path) -> Iterator[socket.socket]:
    """Listen where journald would, and read only when told to."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(place))
        listener.setblocking(False)
        yield listener
    place.unlink()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(journal_writer, "SOCKET", tmp_path / "socket")
    monkeypatch.setattr(journal_writer, "RETRY", 0.01)
    monkeypatch.setattr(journal_writer, "FAREWELL", 0.2)
    return tmp_path / "socket"


def read(listener: socket.socket) -> list[bytes]:
    """Return the first field of each record that is there."""
    found = []
    with contextlib.suppress(BlockingIOError):
        while True:
            found.append(listener.recv(65536).partition(b"\n")[0])
    return found


async def read_until(listener: socket.socket, last: bytes) -> list[bytes]:
    """Read, as journald would, until a record is there."""
    found: list[bytes] = []
    async with asyncio.timeout(10):
        while last not in found:
            found += read(listener)
            await asyncio.sleep(0)
    return found


def numbered(numbers: range) -> list[bytes]:
    return [b"N=%d" % number for number in numbers]


async def test_what_is_not_read_waits_and_comes_in_order(place: Path) -> None:
    with listening(place) as listener, closing(Journal(lost)) as writer:
        for one in numbered(range(1000)):
            writer.send(one + b"\n")
        assert 0 < writer.queued < 1000
        assert await read_until(listener, b"N=999") == numbered(range(1000))
        assert (writer.queued, writer.dropped) == (0, 0)
        writer.send(b"N=1000\n")
        assert read(listener) == [b"N=1000"]  # at once, as before


async def test_a_record_that_waited_says_when_it_was_written(place: Path) -> None:
    with listening(place) as listener, closing(Journal(lost)) as writer:
        before = time.time()
        while not writer.queued:
            writer.send(b"MESSAGE=x\n")
        after = time.time()
        last = b""
        while b"AAD_TIME=" not in last:
            await asyncio.sleep(0)
            with contextlib.suppress(BlockingIOError):
                last = listener.recv(4096)
        assert before - 0.001 <= float(last.split(b"AAD_TIME=")[1]) <= after + 0.001


async def test_what_a_full_queue_loses_is_counted_and_said_once_where_it_is_missing(place: Path) -> None:
    with listening(place) as listener, closing(Journal(lost)) as writer:
        for one in numbered(range(6000)):
            writer.send(one + b"\n")
        assert writer.queued == MOST_RECORDS
        held = 6000 - writer.dropped
        assert held > MOST_RECORDS
        found = await read_until(listener, b"LOST=%d" % writer.dropped)
        assert found == [*numbered(range(held)), b"LOST=%d" % writer.dropped]
        writer.send(b"N=6000\n")
        assert await read_until(listener, b"N=6000") == [b"N=6000"]
        assert writer.dropped == 6000 - held  # since the start: a counter


async def test_a_journald_that_stays_slow_is_not_told_of_each_loss(place: Path) -> None:
    found: list[bytes] = []
    with listening(place) as listener, closing(Journal(lost)) as writer:
        for number in range(4 * MOST_RECORDS):
            writer.send(b"N=%d\n" % number)
            if number % 2:  # it reads half of what is written
                found.append(listener.recv(4096))
                await asyncio.sleep(0)
        writer.send(b"END=\n")
        told = [int(one.split(b"=")[1].split()[0]) for one in found if one.startswith(b"LOST")]
        assert len(told) <= 3
        rest = [int(one.split(b"=")[1]) for one in await read_until(listener, b"END=") if one.startswith(b"LOST")]
        assert sum(told + rest) == writer.dropped


def test_without_an_event_loop_the_next_record_is_the_next_try(place: Path) -> None:
    with listening(place) as listener, closing(Journal(lost)) as writer:
        for one in numbered(range(100)):
            writer.send(one + b"\n")
        found = read(listener)
        while writer.queued:
            writer.send(b"MORE=\n")
            found += read(listener)
        assert found[:100] == numbered(range(100))


async def test_the_queue_is_bounded_in_octets_too(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_writer, "MOST_OCTETS", 100_000)
    with listening(place) as listener, closing(Journal(lost)) as writer:
        for number in range(1000):
            writer.send(b"N=%d\nMESSAGE=%s\n" % (number, b"x" * 1000))
        assert writer.queued < 100
        found = await read_until(listener, b"LOST=%d" % writer.dropped)
        assert found[:-1] == numbered(range(1000 - writer.dropped))


async def test_a_journald_that_starts_anew_gets_what_the_old_one_did_not_read(place: Path) -> None:
    with closing(Journal(lost)) as writer:
        with listening(place) as listener:
            writer.send(b"N=0\n")
            assert read(listener) == [b"N=0"]
        writer.send(b"N=1\n")
        writer.send(b"N=2\n")
        assert writer.queued == 2
        with listening(place) as listener:
            assert await read_until(listener, b"N=2") == [b"N=1", b"N=2"]
        writer.send(b"N=3\n")
        with listening(place) as listener:
            assert await read_until(listener, b"N=3") == [b"N=3"]
        assert writer.dropped == 0


async def test_journald_gone_while_records_wait(place: Path) -> None:
    with closing(Journal(lost)) as writer:
        with listening(place) as listener:
            for one in numbered(range(50)):
                writer.send(one + b"\n")
            first = read(listener)
            await asyncio.sleep(0)
            assert writer.queued
            first += read(listener)
        with listening(place) as listener:
            rest = await read_until(listener, b"N=49")
        # What lay in the old socket is lost with it; nothing comes twice, nothing out of order.
        assert rest == numbered(range(50 - len(rest), 50))
        assert len(first) + len(rest) <= 50


async def test_journald_may_come_later(place: Path) -> None:
    with closing(Journal(lost)) as writer:
        writer.send(b"N=0\n")
        with listening(place) as listener:
            assert await read_until(listener, b"N=0") == [b"N=0"]


def test_the_rest_is_read_at_the_end(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_writer, "FAREWELL", 10.0)
    with listening(place) as listener:
        writer = Journal(lost)
        for one in numbered(range(30)):
            writer.send(one + b"\n")
        listener.setblocking(True)
        reader = asyncio.run(_closed_while_read(writer, listener))
        assert reader == numbered(range(30))


async def _closed_while_read(writer: Journal, listener: socket.socket) -> list[bytes]:
    async def read_all() -> list[bytes]:
        return [(await asyncio.to_thread(listener.recv, 4096)).partition(b"\n")[0] for _ in range(30)]

    found, _ = await asyncio.gather(read_all(), asyncio.to_thread(writer.close))
    return found


def test_the_end_does_not_wait_for_ever(place: Path) -> None:
    with listening(place):
        writer = Journal(lost)
        for one in numbered(range(30)):
            writer.send(one + b"\n")
        began = time.monotonic()
        writer.close()
        assert 0.1 < time.monotonic() - began < 5


def test_a_record_too_large_for_a_datagram_comes_as_a_file(place: Path) -> None:
    with listening(place) as listener, closing(Journal(lost)) as writer:
        large = b"MESSAGE=" + b"x" * 1_000_000 + b"\n"
        writer.send(large)
        octets, (file,), _, _ = socket.recv_fds(listener, 4096, 1)
        assert octets == b""
        with open(file, "rb") as memory:  # noqa: PTH123 - a descriptor
            assert memory.read() == b""  # its writer stands at the end
            memory.seek(0)
            assert memory.read() == large
        assert writer.dropped == 0
