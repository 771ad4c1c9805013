"""A name server that is dead, slow or wrong: one thread a name, and the addresses of the last time."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from aad.net.resolve import NoAnswerError, Resolver
from tests.parts.waiting import until

Answer = list[str] | Exception


class NameServer:
    """Answers what getaddrinfo asks, once it may."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []
        self.alive = threading.Event()
        self.alive.set()

    def getaddrinfo(self, host: str, _port: object, **_more: object) -> list[Any]:
        self.asked.append(host)
        self.alive.wait()
        found = self.answers.get(host, [])
        if isinstance(found, Exception):
            raise found
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in found]


@pytest.fixture
def dns(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    server = NameServer()
    monkeypatch.setattr("aad.net.resolve.socket.getaddrinfo", server.getaddrinfo)
    yield server
    server.alive.set()
    until(lambda: not lookups(), what="the threads of all lookups gone")


def lookups() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("lookup of ")]


def within(seconds: float) -> float:
    return time.monotonic() + seconds


async def test_addresses_in_order_each_once(dns: NameServer) -> None:
    dns.answers["a.example"] = ["192.0.2.2", "192.0.2.1", "192.0.2.2"]
    assert await Resolver().addresses("a.example", within(10)) == ["192.0.2.2", "192.0.2.1"]


async def test_each_time_the_name_is_looked_up_again(dns: NameServer) -> None:
    resolver = Resolver()
    for address in ("192.0.2.1", "192.0.2.2"):
        dns.answers["a.example"] = [address]
        assert await resolver.addresses("a.example", within(10)) == [address]


async def test_a_dead_name_server_gets_one_thread_and_half_the_time(dns: NameServer) -> None:
    resolver = Resolver()
    dns.alive.clear()
    began = time.monotonic()
    asked = [resolver.addresses("a.example", within(0.4)) for _ in range(100)]
    told = await asyncio.gather(*asked, return_exceptions=True)
    assert 0.2 <= time.monotonic() - began < 0.4
    assert {str(error) for error in told} == {"no answer to what the address of a.example is"}
    assert all(isinstance(error, NoAnswerError) for error in told)
    assert dns.asked == ["a.example"]
    assert lookups() == ["lookup of a.example"]


async def test_a_dead_name_does_not_delay_another(dns: NameServer) -> None:
    resolver = Resolver()
    dns.alive.clear()
    stuck = asyncio.create_task(resolver.addresses("a.example", within(60)))
    await asyncio.to_thread(until, lambda: dns.asked)
    dns.alive, alive = threading.Event(), dns.alive
    dns.alive.set()
    dns.answers = {"a.example": ["192.0.2.1"], "b.example": ["192.0.2.2"]}
    assert await resolver.addresses("b.example", within(10)) == ["192.0.2.2"]
    alive.set()
    assert await stuck == ["192.0.2.1"]


async def test_without_an_answer_in_half_the_time_those_of_the_last_time_are_used(dns: NameServer) -> None:
    resolver = Resolver()
    dns.answers["a.example"] = ["192.0.2.1"]
    await resolver.addresses("a.example", within(10))
    dns.alive.clear()
    dns.answers["a.example"] = ["192.0.2.2"]
    assert await resolver.addresses("a.example", within(0.2)) == ["192.0.2.1"]
    dns.alive.set()
    assert await resolver.addresses("a.example", within(10)) == ["192.0.2.2"]  # the lookup that was in progress
    assert dns.asked == ["a.example"] * 2


async def test_an_answer_that_comes_late_is_there_for_those_who_ask_next(dns: NameServer) -> None:
    resolver = Resolver()
    dns.answers["a.example"] = ["192.0.2.1"]
    dns.alive.clear()
    with pytest.raises(NoAnswerError):
        await resolver.addresses("a.example", within(0.01))
    dns.alive.set()
    await asyncio.to_thread(until, lambda: not lookups())
    dns.alive.clear()
    assert await resolver.addresses("a.example", within(0.2)) == ["192.0.2.1"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "Name or service not known"),
        (UnicodeError("label too long"), "a.example is no host name"),
        ([], "a.example has no address"),
    ],
)
async def test_a_name_that_is_wrong(dns: NameServer, answer: Answer, words: str) -> None:
    resolver = Resolver()
    dns.answers["a.example"] = answer
    with pytest.raises(OSError, match=words):
        await resolver.addresses("a.example", within(10))
    dns.answers["a.example"] = ["192.0.2.1"]
    assert await resolver.addresses("a.example", within(10)) == ["192.0.2.1"]
    dns.answers["a.example"] = answer
    assert await resolver.addresses("a.example", within(10)) == ["192.0.2.1"]


async def test_who_is_cancelled_leaves_the_lookup_to_the_others(dns: NameServer) -> None:
    resolver = Resolver()
    dns.answers["a.example"] = ["192.0.2.1"]
    dns.alive.clear()
    first, second = (asyncio.create_task(resolver.addresses("a.example", within(60))) for _ in range(2))
    await asyncio.to_thread(until, lambda: dns.asked)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    dns.alive.set()
    assert await second == ["192.0.2.1"]


def test_nobody_waits_for_a_lookup_when_the_loop_is_gone(dns: NameServer) -> None:
    dns.alive.clear()

    async def ask() -> None:
        with pytest.raises(NoAnswerError):
            await Resolver().addresses("a.example", within(0.01))

    asyncio.run(ask())
    dns.answers["a.example"] = ["192.0.2.1"]
    dns.alive.set()
    until(lambda: not lookups(), what="the thread gone")
