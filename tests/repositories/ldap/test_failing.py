"""Servers that are down, hang, drip or come back: never a wrong password, never a login, never a long wait."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from aad.core.outcome import Failure, Reason, Success
from aad.core.secret import Secret
from aad.core.settings import Duration
from aad.ports import Unavailable
from aad.repositories.ldap import Ldap
from tests.parts.admission import everybody
from tests.parts.authority import Authority
from tests.parts.directory import Directory, Person
from tests.parts.ports import free_port
from tests.repositories.conftest import alice, ldap, login, within
from tests.repositories.ldap.crooked import Relay

ALICE = (Person("alice", "correct horse"),)
SLACK = 0.4  # seconds for a busy machine


@contextmanager
def taking(least: float, most: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert least <= time.monotonic() - began <= most


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("ldap ")]


def sockets() -> int:
    return sum("socket:" in str(file.readlink()) for file in Path("/proc/self/fd").iterdir() if file.is_symlink())


async def until_back(repository: Ldap, name: str = "alice", password: str = "correct horse") -> None:
    """Ask until the answer is Success."""
    for _ in range(140):
        with suppress(Unavailable):
            if await login(repository, name, password) == Success():
                return
        await asyncio.sleep(0.05)
    pytest.fail("the server was not used again within 7 s")


@pytest.mark.parametrize("mood", ["mute", "drip"])
async def test_a_server_that_hangs_holds_no_login_past_the_deadline(directory: Directory, mood: str) -> None:
    async with Relay(directory.port) as relay, ldap(directory, relay.url) as repository:
        relay.mood = mood
        with taking(0.5, 0.5 + SLACK), pytest.raises(Unavailable) as unavailable:
            await alice(repository, 0.5)
        assert unavailable.value.where == "repository corp"


@pytest.mark.parametrize("mood", ["mute", "drip"])
async def test_a_server_that_hangs_gets_its_timeout_then_the_next_is_asked(directory: Directory, mood: str) -> None:
    async with (
        Relay(directory.port) as relay,
        ldap(directory, relay.url, directory.ldap_uri, timeout=Duration(0.3)) as repository,
    ):
        relay.mood = mood
        with taking(0.3, 0.3 + SLACK):
            assert await alice(repository) == Success()
        with taking(0, 0.25):  # it is known by now
            assert await alice(repository) == Success()


async def test_a_server_that_hangs_amid_tls(directory: Directory) -> None:
    async with (
        Relay(directory.tls_port) as relay,
        ldap(directory, f"ldaps://127.0.0.1:{relay.port}", timeout=Duration(0.3)) as repository,
    ):
        relay.mood = "mute"
        with taking(0.3, 0.3 + SLACK), pytest.raises(Unavailable, match=r"no answer within 0\.3 s"):
            await alice(repository)


async def test_one_that_hangs_does_not_delay_others(directory: Directory) -> None:
    async with Relay(directory.port) as relay, ldap(directory, relay.url) as repository:
        relay.mood = "drip"
        stuck = asyncio.ensure_future(alice(repository, 1.5))
        await relay.asked.wait()
        relay.mood = ""
        with taking(0, 0.5):
            assert await alice(repository) == Success()
        assert not stuck.done()
        with pytest.raises(Unavailable):
            await stuck


async def test_a_deadline_that_passes_in_the_queue(directory: Directory) -> None:
    async with Relay(directory.port) as relay, ldap(directory, relay.url, connections=1) as repository:
        relay.mood = "mute"
        stuck = asyncio.ensure_future(alice(repository, 1.5))
        await relay.asked.wait()
        with taking(0.2, 0.2 + SLACK), pytest.raises(Unavailable, match="all connections were busy"):
            await alice(repository, 0.2)
        with taking(0, 0.1), pytest.raises(Unavailable):
            await alice(repository, -1)
        with pytest.raises(Unavailable):
            await stuck
        assert relay.accepted == 1


async def test_logins_that_are_cancelled_leave_nothing_behind(directory: Directory) -> None:
    async with Relay(directory.port) as relay, ldap(directory, relay.url, connections=1) as repository:
        relay.mood = "mute"
        stuck = asyncio.ensure_future(alice(repository, 0.5))
        await relay.asked.wait()
        queued = asyncio.ensure_future(alice(repository))
        await asyncio.sleep(0)
        for task in (stuck, queued):
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        relay.mood = ""
        await until_back(repository)


@pytest.mark.parametrize("mood", ["mute", "drip", ""])
async def test_leaving_frees_threads_and_sockets_at_once(directory: Directory, mood: str) -> None:
    async with Relay(directory.port) as relay:
        before = sockets()
        async with ldap(directory, relay.url) as repository:
            assert await alice(repository) == Success()
            assert threads() == []  # they only connect
            relay.mood = mood
            stuck = asyncio.ensure_future(alice(repository, 30))
            if mood:
                await relay.asked.wait()
            began = time.monotonic()
        assert time.monotonic() - began < 1
        assert threads() == []
        assert isinstance((await asyncio.gather(stuck, return_exceptions=True))[0], Success | Unavailable)
        await relay.left()
    assert sockets() <= before


@pytest.mark.parametrize("mood", ["close", "garbage"])
async def test_nonsense_is_neither_yes_nor_no(directory: Directory, mood: str) -> None:
    async with Relay(directory.port) as relay, ldap(directory, relay.url) as repository:
        relay.mood = mood
        with pytest.raises(Unavailable, match=r"closed the connection|no LDAP|reset") as unavailable:
            await alice(repository)
        assert "horse" not in repr(unavailable.value)
        relay.mood = ""
        await until_back(repository)


async def test_a_server_that_closes_amid_a_bind(directory: Directory) -> None:
    async with Relay(directory.port) as relay, ldap(directory, relay.url) as repository:
        found = await repository.find("alice", None, everybody, within(5))
        assert found is not None
        relay.mood = "close"
        with pytest.raises(Unavailable, match="closed the connection"):
            await repository.authenticate(found.user, Secret(b"correct horse"), within(5))


async def test_a_kept_connection_that_was_closed_is_no_outage(directory: Directory) -> None:
    async with Relay(directory.port) as relay, ldap(directory, relay.url, connections=1) as repository:
        for _ in range(3):
            assert await alice(repository) == Success()
            relay.drop()
            await relay.left()


async def test_a_server_that_closes_old_and_new_connections(directory: Directory) -> None:
    async with Relay(directory.port) as relay, ldap(directory, relay.url, connections=1) as repository:
        assert await alice(repository) == Success()
        relay.mood, accepted = "close", relay.accepted
        with pytest.raises(Unavailable, match="closed the connection"):
            await alice(repository)
        assert relay.accepted == accepted + 1
        relay.mood = ""
        await until_back(repository)


async def test_a_server_that_was_restarted_is_no_outage(tmp_path: Path, authority: Authority) -> None:
    with Directory(tmp_path, authority, ALICE) as directory:
        async with ldap(directory, directory.ldaps_uri) as repository:
            assert await alice(repository) == Success()
            directory.stop()
            directory.start()
            assert await alice(repository) == Success()


async def test_a_server_that_comes_back_is_used_again(tmp_path: Path, authority: Authority) -> None:
    with Directory(tmp_path, authority, ALICE) as directory:
        async with ldap(directory) as repository:
            directory.stop()
            for _ in range(5):
                with taking(0, 0.3), pytest.raises(Unavailable, match=r"ldap://localhost:\d+: Connection refused"):
                    await alice(repository)
            directory.start()
            await until_back(repository)


async def test_failover_and_back(tmp_path: Path, authority: Authority, directory: Directory) -> None:
    with Directory(tmp_path, authority, (*ALICE, Person("dave", "only here"))) as first:
        async with ldap(first, first.ldap_uri, directory.ldap_uri) as repository:
            assert await alice(repository) == Success()
            first.stop()
            assert await login(repository, "bob", "①23") == Success()  # only the second knows them
            first.start()
            await until_back(repository, "dave", "only here")


async def test_a_dead_server_is_tried_by_one_at_a_time(directory: Directory) -> None:
    async with (
        Relay(directory.port) as relay,
        ldap(directory, relay.url, directory.ldap_uri, timeout=Duration(0.5), connections=8) as repository,
    ):
        relay.mood = "close"
        assert await alice(repository) == Success()
        relay.mood, accepted = "mute", relay.accepted
        until = time.monotonic() + 2
        while time.monotonic() < until:
            assert await asyncio.gather(*(alice(repository) for _ in range(8))) == [Success()] * 8
        assert 1 <= relay.accepted - accepted <= 3


async def test_all_at_once(directory: Directory) -> None:
    async with ldap(directory, connections=4) as repository:
        names = ("alice", "Carol") * 100
        proofs = await asyncio.gather(*(login(repository, name, "123", 30) for name in names))
    assert proofs == [Failure(Reason.WRONG_PASSWORD), Success()] * 100


async def test_a_name_that_has_no_address(directory: Directory) -> None:
    async with ldap(directory, "ldap://nowhere.invalid", directory.ldap_uri, timeout=Duration(1.0)) as repository:
        assert await alice(repository) == Success()
    async with ldap(directory, "ldap://nowhere.invalid", timeout=Duration(1.0)) as repository:
        with pytest.raises(Unavailable, match="address"):
            await alice(repository)


async def test_nobody_listens(directory: Directory) -> None:
    async with ldap(directory, f"ldap://127.0.0.1:{free_port()}", f"ldap://[::1]:{free_port()}") as repository:
        with pytest.raises(Unavailable, match=r"ldap://127.*Connection refused; ldap://\[::1\]"):
            await alice(repository)


async def test_leaving_while_a_connection_is_made(directory: Directory) -> None:
    before = sockets()
    async with Relay(directory.tls_port) as relay:
        relay.mood = "mute"
        async with ldap(directory, f"ldaps://127.0.0.1:{relay.port}") as repository:
            stuck = asyncio.ensure_future(alice(repository, 30))
            await relay.asked.wait()
            began = time.monotonic()
        assert time.monotonic() - began < 1
        assert threads() == []
        with pytest.raises(Unavailable):
            await stuck
    assert sockets() <= before
