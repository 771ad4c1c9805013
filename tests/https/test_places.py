"""One source takes a part of connections and of logins in progress, however many addresses it has."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from aad.config import certificate
from aad.core.conversation import Accepted, Rejected
from aad.core.identity import Attempt
from aad.core.outcome import Reason
from aad.core.secret import Secret
from aad.core.turns import share
from aad.core.user_address import UNKNOWN, Networks, place_of, read
from aad.https import server as module
from aad.https.login_front import LoginFront, LoginRequest, Refusal
from aad.https.problems import ProblemError, TooManyFailuresError
from aad.https.router import Router
from aad.https.server import Server, Setup
from aad.https.slowing import Slowing
from aad.login.engine import Asked
from tests.parts.authority import Authority
from tests.parts.network import Host

NOBODY = Rejected(Reason.UNKNOWN_USER)
SHARE = share(0)  # of few places, too


@dataclass
class Engine:
    """Replies what the test wants, once it wants."""

    go: asyncio.Event = field(default_factory=asyncio.Event)
    reply: Asked | Accepted | Rejected = NOBODY
    begun: list[Attempt] = field(default_factory=list)

    async def begin(self, attempt: Attempt) -> Asked | Accepted | Rejected:
        self.begun.append(attempt)
        await self.go.wait()
        return self.reply

    async def answer(self, _ticket: bytes, attempt: Attempt) -> Asked | Accepted | Rejected:
        return await self.begin(attempt)


class Fronted:
    """A front over that engine, and what it records."""

    def __init__(self, at_work: int = 100) -> None:
        self.engine = Engine()
        self.records: list[tuple[str, dict[str, object]]] = []
        self.front = LoginFront(
            engine=self.engine,  # type: ignore[arg-type]  # begin and answer are all that is asked of it
            record=self._record,
            reject_message="no",
            reject_delay=0.0,
            at_work=at_work,
            random=lambda: 0.0,
            slowing=Slowing(self._record),
            never_slowed=Networks(("198.51.100.0/24",)),
        )

    def _record(self, name: str, /, **fields: object) -> None:
        self.records.append((name, fields))

    def ask(self, address: str, endpoint: str = "portal", name: str = "alice") -> asyncio.Task[Any]:
        return asyncio.create_task(self.front.begin(login_request(address, endpoint), name, Secret("x"), 0.0))

    async def answered(self, address: str) -> Any:
        return await self.front.answer(login_request(address), "alice", b"ticket", Secret("x"), 0.0)


def login_request(address: str, endpoint: str = "portal") -> LoginRequest:
    place = read(address) if address else UNKNOWN
    return LoginRequest(client=endpoint, event="vpn", deadline=10.0, user_address=place, counted=place_of(place))


async def test_one_place_has_a_quarter_of_the_logins_at_work() -> None:
    fronted = Fronted(at_work=100)
    tasks = [fronted.ask(f"2001:db8::{number:x}") for number in range(25)]
    await asyncio.sleep(0)
    with pytest.raises(ProblemError, match="too-many-logins"):
        await fronted.ask("2001:db8::ffff")
    tasks += [fronted.ask("2001:db8:0:1::1"), fronted.ask("2001:db8::ffff", "shop")]
    await asyncio.sleep(0)
    assert len(fronted.engine.begun) == 27
    assert {attempt.counted for attempt in fronted.engine.begun} == {"2001:db8::/64", "2001:db8:0:1::/64"}
    fronted.engine.go.set()
    await asyncio.gather(*tasks)
    assert not fronted.front._at_work


async def test_all_that_say_no_place_share_what_there_is() -> None:
    fronted = Fronted(at_work=100)
    tasks = [fronted.ask("") for _ in range(100)]
    await asyncio.sleep(0)
    for address in ("", "192.0.2.1"):
        with pytest.raises(ProblemError, match="too-many-logins"):
            await fronted.ask(address)
    fronted.engine.go.set()
    assert await asyncio.gather(*tasks) == [Refusal("no")] * 100
    assert await fronted.ask("192.0.2.1") == Refusal("no")


async def test_a_few_logins_at_work_are_always_one_places() -> None:
    fronted = Fronted(at_work=SHARE)
    tasks = [fronted.ask("192.0.2.1") for _ in range(SHARE)]
    await asyncio.sleep(0)
    assert len(fronted.engine.begun) == SHARE
    fronted.engine.go.set()
    await asyncio.gather(*tasks)


@pytest.mark.parametrize(
    ("reply", "name", "enough"),
    [
        (NOBODY, "alice", 16),
        (NOBODY, "al\0ice", 16),
        (Asked(b"ticket", "Code", 60.0), "alice", 61),
        (Asked(b"ticket", "Code", 60.0, proven=True), "alice", 0),
    ],
    ids=["refused", "odd", "anybody's challenge", "a challenge after a proof"],
)
async def test_what_a_failure_costs(reply: Asked | Rejected, name: str, enough: int) -> None:
    fronted = Fronted()
    fronted.engine.reply = reply
    fronted.engine.go.set()
    for _ in range(enough or 100):
        await fronted.ask("192.0.2.1", name=name)
    if enough:
        with pytest.raises(TooManyFailuresError) as caught:
            await fronted.ask("192.0.2.1", name=name)
        assert caught.value.headers == (("Retry-After", str(caught.value.seconds)),)
        assert 30 <= caught.value.seconds <= 33
    slowed = [fields for name, fields in fronted.records if name == "source.slowed"]
    reason = "too many logins from there have failed"
    assert slowed == [{"client": "portal", "source": "192.0.2.1", "reason": reason}][: enough and 1]
    assert isinstance(await fronted.ask("192.0.2.2"), Asked | Refusal)


async def test_an_office_behind_one_address_is_never_slowed_if_that_is_said() -> None:
    fronted = Fronted(at_work=SHARE + 5)
    tasks = [fronted.ask("198.51.100.7") for _ in range(SHARE + 5)]
    await asyncio.sleep(0)
    assert len(fronted.engine.begun) == SHARE + 5
    fronted.engine.go.set()
    await asyncio.gather(*tasks)
    for _ in range(40):
        assert await fronted.ask("198.51.100.7") == Refusal("no")


async def test_a_wrong_answer_costs_and_is_never_kept_from_being_given() -> None:
    fronted = Fronted()
    fronted.engine.go.set()
    for _ in range(40):
        assert await fronted.answered("192.0.2.1") == Refusal("no")
    with pytest.raises(TooManyFailuresError):
        await fronted.ask("192.0.2.1")
    assert await fronted.answered("192.0.2.1") == Refusal("no")


@pytest.fixture
def far() -> Iterator[Host]:
    """Return a machine that has every address of 2001:db8::/32."""
    with Host("far") as host:
        host.ip("-6", "route", "add", "local", "2001:db8::/32", "dev", "lo")
        yield host


@pytest.fixture
async def serving(far: Host, tmp_path: Path) -> AsyncIterator[tuple[Server, int]]:
    made = Authority(tmp_path / "ca").certificate()
    tls = certificate.context(made.cert_file.read_bytes(), Secret(made.key_file.read_bytes()))
    router = Router([], lambda _name, /, **_fields: None)
    server = Server(Setup(router=router, tls=tls, trusted=Networks(()), connections=64))
    with far.inside():
        listening = socket.create_server(("::", 0), family=socket.AF_INET6)
    listening.setblocking(False)
    server.listen([listening])
    yield server, listening.getsockname()[1]
    await server.drain(0.1)


async def test_a_64_of_ipv6_holds_as_many_connections_as_one_address(
    far: Host, serving: tuple[Server, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HANDSHAKE", 60.0)
    server, port = serving

    def connect(address: str) -> socket.socket:
        with far.inside():
            made = socket.socket(socket.AF_INET6)
            made.setsockopt(socket.IPPROTO_IPV6, 78, 1)  # IPV6_FREEBIND
            made.bind((address, 0))
            made.connect(("2001:db8::1", port))
        made.setblocking(False)
        return made

    crowd = [connect(f"2001:db8:0:7::{number:x}") for number in range(1, 21)]
    crowd += [connect("2001:db8:0:8::1")]
    loop, ended = asyncio.get_running_loop(), 0
    for each in crowd[16:20]:
        ended += await asyncio.wait_for(loop.sock_recv(each, 1), 10) == b""
    assert ended == 4
    assert server._held == {"2001:db8:0:7::/64": 16, "2001:db8:0:8::/64": 1}
    for each in crowd:
        each.close()
