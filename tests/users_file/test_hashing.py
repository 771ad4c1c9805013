"""Passwords are hashed by turns: a flood waits behind itself."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from aad.core.asker import ASKER
from aad.core.scrypt import Hash
from aad.core.secret import Secret
from aad.core.turns import Source
from aad.ports import Unavailable
from aad.users_file import hashing as module
from aad.users_file.hashing import THREADS, Hashing

NEVER = float("inf")
PASSWORD = Secret(b"correct horse")
GREEDY, OTHER = Source("portal", "192.0.2.1"), Source("vpn")


@dataclass(frozen=True)
class Slow(Hash):
    """A hash that takes as long as the test says, and notes that it was begun."""

    name: str = ""
    begun: list[str] = field(default_factory=list)
    working: threading.Semaphore = field(default_factory=threading.Semaphore)
    go: threading.Event = field(default_factory=threading.Event)
    fault: bool = False

    def fits(self, password: Secret) -> bool:
        assert password == PASSWORD
        self.begun.append(self.name)
        self.working.release()
        self.go.wait(30)
        if self.fault:
            raise MemoryError
        return self.name.isupper()


@dataclass
class Crowd:
    """Asks for hashes, each in a task of its own."""

    hashing: Hashing
    begun: list[str] = field(default_factory=list)
    working: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    go: threading.Event = field(default_factory=threading.Event)

    def ask(self, source: Source, name: str, deadline: float = NEVER, *, fault: bool = False) -> asyncio.Task[bool]:
        async def asked() -> bool:
            ASKER.set(source)
            stored = Slow(4096, 8, 1, b"", b"", name, self.begun, self.working, self.go, fault)
            return await self.hashing.fits(stored, PASSWORD, deadline)

        return asyncio.create_task(asked())


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    crowd = Crowd(Hashing("test"))
    yield crowd
    crowd.go.set()
    crowd.hashing.end()


async def full(crowd: Crowd) -> list[asyncio.Task[bool]]:
    """Give every thread something to do."""
    tasks = [crowd.ask(GREEDY, f"g{number}") for number in range(THREADS)]
    for _ in tasks:
        assert await asyncio.to_thread(crowd.working.acquire, timeout=30)
    return tasks


async def test_each_source_has_its_turn(crowd: Crowd) -> None:
    tasks = await full(crowd)
    tasks += [crowd.ask(GREEDY, f"g{number}") for number in range(THREADS, 20)]
    await asyncio.sleep(0)
    tasks += [crowd.ask(OTHER, "A"), crowd.ask(OTHER, "B")]
    await asyncio.sleep(0)
    crowd.go.set()
    assert [await task for task in tasks] == [False] * 20 + [True] * 2
    assert {"A", "B"} < set(crowd.begun[: THREADS + 5])


async def test_what_is_late_is_never_begun(crowd: Crowd) -> None:
    tasks = await full(crowd)
    late = crowd.ask(OTHER, "late", time.monotonic() + 0.02)
    with pytest.raises(Unavailable, match="more passwords than 2 threads can check in time") as caught:
        await late
    assert caught.value.where == ""
    crowd.go.set()
    await asyncio.gather(*tasks)
    with pytest.raises(Unavailable):
        await crowd.ask(OTHER, "late", time.monotonic() - 1)
    assert "late" not in crowd.begun


async def test_who_gives_up_takes_no_turn_and_the_threads_go_on(crowd: Crowd) -> None:
    tasks = await full(crowd)
    gone = crowd.ask(OTHER, "gone")
    await asyncio.sleep(0)
    gone.cancel()
    tasks[0].cancel()  # it is being hashed
    await asyncio.wait([gone, tasks[0]])
    crowd.go.set()
    assert await crowd.ask(OTHER, "A")
    await asyncio.wait(tasks)
    assert "gone" not in crowd.begun


async def test_one_too_many_of_a_source_is_told_at_once(crowd: Crowd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EACH", 3)
    crowd.hashing = Hashing("test")
    tasks = await full(crowd)
    tasks += [crowd.ask(GREEDY, "g") for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable, match="more than 3 passwords of one source wait to be checked"):
        await crowd.ask(GREEDY, "g")
    other = crowd.ask(OTHER, "A")
    await asyncio.sleep(0)
    crowd.go.set()
    assert await other
    assert await asyncio.gather(*tasks) == [False] * (THREADS + 3)


async def test_a_fault_in_a_thread_is_its_own(crowd: Crowd) -> None:
    crowd.go.set()
    with pytest.raises(MemoryError):
        await crowd.ask(OTHER, "A", fault=True)
    assert await crowd.ask(OTHER, "A")


async def test_a_pretended_hash_takes_its_turn_and_the_time_of_one_but_no_thread(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TOOK", 0.2)
    crowd.hashing = Hashing("test")
    began = time.monotonic()
    with pytest.raises(Unavailable):
        await crowd.hashing.pretend(began + 0.01)  # it would take longer
    await crowd.hashing.pretend(NEVER)
    assert time.monotonic() - began >= 0.2
    tasks = await full(crowd)
    with pytest.raises(Unavailable):
        await crowd.hashing.pretend(time.monotonic() + 0.01)  # it has no turn
    pretended = [asyncio.create_task(crowd.hashing.pretend(NEVER)) for _ in range(50)]
    await asyncio.sleep(0)
    began = time.monotonic()
    crowd.go.set()
    await asyncio.gather(*tasks, *pretended)
    assert time.monotonic() - began < 50 * 0.1, "all of them wait at the same time"
    for _ in range(50):
        await crowd.ask(OTHER, "A")
    began = time.monotonic()
    await crowd.hashing.pretend(NEVER)
    assert time.monotonic() - began < 0.2, "it is the time that hashes took of late"


async def test_after_its_end_nothing_more_is_begun(crowd: Crowd) -> None:
    tasks = await full(crowd)
    waiting = crowd.ask(OTHER, "waiting", time.monotonic() + 0.05)
    await asyncio.sleep(0)
    crowd.hashing.end()
    crowd.go.set()
    await asyncio.wait(tasks)
    with pytest.raises(Unavailable):
        await waiting
    assert "waiting" not in crowd.begun
