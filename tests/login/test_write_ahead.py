"""A challenge is kept before its message leaves; what came to nothing is forgotten, and no code comes back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from aad.core.conversation import Accepted, Rejected
from aad.core.message import Message, Receipt
from aad.login.engine import Asked
from aad.login.single_flight import SingleFlight
from aad.ports import AddressRefusedError, Kept, Unavailable
from tests.parts.fakes import MemorySender, MemoryStore, World, attempt, user


class Watched(MemorySender):
    """Has a look at the world whenever a message is to leave, and refuses some addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.look: Callable[[], Awaitable[None]] | None = None
        self.refused: set[str] = set()

    async def send(self, message: Message, deadline: float) -> Receipt:
        if message.recipient in self.refused:
            what = "550 no such user"
            raise AddressRefusedError(what)
        receipt = await super().send(message, deadline)
        if self.look is not None:
            await self.look()
        return receipt


class Keeping(MemoryStore):
    """Its clock never stands still; counts how often something is kept, and can be out of order for that."""

    kept, full = 0, False

    def now(self) -> float:
        self.time += 0.001
        return self.time

    async def put_login(self, kept: Kept, most: int) -> bool:
        if self.full:
            what = "the disk is full"
            raise Unavailable(what, where="store")
        self.kept += 1
        return await super().put_login(kept, most)


class Ahead(World):
    """A world with both."""

    def __init__(self) -> None:
        self.watched = Watched()
        super().__init__(senders={"mail": self.watched})

    def new_store(self) -> MemoryStore:
        self.keeping = Keeping()
        return self.keeping


async def test_a_challenge_is_kept_before_its_message_leaves_and_only_once() -> None:
    world, waiting = Ahead(), []

    async def look() -> None:
        waiting.append(list(world.store.logins))

    world.watched.look = look
    reply = await world.engine.begin(attempt())
    assert isinstance(reply, Asked)
    assert waiting == [[reply.ticket]]
    assert world.keeping.kept == 1
    assert isinstance(await world.engine.answer(reply.ticket, attempt(world.sender.code)), Accepted)


async def test_no_message_leaves_that_could_not_be_kept() -> None:
    world = Ahead()
    world.keeping.full = True
    with pytest.raises(Unavailable, match="the disk is full"):
        await world.engine.begin(attempt())
    assert not world.sender.messages


async def test_what_came_to_nothing_is_forgotten() -> None:
    world = Ahead()
    world.watched.refused = {"bob@example.com"}
    assert isinstance(await world.engine.begin(attempt(name="bob")), Rejected)
    world.watched.trouble = Unavailable("down", where="sender mail")
    with pytest.raises(Unavailable):
        await world.engine.begin(attempt())
    assert not world.store.logins


async def test_whom_the_second_address_reached_is_told_of_that_one() -> None:
    world = Ahead()
    both = user("dora", "first@example.com", "second@example.com")
    world.repository.users["dora"] = (both, b"right")
    world.watched.refused = {"first@example.com"}
    reply = await world.engine.begin(attempt(name="dora"))
    assert isinstance(reply, Asked)
    assert "s***@" in reply.prompt
    assert list(world.store.logins) == [reply.ticket]
    assert isinstance(await world.engine.answer(reply.ticket, attempt(world.sender.code, name="dora")), Accepted)


async def test_a_code_that_was_used_while_the_message_was_still_under_way_does_not_come_back() -> None:
    world = Ahead()
    world.repository.users["dora"] = (user("dora", "first@example.com", "second@example.com"), b"right")
    world.watched.refused = {"first@example.com"}
    other = replace(world.engine, single_flight=SingleFlight())
    answers = []

    async def look() -> None:
        kept = attempt(world.sender.code, name="dora")
        answers.extend([await other.answer(ticket, kept) for ticket in list(world.store.logins)])

    world.watched.look = look
    reply = await world.engine.begin(attempt(name="dora"))
    assert isinstance(reply, Asked)
    assert isinstance(answers[0], Accepted)
    assert not world.store.logins
    assert isinstance(await world.engine.answer(reply.ticket, attempt(world.sender.code, name="dora")), Rejected)
