"""A mail server that is gone, mute or short of connections: callers are told in time, and it is back soon."""

import asyncio
import time
from collections.abc import Callable

import pytest

from aad.core.message import Message
from aad.ports import Unavailable
from aad.senders.smtp import Smtp
from tests.senders.script import HANG_UP, SILENCE, Script, eventually_sent

NewSmtp = Callable[..., Smtp]
NewMessage = Callable[..., Message]
Within = Callable[[float], float]


async def test_a_mute_server_holds_no_caller_past_their_deadline(
    script: Script, smtp: NewSmtp, message: NewMessage, within: Within
) -> None:
    script.say("banner", SILENCE)
    async with smtp(script, timeout=0.5) as sender:
        began = time.monotonic()
        sends = [sender.send(message(), within(0.3)) for _ in range(20)]
        assert {type(told) for told in await asyncio.gather(*sends, return_exceptions=True)} == {Unavailable}
        assert time.monotonic() - began < 1.5
        assert script.connections <= 8
    await script.until_open(0)


@pytest.mark.parametrize("security", ["none", "tls", "starttls"])
async def test_a_server_that_never_answers_is_left(security: str, script: Script, smtp: NewSmtp) -> None:
    script.say("EHLO", "250-script\r\n250 STARTTLS")
    script.say("STARTTLS", "220 go on")
    if security != "starttls":
        script.say("banner", SILENCE)
    async with smtp(script, security=security, timeout=0.3) as sender:
        with pytest.raises(Unavailable, match="no answer within 300ms"):
            await sender.probe()
    await script.until_open(0)


async def test_a_dead_server_fails_fast_and_one_tries(
    script: Script, smtp: NewSmtp, message: NewMessage, within: Within
) -> None:
    script.say("banner", SILENCE)
    async with smtp(script, timeout=0.3) as sender:
        with pytest.raises(Unavailable, match="no answer within 300ms"):
            await sender.send(message(), within(10))
        began = time.monotonic()
        sends = [sender.send(message(), within(10)) for _ in range(50)]
        told = await asyncio.gather(*sends, return_exceptions=True)
        assert time.monotonic() - began < 0.2
        assert all(isinstance(one, Unavailable) and "no answer within 300ms" in one.what for one in told)
        assert script.connections == 1
        script.behave()
        await eventually_sent(sender, message())
        sends = [sender.send(message(), within(10)) for _ in range(20)]
        assert len(await asyncio.gather(*sends)) == 20


async def test_a_server_that_takes_few_connections_still_serves_all(
    script: Script, smtp: NewSmtp, message: NewMessage, within: Within
) -> None:
    async with smtp(script) as sender:
        await sender.send(message(), within(10))
        script.say("banner", "421 4.7.0 too many connections from you")
        await asyncio.gather(*(sender.send(message(), within(10)) for _ in range(20)))
    assert script.heard.count("end") == 21


async def test_mails_that_wait_are_told_when_nobody_can_connect(
    script: Script, smtp: NewSmtp, message: NewMessage, within: Within
) -> None:
    script.say("banner", HANG_UP)
    async with smtp(script, connections=2) as sender:
        sends = [sender.send(message(), within(20)) for _ in range(30)]
        told = await asyncio.wait_for(asyncio.gather(*sends, return_exceptions=True), 5)
    assert {type(one) for one in told} == {Unavailable}
    assert script.connections <= 2
