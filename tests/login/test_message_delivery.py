"""A message finds its way: the next sender early, the next address, and what happens after the challenge has left."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from aad.core.conversation import Rejected
from aad.core.message import Message, Receipt
from aad.core.outcome import Reason
from aad.login import messenger
from aad.login.engine import Asked
from aad.methods.email_otp import EmailOtpSettings
from aad.ports import AddressRefusedError, Deferred, Unavailable, Underway
from tests.parts.fakes import MemorySender, World, attempt, user

DOWN = Unavailable("connection refused", where="sender first")


class SlowSender(MemorySender):
    """Goes at the deadline; `settle` ends it afterwards. `stoppable`: it can be withdrawn."""

    def __init__(self, name: str, *, stoppable: bool) -> None:
        super().__init__(name)
        self.stoppable = stoppable
        self.withdrawn = False
        self.outcome: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()

    async def send(self, message: Message, deadline: float) -> Receipt:
        self.messages.append(message)
        await asyncio.sleep(deadline - time.monotonic())
        what = "slow"
        raise Underway(what, self)

    async def receipt(self) -> Receipt:
        return await asyncio.shield(self.outcome)

    def withdraw(self) -> bool:
        self.withdrawn = self.stoppable
        return self.stoppable


class Sluggish(MemorySender):
    """Takes a message after a while, unless it is cancelled before."""

    cancelled = False

    async def send(self, message: Message, deadline: float) -> Receipt:
        del deadline
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return await super().send(message, 0)


def world(*senders: MemorySender, **changes: Any) -> World:
    names = tuple(sender.name for sender in senders)
    settings = EmailOtpSettings(senders=names, **changes)
    return World(settings=settings, senders={sender.name: sender for sender in senders})


async def asked(world: World, seconds: float = 0.4) -> Asked:
    reply = await world.engine.begin(replace(attempt(), deadline=time.monotonic() + seconds))
    assert isinstance(reply, Asked)
    return reply


def mails(world: World) -> list[str]:
    return [f"{name} {fields['sender']}" for name, fields in world.records if name.startswith("mail.")]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - a fake has no event to wait for
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("trouble", [DOWN, Deferred("450 later", where="sender first")])
async def test_the_next_sender_has_what_one_does_not_take(trouble: Exception) -> None:
    first, second = MemorySender("first"), MemorySender("second")
    first.trouble = trouble
    there = world(first, second)
    await asked(there)
    assert len(second.messages) == 1
    assert mails(there) == [f"mail.{'failed' if trouble is DOWN else 'deferred'} first", "mail.sent second"]
    assert ("sender.down" in there.names()) == (trouble is DOWN)


async def test_a_slow_sender_withdraws_and_the_next_one_sends() -> None:
    first, second = SlowSender("first", stoppable=True), MemorySender("second")
    there = world(first, second)
    began = time.monotonic()
    await asked(there)
    assert time.monotonic() - began < 0.35
    assert first.withdrawn
    assert len(second.messages) == 1
    assert mails(there) == ["mail.failed first", "mail.sent second"]


async def test_where_nobody_knows_two_mails_say_the_same() -> None:
    first, second = SlowSender("first", stoppable=False), MemorySender("second")
    there = world(first, second)
    await asked(there)
    assert first.messages == second.messages
    first.outcome.set_result(Receipt(queue_id="LATE"))
    await until(lambda: "mail.sent first" in mails(there))
    assert mails(there) == ["mail.sent second", "mail.queued first", "mail.sent first"]


async def test_if_the_slow_one_takes_it_the_next_one_is_called_off() -> None:
    first, second = SlowSender("first", stoppable=False), Sluggish("second")
    there = world(first, second)
    asyncio.get_running_loop().call_later(0.3, first.outcome.set_result, Receipt(queue_id="LATE"))
    began = time.monotonic()
    await asked(there, seconds=0.5)
    assert time.monotonic() - began < 0.45
    assert second.cancelled
    assert mails(there) == ["mail.sent first"]


@pytest.mark.parametrize(
    ("outcome", "record"),
    [
        (Receipt(queue_id="Q7"), "mail.sent"),
        (AddressRefusedError("550 no such user"), "mail.failed"),
        (Underway("hung up at DATA"), "mail.failed"),
    ],
)
async def test_what_becomes_of_a_mail_after_its_challenge_is_written_down(
    outcome: Receipt | Exception, record: str
) -> None:
    slow = SlowSender("mail", stoppable=True)
    there = world(slow)
    await asked(there)
    assert not slow.withdrawn
    assert there.names()[-2:] == ["mail.queued", "challenge.sent"]
    if isinstance(outcome, Receipt):
        slow.outcome.set_result(outcome)
    else:
        slow.outcome.set_exception(outcome)
    await until(lambda: record in there.names())
    late = there.records[-1][1]
    begun = next(fields for name, fields in there.records if name == "login.started")
    assert {key: late[key] for key in ("login", "user", "client", "login_event")} == {
        key: begun[key] for key in ("login", "user", "client", "login_event")
    }
    await asyncio.sleep(0)
    assert len(slow.messages) == 1


async def test_a_deferred_mail_is_tried_again_while_its_code_is_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messenger, "FIRST_PAUSE", 0.05)
    there = world(MemorySender())
    there.sender.trouble = Deferred("450 greylisted", where="sender mail")
    await asked(there)
    await until(lambda: mails(there).count("mail.deferred mail") == 3)
    there.sender.trouble = None
    await until(lambda: "mail.sent" in there.names())
    assert len(there.sender.messages) == 1
    assert "sender.down" not in there.names()


async def test_a_mail_whose_code_is_no_longer_good_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messenger, "FIRST_PAUSE", 0.05)
    there = world(MemorySender(), period=0.4)
    there.sender.trouble = Deferred("450 greylisted", where="sender mail")
    await asked(there)
    await until(lambda: "mail.failed" in there.names())
    assert there.reasons("mail.failed") == ["not taken while its code was good"]


class Choosy(MemorySender):
    """Refuses all but one address."""

    async def send(self, message: Message, deadline: float) -> Receipt:
        if message.recipient != "good@example.com":
            what = "550 no such user"
            raise AddressRefusedError(what)
        return await super().send(message, deadline)


async def test_the_next_address_when_one_is_refused() -> None:
    there = world(Choosy())
    alice = user("alice", "no address", "old@example.com", "older@example.com", "good@example.com")
    there.repository.users["alice"] = (alice, b"right")
    reply = await asked(there)
    assert "g***@e***.com" in reply.prompt
    assert mails(there) == ["mail.failed mail", "mail.failed mail", "mail.sent mail"]
    there.repository.users["alice"] = (user("alice", "old@example.com", "older@example.com"), b"right")
    there.store.time += 31.0
    assert await there.engine.begin(attempt()) == Rejected(Reason.ADDRESS_REFUSED)


async def test_no_time_is_left_for_the_mail() -> None:
    there = world(MemorySender())
    with pytest.raises(Unavailable, match="no time"):
        await there.engine.begin(replace(attempt(), deadline=time.monotonic() - 1))
    assert "sender.down" not in there.names()
    assert not there.sender.messages


async def test_leaving_ends_what_is_tried_again() -> None:
    there = world(MemorySender())
    there.sender.trouble = Deferred("450 greylisted", where="sender mail")
    async with there.post:
        await asked(there)
    assert len(asyncio.all_tasks()) == 1
