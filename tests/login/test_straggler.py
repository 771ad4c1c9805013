"""A login begun twice, whose second request is worked on so slowly that the user has logged in by then: no new mail."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from aad.core.conversation import Accepted
from aad.login import engine
from aad.login.engine import Asked
from aad.login.single_flight import SingleFlight
from aad.ports import Unavailable
from tests.parts.fakes import World, attempt


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(engine, "STRAGGLES", 0.0)
    return World()


def slow(world: World) -> asyncio.Event:
    gate = asyncio.Event()
    world.repository.gate = gate.wait
    return gate


async def straggler(world: World) -> tuple[asyncio.Task[engine.Reply], asyncio.Event]:
    """Begin a login at another node, where the directory is slow."""
    gate = slow(world)
    task = asyncio.create_task(replace(world.engine, single_flight=SingleFlight()).begin(attempt()))
    await asyncio.sleep(0.01)
    world.repository.gate = None
    return task, gate


async def test_who_has_logged_in_meanwhile_gets_no_second_mail(world: World) -> None:
    late, gate = await straggler(world)
    world.store.time += 0.1
    reply = await world.engine.begin(attempt())
    assert isinstance(reply, Asked)
    assert isinstance(await world.engine.answer(reply.ticket, attempt(world.sender.code)), Accepted)
    gate.set()
    with pytest.raises(Unavailable, match="has logged in meanwhile"):
        await late
    assert len(world.sender.messages) == 1
    assert not world.store.failures()
    world.store.time += 0.1
    assert isinstance(await world.engine.begin(attempt()), Asked)
    assert len(world.sender.messages) == 2


async def test_who_has_not_is_served(world: World) -> None:
    late, gate = await straggler(world)
    gate.set()
    assert isinstance(await late, Asked)
    assert not world.store.failures()


async def test_a_quick_login_is_not_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    world, counted = World(), []
    change = world.store.update_expiring

    async def counting(*given: object) -> None:
        counted.append(given)
        await change(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(world.store, "update_expiring", counting)
    await world.engine.begin(attempt())
    assert len(counted) == 2  # the guess at the password, and that it was none
