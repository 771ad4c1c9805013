"""Kept connections: many at once, slow servers, dead servers; each mail once, each caller answered in time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from aad.core.message import Message, Receipt
from aad.ports import Later, Unavailable, Underway
from aad.senders.smtp import Smtp, pool
from tests.parts.mailbox import Mailbox, Stage
from tests.parts.waiting import until
from tests.senders.script import HANG_UP, SILENCE, Script, eventually_sent

NewSmtp = Callable[..., Smtp]
NewMessage = Callable[..., Message]
Within = Callable[[float], float]


async def in_thread(condition: Callable[..., Any], *args: Any) -> Any:
    return await asyncio.to_thread(condition, *args)


async def test_many_mails_over_a_few_connections(
    script: Script, smtp: NewSmtp, message: NewMessage, within: Within
) -> None:
    with Mailbox() as mailbox:
        async with smtp(mailbox) as sender:
            to = [f"user{number}@example.com" for number in range(64)]
            receipts = await asyncio.gather(*(sender.send(message(one, one[4:-12]), within(20)) for one in to))
        assert len(receipts) == len(mailbox.messages) == 64
        assert sorted(letter.recipients for letter in mailbox.messages) == sorted((one,) for one in to)
        assert all(f"code is {letter.recipients[0][4:-12]}." in letter.text for letter in mailbox.messages)
    script.say("end", "250 2.0.0 Ok")
    async with smtp(script, connections=8) as sender:
        await asyncio.gather(*(sender.send(message(one), within(20)) for one in to))
        assert script.connections <= 8
    assert sum(line.startswith("RCPT") for line in script.heard) == script.heard.count("end") == 64


async def test_connections_grow_while_mails_wait(
    script: Script, smtp: NewSmtp, message: NewMessage, within: Within, monkeypatch: pytest.MonkeyPatch
) -> None:
    script.hold("end")
    async with smtp(script, connections=12) as sender:
        monkeypatch.setattr(pool, "SLOW", 60.0)  # no mail has waited for long
        sends = [asyncio.create_task(sender.send(message(f"user{n}@example.com"), within(20))) for n in range(64)]
        await script.until("end", pool.FEW)
        assert (script.connections, sender.queued) == (pool.FEW, 64 - pool.FEW)
        monkeypatch.setattr(pool, "SLOW", 0.0)  # now all have
        sends.append(asyncio.create_task(sender.send(message("late@example.com"), within(20))))
        await script.until("end", 12)  # each worker that takes a mail that has waited starts one more
        script.release()
        await asyncio.gather(*sends)
        assert script.connections == 12  # as many as there may be
    assert sum(line.startswith("RCPT") for line in script.heard) == 65


@pytest.mark.parametrize("stage", ["mail", "rcpt", "data"])
async def test_a_caller_goes_at_their_deadline_and_the_mail_arrives_once(
    stage: Stage, smtp: NewSmtp, message: NewMessage, within: Within
) -> None:
    with Mailbox() as mailbox:
        async with smtp(mailbox) as sender:
            mailbox.hold(stage)
            began = time.monotonic()
            with pytest.raises(Underway):
                await sender.send(message(), within(0.3))
            assert 0.25 < time.monotonic() - began < 1.5
            assert mailbox.held == 1
            mailbox.release()
            await in_thread(mailbox.wait, "alice@example.com")
            await sender.send(message("bob@example.com"), within(10))
        assert len(mailbox.letters("alice@example.com")) == 1
        assert len(mailbox.messages) == 2


async def later(sending: Awaitable[Receipt]) -> Later:
    with pytest.raises(Underway, match="in time") as left:
        await sending
    assert left.value.later
    return left.value.later


async def test_what_comes_after_the_deadline_is_known_later(smtp: NewSmtp, message: NewMessage, within: Within) -> None:
    with Mailbox() as mailbox:
        async with smtp(mailbox, connections=1) as sender:
            mailbox.hold("mail")
            sends = [sender.send(message(f"{name}@x.org"), within(0.2)) for name in "ab"]
            left = await asyncio.gather(*(later(one) for one in sends))
            mailbox.release()
            await asyncio.gather(*(one.receipt() for one in left))
            assert not left[0].withdraw()
        assert [letter.recipients for letter in mailbox.messages] == [("a@x.org",), ("b@x.org",)]


@pytest.mark.parametrize("cancelled", [True, False])
async def test_a_mail_may_be_withdrawn_until_data(
    script: Script, smtp: NewSmtp, message: NewMessage, within: Within, *, cancelled: bool
) -> None:
    script.say("RCPT", "250 2.1.5 after a while")
    async with smtp(script, connections=1) as sender:
        script.hold("MAIL")
        deadline = within(20 if cancelled else 0.2)
        tasks = [asyncio.create_task(sender.send(message(f"{name}@x.org"), deadline)) for name in "ab"]
        await script.until("MAIL")
        if cancelled:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        else:
            assert all([(await later(task)).withdraw() for task in tasks])
        script.release()
        await script.until("RCPT")
        with pytest.raises(Unavailable, match="in time"):  # it was too slow twice
            await sender.send(message("c@x.org"), within(5))
        await eventually_sent(sender, message("d@x.org"))
    assert script.heard.count("end") == 1
    assert script.connections == 1


async def test_from_data_on_a_mail_is_not_to_be_withdrawn(
    script: Script, smtp: NewSmtp, message: NewMessage, within: Within
) -> None:
    async with smtp(script, connections=1) as sender:
        script.hold("end")
        left = await later(sender.send(message(), within(0.2)))
        assert not left.withdraw()
        script.release()
        assert await left.receipt() == Receipt(queue_id="4XyZ")


async def test_a_mail_that_is_of_no_use_any_more_is_never_sent(
    script: Script, smtp: NewSmtp, message: NewMessage, within: Within
) -> None:
    async with smtp(script, connections=1) as sender:
        script.hold("MAIL")
        first = asyncio.create_task(sender.send(message("first@x.org"), within(20)))
        left = await later(sender.send(message("late@x.org", until=within(0.2)), within(0.1)))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(left.receipt(), 0.2)
        script.release()
        await first
        with pytest.raises(Unavailable, match="in time"):
            await left.receipt()
    assert script.heard.count("end") == 1


async def test_an_old_connection_is_renewed(script: Script, smtp: NewSmtp, message: NewMessage, within: Within) -> None:
    async with smtp(script, lifetime=0.0) as sender:
        for _ in range(3):
            await sender.send(message(), within(10))
    assert script.connections == script.heard.count("QUIT") == 3


async def test_a_full_queue_says_so_at_once(smtp: NewSmtp, message: NewMessage, within: Within) -> None:
    with Mailbox() as mailbox:
        mailbox.hold("mail")
        async with smtp(mailbox, connections=1, queue=2) as sender:
            tasks = [asyncio.create_task(sender.send(message(f"{name}@x.org"), within(20))) for name in "abc"]
            await in_thread(until, lambda: mailbox.held)
            with pytest.raises(Unavailable, match="2 mails wait"):
                await asyncio.wait_for(sender.send(message(), within(20)), 1)
            mailbox.release()
            await asyncio.gather(*tasks)
        assert len(mailbox.messages) == 3


@pytest.mark.parametrize("at", ["MAIL", "end"])
async def test_a_stuck_mail_holds_nobody_else(
    at: str, script: Script, smtp: NewSmtp, message: NewMessage, within: Within
) -> None:
    script.say(at, SILENCE, times=1)
    async with smtp(script) as sender:
        stuck = asyncio.create_task(sender.send(message(), within(20)))
        await script.until(at)
        await asyncio.gather(*(sender.send(message("bob@example.com"), within(5)) for _ in range(20)))
        assert not stuck.done()
    with pytest.raises(Unavailable if at == "MAIL" else Underway, match="stopped"):
        await stuck
    assert sum("bob@example.com" in line for line in script.heard) == 20


async def test_a_connection_dropped_while_idle(smtp: NewSmtp, message: NewMessage, within: Within) -> None:
    with Mailbox() as mailbox:
        async with smtp(mailbox) as sender:
            await sender.send(message(), within(10))
            await in_thread(mailbox.stop)
            await in_thread(mailbox.start)
            await sender.send(message(), within(10))
        assert len(mailbox.messages) == 2


@pytest.mark.parametrize("answer", [HANG_UP, "421 4.4.2 idle for too long", "452 4.5.3 too many mails here", SILENCE])
async def test_a_kept_connection_that_is_dead_is_replaced(
    answer: str, script: Script, smtp: NewSmtp, message: NewMessage, within: Within
) -> None:
    async with smtp(script, timeout=0.5) as sender:
        await sender.send(message(), within(10))
        script.say("MAIL", answer, times=1)
        await sender.send(message("bob@example.com"), within(10))
    assert script.connections == 2
    assert script.heard.count("end") == 2


@pytest.mark.parametrize("at", ["DATA", "end"])
async def test_nothing_is_sent_again_once_data_was_said(
    at: str, script: Script, smtp: NewSmtp, message: NewMessage, within: Within
) -> None:
    async with smtp(script) as sender:
        await sender.send(message(), within(10))
        script.say(at, HANG_UP, times=1)
        with pytest.raises(Underway, match="sender mail: the mail server hung up at DATA"):
            await sender.send(message(), within(10))
        await sender.send(message(), within(10))
    assert script.connections == 2
    assert sum(line.startswith("MAIL") for line in script.heard) == 3


async def test_an_idle_connection_is_closed(script: Script, smtp: NewSmtp, message: NewMessage, within: Within) -> None:
    async with smtp(script, idle=0.1) as sender:
        await sender.send(message(), within(10))
        await script.until("QUIT")
        await script.until_open(0)
        await sender.send(message(), within(10))
    assert script.connections == 2


@pytest.mark.parametrize("at", ["banner", "EHLO", "MAIL", "DATA", "end", "QUIT"])
async def test_leaving_while_stuck(at: str, script: Script, smtp: NewSmtp, message: NewMessage, within: Within) -> None:
    script.say(at, SILENCE)
    sender = smtp(script, connections=1)
    before = asyncio.all_tasks()
    async with sender:
        tasks = [asyncio.create_task(sender.send(message(), within(20))) for _ in range(3)]
        if at == "QUIT":
            await asyncio.gather(*tasks)
        elif at == "banner":
            await script.until_open(1)
        else:
            await script.until(at)
        began = time.monotonic()
    assert time.monotonic() - began < 4
    told = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 1)
    assert {type(one) for one in told} <= ({Receipt} if at == "QUIT" else {Unavailable, Underway})
    await script.until_open(0)
    assert {task for task in asyncio.all_tasks() - before if "sender mail" in task.get_name()} == set()


async def test_leaving_waits_for_mails_under_way(smtp: NewSmtp, message: NewMessage, within: Within) -> None:
    with Mailbox() as mailbox:
        mailbox.hold("data")
        async with smtp(mailbox) as sender:
            task = asyncio.create_task(sender.send(message(), within(20)))
            await in_thread(until, lambda: mailbox.held)
            asyncio.get_running_loop().call_later(0.3, mailbox.release)
        assert isinstance(await task, Receipt)
        assert len(mailbox.messages) == 1
