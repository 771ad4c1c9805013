"""The one token of a sender: kept, renewed in good time, shared by whoever needs it, thrown away when refused."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from aad.core.secret import Secret
from aad.ports import Unavailable
from aad.senders.smtp.oauth.requests import Token
from aad.senders.smtp.oauth.token_cache import TokenCache


class Source:
    """Gives "1", "2", ...; waits at `gate` and fails with `trouble`, if there is any."""

    def __init__(self, life: float = 3600.0) -> None:
        self.life = life
        self.trouble = ""
        self.asked = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.moved = asyncio.Condition()

    async def issue(self) -> Token:
        self.asked += 1
        number = self.asked
        async with self.moved:
            self.moved.notify_all()
        await self.gate.wait()
        if self.trouble:
            raise Unavailable(self.trouble, where="sender mail")
        return Token(value=Secret(str(number)), life=self.life)

    async def until_asked(self, count: int) -> None:
        async with asyncio.timeout(10), self.moved:
            await self.moved.wait_for(lambda: self.asked >= count)


@asynccontextmanager
async def ready(source: Source) -> AsyncIterator[TokenCache]:
    tokens = TokenCache(source.issue, "token endpoint x", "sender mail")
    tokens.start()
    try:
        yield tokens
    finally:
        await tokens.close()


async def test_a_token_is_fetched_before_it_is_asked_for_and_kept() -> None:
    source = Source()
    async with ready(source) as tokens:
        await source.until_asked(1)
        assert [await tokens.get() for _ in range(5)] == [Secret("1")] * 5
        assert 3400 < tokens.left < 3600
        assert tokens.lack == ""
    assert source.asked == 1


async def test_many_who_wait_share_one_request() -> None:
    source = Source()
    source.gate.clear()
    async with ready(source) as tokens:
        waiting = [asyncio.create_task(tokens.get()) for _ in range(20)]
        await source.until_asked(1)
        assert tokens.lack == "token endpoint x: no answer yet"
        waiting[0].cancel()  # and whoever leaves takes it from nobody
        source.gate.set()
        assert set(map(Secret.text, await asyncio.gather(*waiting[1:]))) == {"1"}
    assert source.asked == 1


async def test_a_token_is_renewed_while_the_old_one_is_good() -> None:
    source = Source(life=2.0)
    async with ready(source) as tokens:
        await tokens.get()
        source.gate.clear()
        await source.until_asked(2)
        assert 0.1 < tokens.left < 0.5
        assert await asyncio.wait_for(tokens.get(), 0.1) == Secret("1")
        source.gate.set()
        while await tokens.get() == Secret("1"):  # noqa: ASYNC110 - it is the second one's coming that is waited for
            await asyncio.sleep(0.01)
    assert source.asked == 2


async def test_a_renewal_that_fails_is_tried_again_and_hurts_nobody() -> None:
    source = Source(life=4.0)
    async with ready(source) as tokens:
        await tokens.get()
        source.trouble = "it is down"
        await source.until_asked(2)
        assert await tokens.get() == Secret("1")
        assert tokens.lack == ""
        source.trouble = ""
        await source.until_asked(3)
        while await tokens.get() == Secret("1"):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
        assert await tokens.get() == Secret("3")


async def test_whoever_finds_no_token_is_told_why() -> None:
    source = Source()
    source.trouble = "it is down"
    source.gate.clear()
    async with ready(source) as tokens:
        waiting = [asyncio.create_task(tokens.get()) for _ in range(3)]
        await source.until_asked(1)
        source.gate.set()
        told = await asyncio.gather(*waiting, return_exceptions=True)
        assert [str(one) for one in told] == ["it is down"] * 3
        assert len(set(map(id, told))) == 3
        assert tokens.lack == "it is down"
        source.trouble = ""
        assert await tokens.get() == Secret("2")
        assert tokens.lack == ""


async def test_an_outage_ends_without_anybody_asking() -> None:
    source = Source()
    source.trouble = "it is down"
    async with ready(source) as tokens:
        with pytest.raises(Unavailable):
            await tokens.get()
        source.trouble = ""
        await source.until_asked(2)
        assert await tokens.get() == Secret("2")
    assert source.asked == 2


async def test_a_refused_token_is_replaced_once() -> None:
    source = Source()
    async with ready(source) as tokens:
        first = await tokens.get()
        others = await asyncio.gather(*(tokens.instead_of(first) for _ in range(8)))
        assert others == [Secret("2")] * 8
        assert await tokens.instead_of(Secret("2")) is None
        assert await tokens.get() == Secret("2")
    assert source.asked == 2


async def test_nothing_is_left_running() -> None:
    source = Source()
    source.gate.clear()
    async with ready(source):
        await source.until_asked(1)
    assert asyncio.all_tasks() == {asyncio.current_task()}
