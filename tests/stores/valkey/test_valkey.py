"""The Valkey store and the world around it: several nodes, clocks, dead and frozen servers, TLS, passwords."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from aad.core.answer import Plain
from aad.core.identity import User
from aad.core.row import Kind, Rules, row_name
from aad.core.secret import Secret
from aad.login.lockout import Lockout, Standing
from aad.login.outages import Outages
from aad.ports import Change, Taken, Unavailable, Wiring
from aad.stores.valkey import Valkey, commands, scripts
from aad.stores.valkey.settings import ValkeySettings
from tests.parts.authority import Authority
from tests.parts.ports import free_port
from tests.parts.redis import Redis, Sentinel
from tests.stores.conftest import valkey_at
from tests.stores.kept import OWNER, keep, taken, tally

PREFIX = "aad:"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Redis]:
    """Run a server of the test's own, which may be killed."""
    with Redis(tmp_path / "own") as running:
        yield running


class Ears:
    """Hears what is recorded of outages."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.outages = Outages(self._record)

    def _record(self, name: str, /, **fields: object) -> None:
        self.heard.append({"store.up": "over", "store.down": str(fields.get("reason"))}[name])

    async def until(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.heard) < count:  # noqa: ASYNC110 - it is done by a task of the store's own
                await asyncio.sleep(0.01)


def node(server: Redis, ears: Ears | None = None, **more: Any) -> Valkey:
    given = {"url": server.url, "prefix": PREFIX, **more}
    outage = ears.outages.noticed if ears else None
    return Valkey(ValkeySettings(**given), Wiring(name="store", key=Secret(b""), outage=outage))


@pytest.fixture
async def nodes(redis: Redis) -> AsyncIterator[tuple[Valkey, Valkey]]:
    one = valkey_at(redis)
    other = valkey_at(redis, prefix=one._shared._prefix.decode())
    async with one, other:
        yield one, other


async def test_a_login_kept_at_one_node_is_taken_once_at_any(nodes: tuple[Valkey, Valkey]) -> None:
    one, other = nodes
    await keep(one, b"ticket", OWNER, b"login", one.now() + 60)
    assert await other.logins_of(OWNER) == [(b"ticket", b"login")]
    found = await asyncio.gather(*(taken(each, b"ticket") for _ in range(25) for each in nodes))
    assert sorted(found, key=str) == [*[None] * 49, b"login"]


def test_it_works_in_uvloop_as_in_asyncio(redis: Redis) -> None:
    async def took() -> bytes | None:
        async with valkey_at(redis) as store:
            await keep(store, b"ticket", OWNER, b"login", store.now() + 60)
            return await taken(store, b"ticket")

    with asyncio.Runner(loop_factory=pytest.importorskip("uvloop").new_event_loop) as runner:
        assert runner.run(took()) == b"login"


async def test_counters_are_common(nodes: tuple[Valkey, Valkey]) -> None:
    counts = await asyncio.gather(*(each.increment(tally(each), 3, extend=True) for _ in range(20) for each in nodes))
    assert sorted(counts, reverse=True)[:4] == [3, 2, 1, 0]
    assert await nodes[0].counters("lockout") == await nodes[1].counters("lockout") != []
    assert await nodes[1].delete_counter("lockout", "", "alice")
    assert await nodes[0].increment(tally(nodes[0]), 3, extend=True) == 1


async def test_two_nodes_have_one_clock(
    nodes: tuple[Valkey, Valkey], redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = nodes
    assert abs(one.now() - other.now()) < 0.5
    monkeypatch.setattr(time, "time", lambda: 0.0)
    late = node(redis, prefix="x:")
    assert late.now() < 1e6, "its own wall clock, until the server has answered"
    async with late:
        assert abs(late.now() - one.now()) < 0.5


async def test_the_common_clock_never_goes_back(server: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "EVERY", 0.01)
    server.say("SET", f"{PREFIX}clock", "3600000000")
    async with node(server) as one, node(server) as other:
        before = one.now()
        assert before > time.time() + 3000
        server.say("DEL", f"{PREFIX}clock")  # as if another server, an hour behind, had taken over
        async with asyncio.timeout(10):
            while server.say("GET", f"{PREFIX}clock") == "$-1\r\n":  # noqa: ASYNC110 - a task of the store's own
                await asyncio.sleep(0.01)
        assert before < other.now() < one.now() + 0.5 < before + 20
        async with node(server) as third:
            assert abs(third.now() - one.now()) < 0.5


async def test_a_clock_set_forward_ends_what_waits(server: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    async with node(server) as store:
        await keep(store, b"ticket", OWNER, b"login", store.now() + 60)
        server.say("SET", f"{PREFIX}clock", "3600000000")
        await store._shared._time(
            lambda: store._shared.connection.run(scripts.CLOCK, (b"aad:clock",), store._shared.clock.floor())
        )
        assert await store.logins_of(OWNER) == []
        assert await taken(store, b"ticket") is None


async def test_all_keys_but_held_ones_end(server: Redis) -> None:
    async with node(server) as store:
        await keep(store, b"ticket", OWNER, b"login", store.now() + 60)
        await store.increment(tally(store), 3, extend=True)
        await store.increment(tally(store, scope="wifi", lasts=9000), 3, extend=True)
        await store.compare_and_set("kind", "alice", None, b"value")
        ends = {
            key: int(server.say("PTTL", f"{PREFIX}{key}").strip(":\r\n"))
            for key in ("login:ticket", f"holder:{OWNER}", "waiting", "counter:lockout\0alice", "held:kind")
        }
    assert all(119_000 < ends[key] <= 121_000 for key in ("login:ticket", f"holder:{OWNER}", "waiting"))
    assert 8_990_000 < ends["counter:lockout\0alice"] <= 9_000_000
    assert ends["held:kind"] == -1
    assert server.say("DBSIZE") == ":5\r\n"


async def test_logins_that_went_well_leave_nothing_behind(server: Redis) -> None:
    async with node(server) as store:
        for number in range(20):
            await store.increment(tally(store, f"user{number}"), 3, extend=True)
            await keep(store, b"%d" % number, f"{OWNER}{number}", b"login", store.now() + 60)
            await store.decrement("lockout", "vpn", f"user{number}")
            await taken(store, b"%d" % number)
        assert await store.count_logins() == 0
    assert server.say("DBSIZE") == ":0\r\n"


async def test_a_holder_has_few_tickets(server: Redis) -> None:
    async with node(server) as store:
        for number in range(40):
            await keep(store, b"%d" % number, OWNER, b"login", store.now() + 60, most=3)
        assert server.say("LLEN", f"{PREFIX}holder:{OWNER}") == ":3\r\n"
        assert await store.count_logins() == 3


async def test_too_many_keys_refuse_new_names_only(server: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "MOST_KEYS", 2)
    async with node(server) as store:
        for name in ("alice", "bob"):
            await store.increment(tally(store, name), 3, extend=True)
        with pytest.raises(Unavailable, match="2 keys are in the database, so new names are refused"):
            await store.increment(tally(store, "mallory"), 3, extend=True)
        assert await store.increment(tally(store, "bob"), 3, extend=True) == 2
        await store.delete_counter("lockout", "", "alice")
        assert await store.increment(tally(store, "mallory"), 3, extend=True) == 1


async def test_a_full_server_is_said_and_lets_go(server: Redis) -> None:
    async with node(server) as store:
        await keep(store, b"ticket", OWNER, b"login", store.now() + 60)
        server.say("CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(Unavailable, match="OOM"):
            await keep(store, b"another", OWNER, b"login", store.now() + 60)
        assert await taken(store, b"ticket") == b"login"
        server.say("CONFIG", "SET", "maxmemory", "0")
        await keep(store, b"another", OWNER, b"login", store.now() + 60)


async def test_kill_9_of_the_server_is_told_once_and_loses_nothing(server: Redis) -> None:
    ears = Ears()
    async with node(server, ears) as store:
        await keep(store, b"ticket", OWNER, b"login", store.now() + 60)
        await store.increment(tally(store), 3, extend=True)
        server.kill()
        await ears.until(1)
        for _ in range(100):
            began = time.monotonic()
            with pytest.raises(Unavailable, match=str(server.port)):
                await taken(store, b"ticket")
            assert time.monotonic() - began < 0.1
        server.start()
        await ears.until(2)
        assert ears.heard[1:] == ["over"]
        assert await taken(store, b"ticket") == b"login"
        assert await store.increment(tally(store), 3, extend=True) == 2


async def test_a_frozen_server_holds_nobody_up_and_does_nothing_late(server: Redis) -> None:
    ears = Ears()
    async with node(server, ears, timeout=0.2) as store:
        await keep(store, b"ticket", OWNER, b"login", store.now() + 60)
        server.pause()
        began = time.monotonic()
        asked = await asyncio.gather(
            taken(store, b"ticket"),
            *(store.increment(tally(store), 3, extend=True) for _ in range(20)),
            return_exceptions=True,
        )
        assert time.monotonic() - began < 0.2 + 0.3
        assert all(isinstance(each, Unavailable) for each in asked)
        with pytest.raises(Unavailable, match="no answer within 200ms"):
            await taken(store, b"ticket")
        await ears.until(1)
        server.resume()
        await ears.until(2)
        # It read what had been asked, and left it: nobody knew any more.
        assert await taken(store, b"ticket") == b"login"
        assert await store.counters("lockout") == []


async def test_an_idle_connection_that_was_closed_is_no_outage(server: Redis) -> None:
    ears = Ears()
    async with node(server, ears) as store:
        first = store._shared.connection._connection
        server.say("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        async with asyncio.timeout(10):
            while store._shared.connection._connection in (None, first):  # noqa: ASYNC110 - a task of the store's own
                await asyncio.sleep(0.005)
        assert await store.count_logins() == 0
    assert ears.heard == []


async def test_all_names_are_found_step_by_step_and_no_walk_is_without_end(
    server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with node(server) as store:
        names = [f"user{number:04}" for number in range(600)]  # more than the server keeps in one piece
        await asyncio.gather(*(store.compare_and_set("kind", name, None, b"x" * 100) for name in names))
        assert await store.names("kind") == names
        monkeypatch.setattr(commands, "WALKED", 10_000)
        with pytest.raises(Unavailable, match="it names more keys than can be walked through"):
            await store.names("kind")


class Pusher:
    """Hands all on to a real server, and says what nobody asked for as soon as the connection is in use."""

    def __init__(self, server: Redis) -> None:
        self.connections = 0
        self.pushes = True
        self._real = server.socket
        self._serving: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._serving.add(cast("asyncio.Task[None]", asyncio.current_task()))
        answers, questions = await asyncio.open_unix_connection(self._real)
        with contextlib.suppress(OSError):
            while asked := await reader.read(65536):
                questions.write(asked)
                writer.write(await answers.read(65536))
                if self.pushes and b"EVALSHA" in asked:
                    await asyncio.sleep(0.02)
                    writer.write(b"+hello\r\n")
        for each in (questions, writer):
            each.close()
            with contextlib.suppress(OSError):
                await each.wait_closed()

    async def ended(self) -> None:
        """Wait until no connection is left."""
        await asyncio.gather(*self._serving)


async def test_one_that_says_what_nobody_asked_for_is_not_connected_to_again_and_again(server: Redis) -> None:
    pusher = Pusher(server)
    async with await asyncio.start_server(pusher.serve, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        async with node(server, url=f"valkey://127.0.0.1:{port}/0") as store:
            await asyncio.sleep(2.0)  # after 0.5, 1 and 2 seconds
            assert 1 < pusher.connections <= 4
            with pytest.raises(Unavailable, match="it answered without a question"):
                await store.count_logins()
            pusher.pushes = False
            async with asyncio.timeout(10):
                while not store._shared.connection.up:  # noqa: ASYNC110 - a task of the store's own
                    await asyncio.sleep(0.01)
            assert await store.count_logins() == 0
        await pusher.ended()


async def test_forgotten_scripts_are_loaded_again(server: Redis) -> None:
    async with node(server) as store:
        server.say("SCRIPT", "FLUSH")
        with pytest.raises(Unavailable, match="NOSCRIPT"):
            await store.count_logins()
        async with asyncio.timeout(10):
            while not store._shared.connection.up:  # noqa: ASYNC110 - a task of the store's own
                await asyncio.sleep(0.005)
        assert await store.count_logins() == 0


async def test_without_its_server_a_node_goes_on_with_its_own_state_if_it_may(server: Redis) -> None:
    ears = Ears()
    async with node(server, ears, on_unavailable="local") as store, node(server, on_unavailable="local") as other:
        await keep(store, b"before", OWNER, b"login before", store.now() + 60)
        await store.increment(tally(store), 3, extend=True)
        await store.compare_and_set("k", "alice", None, b"held")
        server.kill()
        await ears.until(1)
        await keep(store, b"amid", OWNER, b"login amid", store.now() + 60)
        assert await store.logins_of(OWNER) == [(b"amid", b"login amid")]
        assert [await store.increment(tally(store), 2, extend=True) for _ in range(3)] == [1, 2, 0]
        with pytest.raises(Unavailable):
            await taken(store, b"before")  # not "unknown": it waits at the server
        with pytest.raises(Unavailable):
            await store.get("k", "alice")
        server.start()
        await ears.until(2)
        assert await taken(store, b"amid") == b"login amid"
        assert await taken(store, b"before") == b"login before"
        assert await store.get("k", "alice") == b"held"
        async with asyncio.timeout(10):
            # What was counted amid the outage is added by a task of the store's own.
            while [each.count for each in await other.counters("lockout")] != [3]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert await store.count_logins() == 0
    assert ears.heard[1:] == ["over"]


async def test_what_a_node_counted_alone_is_not_lost_if_its_server_goes_again(
    server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    ears, row = Ears(), row_name(Kind.CODES, "corp", "alice")
    async with node(server, ears, on_unavailable="local") as store:
        store._shared.connection.on_return = None  # it is done by hand, below
        lockout = Lockout(store, Rules(), Secret(b"k" * 32))
        await lockout.count(row, Plain(Secret("000000")))
        server.kill()
        await ears.until(1)
        for _ in range(2):
            await lockout.count(row, Plain(Secret("000000")))
        for scope in ("vpn", "wifi"):
            await store.increment(tally(store, scope=scope), 3, extend=True)
        await store.put_expiring("once", {"shop": Change(b"an answer", store.now() + 60)})
        for unguessed in (
            store.get_expiring("session", "x"),
            store.put_expiring("session", {"x": Change(b"x", store.now() + 60)}),
        ):
            with pytest.raises(Unavailable):
                await unguessed
        server.start()
        await ears.until(2)

        async def away(*_: object, **_more: object) -> None:
            what = "away again"
            raise Unavailable(what, where="store")

        for gone in ("increment", "update_expiring"):
            with monkeypatch.context() as patch:
                patch.setattr(store._shared, gone, away)
                with pytest.raises(Unavailable):
                    await store._carry()
        await store._carry()
        await store._carry()
        assert [(each.scope, each.count) for each in await store.counters("lockout")] == [("vpn", 1), ("wifi", 1)]
        alice = User(name="alice", repository="corp", handle="")
        assert [each.count for each in await lockout.standings(alice)] == [3]
        assert await store.get_expiring("once", "shop") == b"an answer"


async def test_what_is_answered_after_its_server_came_back_counts_in_common(server: Redis) -> None:
    ears, row, typed = Ears(), row_name(Kind.CODES, "corp", "alice"), Plain(Secret("000000"))
    alice = User(name="alice", repository="corp", handle="")
    async with node(server, ears, on_unavailable="local") as store, node(server) as other:
        here, there = (Lockout(each, Rules(), Secret(b"k" * 32)) for each in (store, other))
        server.kill()
        await ears.until(1)
        for number in range(4):
            await keep(store, b"amid %d" % number, OWNER, b"login", store.now() + 60, row=row)
        await here.count(row, typed)
        server.start()
        await ears.until(2)
        async with asyncio.timeout(10):
            while [each.count for each in await _standings(there, alice)] != [1]:  # noqa: ASYNC110 - the store's own task adds it
                await asyncio.sleep(0.01)
        said = [await store.take_login(b"amid %d" % number, here.guess(typed).in_row) for number in range(4)]
        assert [each and each.refused for each in said] == [False, False, True, True]
        for lockout in (here, there):
            assert [each.count for each in await lockout.standings(alice)] == [3]
        assert await there.unlock(["corp"], "alice")
        assert await here.standings(alice) == []
        await store._carry()
        assert await there.standings(alice) == []
        assert await store.take_login(b"amid 3", here.guess(typed).in_row) == Taken(b"login")


async def test_an_unlock_ends_what_its_node_has_counted_alone_and_not_told_yet(server: Redis) -> None:
    ears, row = Ears(), row_name(Kind.CODES, "corp", "alice")
    alice = User(name="alice", repository="corp", handle="")
    async with node(server, ears, on_unavailable="local") as store:
        store._shared.connection.on_return = None  # it is done by hand, below
        lockout = Lockout(store, Rules(), Secret(b"k" * 32))
        server.kill()
        await ears.until(1)
        await lockout.count(row, Plain(Secret("000000")))
        server.start()
        await ears.until(2)
        assert await lockout.standings(alice)
        assert await lockout.unlock(["corp"], "alice")
        assert not await lockout.standings(alice)
        await store._carry()
        assert not await lockout.standings(alice)


async def _standings(lockout: Lockout, user: User) -> list[Standing]:
    try:
        return await lockout.standings(user)
    except Unavailable:  # it isn't connected again yet
        return []


async def test_a_node_may_start_without_the_server(server: Redis) -> None:
    server.kill()
    with pytest.raises(Unavailable, match=f"127.0.0.1:{server.port}: "):
        await node(server).__aenter__()
    ears = Ears()
    async with node(server, ears, on_unavailable="local") as store:
        assert len(ears.heard) == 1
        await keep(store, b"ticket", OWNER, b"login", store.now() + 60)
        server.start()
        await ears.until(2)
        assert await taken(store, b"ticket") == b"login"


@pytest.mark.parametrize("good", [True, False])
async def test_tls_is_verified(tmp_path: Path, good: bool) -> None:  # noqa: FBT001
    (tmp_path / "ca").mkdir()
    (tmp_path / "other").mkdir()
    authority = Authority(tmp_path / "ca")
    ca_file = authority.ca_file if good else Authority(tmp_path / "other").ca_file
    with Redis(tmp_path / "own", certificate=authority.certificate(), ca_file=authority.ca_file) as server:
        store = node(server, url=f"valkeys://localhost:{server.port}/0", ca_file=ca_file)
        if good:
            async with store:
                assert await store.count_logins() == 0
        else:
            with pytest.raises(Unavailable, match="its certificate is not good"):
                await store.__aenter__()
        plain = node(server, url=f"valkey://localhost:{server.port}/0")
        with pytest.raises(Unavailable):
            await plain.__aenter__()


async def test_a_password_opens_it_and_is_never_quoted(tmp_path: Path) -> None:
    with Redis(tmp_path / "own", password="a good password") as server:
        async with node(server, password=Secret("a good password")) as store:
            assert "appendonly" not in await store.probe()
        for wrong in (None, Secret("a bad password")):
            with pytest.raises(Unavailable, match=r"NOAUTH|WRONGPASS") as raised:
                await node(server, password=wrong).__aenter__()
            assert "a bad password" not in str(raised.value)


async def test_a_unix_socket_and_another_database(server: Redis) -> None:
    async with (
        node(server, url=f"unix://{server.socket}?db=3") as one,
        node(server, url=f"redis://127.0.0.1:{server.port}/3") as other,
        node(server) as elsewhere,
    ):
        await keep(one, b"ticket", OWNER, b"login", one.now() + 60)
        assert await taken(elsewhere, b"ticket") is None
        assert await taken(other, b"ticket") == b"login"
        assert (await one.probe()).startswith(f"{server.socket}: version ")


async def test_probe_says_what_would_lose_something(server: Redis) -> None:
    async with node(server) as store:
        server.say("CONFIG", "SET", "maxmemory", "1gb")
        server.say("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        server.say("CONFIG", "SET", "appendonly", "no")
        said = await store.probe()
    assert "maxmemory-policy should be noeviction, is allkeys-lru: it loses lockouts" in said
    assert "appendonly should be yes: a restart of the server loses enrolments" in said


async def test_sentinels_say_where_the_primary_is(server: Redis, tmp_path: Path) -> None:
    with Sentinel(tmp_path / "sentinel", server) as sentinel:
        gone = f"127.0.0.1:{free_port('tcp')}"
        given: dict[str, Any] = {"url": "valkey://mymaster/0", "sentinels": (gone, f"127.0.0.1:{sentinel.port}")}
        async with node(server, **given) as store:
            await keep(store, b"ticket", OWNER, b"login", store.now() + 60)
            assert (await store.probe()).startswith("service mymaster: version ")
        with pytest.raises(Unavailable, match=r"service other: sentinel 127.0.0.1:[0-9]+ knows no service other"):
            await node(server, **given | {"url": "valkey://other/0"}).__aenter__()
    async with node(server) as store:
        assert await taken(store, b"ticket") == b"login"


async def test_a_replica_is_out_of_order(server: Redis) -> None:
    ears = Ears()
    async with node(server, ears) as store:
        server.say("REPLICAOF", "127.0.0.1", str(free_port("tcp")))
        with pytest.raises(Unavailable, match="READONLY"):
            await keep(store, b"ticket", OWNER, b"login", store.now() + 60)
        await ears.until(1)
        assert "READONLY" in ears.heard[0]
        server.say("REPLICAOF", "NO", "ONE")
        await ears.until(2)
        await keep(store, b"ticket", OWNER, b"login", store.now() + 60)
    assert ears.heard[1:] == ["over"]
