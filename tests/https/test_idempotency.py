"""A repeated post is done once, at either of two nodes that share a store."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from aad.core.secret import Secret
from aad.https import problems
from aad.https.idempotency import KEPT, Document, IdempotentPost, IdempotentPosts
from aad.https.problems import ProblemError
from aad.ports import Unavailable, Wiring
from aad.stores.sqlite import Sqlite, SqliteSettings

KEY = Secret(b"an installation's key, of many octets")


class Clock(Sqlite):
    """The store, with a clock that can be put on."""

    ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[list[tuple[IdempotentPosts, Clock]]]:
    async with AsyncExitStack() as stack:
        settings, wiring = SqliteSettings(path=tmp_path / "state.db"), Wiring(name="store", key=KEY)
        stores = [await stack.enter_async_context(Clock(settings, wiring)) for _ in range(2)]
        yield [(IdempotentPosts(store, KEY, os.urandom), store) for store in stores]


def post(body: bytes = b"{}", key: str = "one", patience: float = 5.0) -> IdempotentPost:
    return IdempotentPost("shop", "/v1/logins", key, body, time.monotonic() + patience)


class Work:
    """Work that counts how often it is done."""

    def __init__(self, document: Document, seconds: float = 0.0) -> None:
        self.document, self.seconds, self.done = document, seconds, 0

    async def __call__(self) -> Document:
        self.done += 1
        await asyncio.sleep(self.seconds)
        return self.document


async def test_at_the_same_time_at_both_nodes_it_is_done_once(nodes: list[tuple[IdempotentPosts, Clock]]) -> None:
    work = Work({"result": "accepted"}, 0.1)
    said = await asyncio.gather(*(once.answered(post(), work) for once, _ in nodes * 4))
    assert said == [{"result": "accepted"}] * 8
    assert work.done == 1
    with pytest.raises(ProblemError) as raised:
        await nodes[1][0].answered(post(b"another"), work)
    assert raised.value.sort is problems.KEY_REUSED
    assert await nodes[1][0].answered(post(), work) == {"result": "accepted"}  # which that didn't disturb
    assert work.done == 1


async def test_another_key_path_or_website_is_another_post(nodes: list[tuple[IdempotentPosts, Clock]]) -> None:
    work, once = Work({}), nodes[0][0]
    others = (post(key="two"), replace(post(), client="other"), replace(post(), path="/v1/answers"), post())
    for each in others:
        await once.answered(each, work)
    assert work.done == len(others)


async def test_what_remains_of_the_time_is_told(nodes: list[tuple[IdempotentPosts, Clock]]) -> None:
    (once, store), work = nodes[0], Work({"expires_in": 60})
    assert await once.answered(post(), work) == {"expires_in": 60}
    store.ahead = 45.5
    assert await once.answered(post(), work) == {"expires_in": 15}
    store.ahead = KEPT - 1
    assert await once.answered(post(), work) == {"expires_in": 0}
    store.ahead = KEPT + 1
    assert await once.answered(post(), work) == {"expires_in": 60}
    assert work.done == 2


async def test_what_could_not_be_told_is_tried_again(nodes: list[tuple[IdempotentPosts, Clock]]) -> None:
    async def fails() -> Document:
        raise ProblemError(problems.UNAVAILABLE)

    with pytest.raises(ProblemError):
        await nodes[0][0].answered(post(), fails)
    assert await nodes[1][0].answered(post(), Work({"result": "refused"})) == {"result": "refused"}


async def test_who_waits_too_long_is_told_so(nodes: list[tuple[IdempotentPosts, Clock]]) -> None:
    slow = asyncio.create_task(nodes[0][0].answered(post(), Work({}, 1.0)))
    await asyncio.sleep(0.05)
    with pytest.raises(ProblemError) as raised:
        await nodes[1][0].answered(post(patience=0.2), Work({}))
    assert raised.value.sort is problems.UNDER_WAY
    assert dict(raised.value.headers)["Retry-After"] == "1"
    await slow


async def test_a_node_that_dies_amid_its_work_holds_it_up_for_a_while_only(
    nodes: list[tuple[IdempotentPosts, Clock]],
) -> None:
    async def dies() -> Document:
        raise asyncio.CancelledError

    (dead, store), (alive, other) = nodes
    store.delete_counter = None  # type: ignore[assignment, method-assign]  # it says nothing any more
    with pytest.raises((asyncio.CancelledError, TypeError)):
        await dead.answered(post(patience=0.5), dies)
    other.ahead = 2.6
    assert await alive.answered(post(), Work({"result": "accepted"})) == {"result": "accepted"}


async def test_nothing_of_it_can_be_read_in_the_store(
    nodes: list[tuple[IdempotentPosts, Clock]], tmp_path: Path
) -> None:
    await nodes[0][0].answered(post(b"a password"), Work({"login": "a handle"}))
    octets = b"".join((tmp_path / f"state.db{end}").read_bytes() for end in ("", "-wal"))
    assert not [word for word in (b"a password", b"a handle", b"expires_in") if word in octets]


async def test_a_store_that_is_away_is_no_answer(nodes: list[tuple[IdempotentPosts, Clock]]) -> None:
    async def away(*_: object, **__: object) -> int:
        message = "the store"
        raise Unavailable(message)

    once, store = nodes[0]
    store.increment = away  # type: ignore[method-assign]
    work = Work({})
    with pytest.raises(ProblemError) as raised:
        await once.answered(post(), work)
    assert (raised.value.sort, work.done) == (problems.UNAVAILABLE, 0)
