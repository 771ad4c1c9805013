"""Of several nodes that begin one login, one lets the method begin; the others wait for his challenge."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import replace

import pytest

from aad.core.conversation import Accepted, Rejected
from aad.core.message import Message, Receipt
from aad.core.settings import Rate
from aad.login import lease
from aad.login.engine import Asked, Engine
from aad.login.lease import Lease
from aad.login.single_flight import SingleFlight
from aad.methods.email_otp import EmailOtpSettings
from aad.ports import Unavailable
from tests.parts.fakes import MemorySender, MemoryStore, World, attempt

OWNER = "vpn\0gw\0corp\0alice"


class SlowSender(MemorySender):
    """Takes a message once the gate is open."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.begun = 0

    async def send(self, message: Message, deadline: float) -> Receipt:
        self.begun += 1
        await self.gate.wait()
        return await super().send(message, deadline)


async def nothing() -> str | None:
    return None


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "PAUSE", 0.001)


def claims(store: MemoryStore) -> list[object]:
    return [key for key in store.counted if key[0] == lease.KIND]


def second_node(world: World) -> Engine:
    return replace(world.engine, single_flight=SingleFlight())


async def test_begun_at_two_nodes_at_once_is_one_mail_and_one_challenge() -> None:
    sender = SlowSender()
    world = World(senders={"mail": sender})
    one = asyncio.create_task(world.engine.begin(attempt()))
    while not sender.begun:  # noqa: ASYNC110 - it is another task's turn
        await asyncio.sleep(0)
    others = [asyncio.create_task(second_node(world).begin(attempt())) for _ in range(2)]
    await asyncio.sleep(0.02)
    assert not any(other.done() for other in others)
    sender.gate.set()
    replies = await asyncio.gather(one, *others)
    assert {reply.ticket for reply in replies if isinstance(reply, Asked)} == {replies[0].ticket}  # type: ignore[union-attr]
    assert sender.begun == len(sender.messages) == 1
    assert not claims(world.store)


async def test_when_the_first_fails_the_next_begins() -> None:
    world = World()
    world.sender.trouble = Unavailable("down", where="sender mail")
    with pytest.raises(Unavailable):
        await world.engine.begin(attempt())
    world.sender.trouble = None
    assert isinstance(await second_node(world).begin(attempt()), Asked)
    assert not claims(world.store)


async def test_where_every_login_gets_a_mail_of_its_own_the_next_one_follows() -> None:
    settings = EmailOtpSettings(senders=("mail",), resend_after=0.0)  # type: ignore[arg-type]
    world = World(settings=settings, per_user=Rate(None, 0))
    replies = await asyncio.gather(*(second_node(world).begin(attempt()) for _ in range(3)))
    assert len({reply.ticket for reply in replies if isinstance(reply, Asked)}) == 3
    assert len(world.sender.messages) == 3


async def test_who_waits_gives_up_at_his_deadline() -> None:
    store = MemoryStore()
    assert await Lease(store, math.inf).acquire_or(OWNER, nothing) is None
    with pytest.raises(Unavailable, match="another node is at work on the same login"):
        await Lease(store, time.monotonic() + 0.02).acquire_or(OWNER, nothing)


async def test_what_a_dead_node_claimed_is_free_soon_after_its_deadline() -> None:
    store = MemoryStore()
    await Lease(store, time.monotonic() + 2).acquire_or(OWNER, nothing)
    store.time += 2 + lease.SLACK
    assert await Lease(store, time.monotonic()).acquire_or(OWNER, nothing) is None


async def test_who_is_served_leaves_no_claim() -> None:
    store = MemoryStore()
    mine = Lease(store, math.inf)

    async def served() -> str:
        return "a challenge"

    assert await mine.acquire_or(OWNER, served) == "a challenge"
    await mine.end()
    assert not claims(store)


async def test_a_store_of_ones_own_is_not_asked() -> None:
    class Own(MemoryStore):
        shared = False

    class Alone(World):
        def new_store(self) -> MemoryStore:
            return Own()

    world = Alone()
    assert await world.engine.pending.lease(math.inf).acquire_or(OWNER, nothing) is None
    assert not claims(world.store)


@pytest.mark.parametrize("died", ["after its mail left", "before its mail left"])
async def test_a_node_that_dies_costs_no_second_mail(died: str) -> None:
    sender = SlowSender()
    world = World(senders={"mail": sender})
    mine = replace(attempt(), deadline=time.monotonic() + 3)
    dead = asyncio.create_task(world.engine.begin(mine))
    while not sender.begun:  # noqa: ASYNC110 - it is another task's turn
        await asyncio.sleep(0)
    world.store.time += 3 + lease.SLACK
    reply = await second_node(world).begin(mine)
    assert isinstance(reply, Asked)
    assert sender.begun == 1
    if died == "after its mail left":
        sender.gate.set()
        await dead
        answer = attempt(sender.code)
        assert isinstance(await second_node(world).answer(reply.ticket, answer), Accepted)
        assert isinstance(await world.engine.answer(reply.ticket, answer), Rejected)
        return
    world.store.time += 30  # nobody got a mail: the next login begun sends one
    sender.gate.set()
    again = await second_node(world).begin(replace(mine, deadline=math.inf))
    assert isinstance(again, Asked)
    assert again.ticket != reply.ticket
    await dead
