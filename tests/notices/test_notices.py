"""Notices: kept, gathered, mailed once whichever node looks, tried again, and given up in the end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from aad import texts
from aad.core.identity import User
from aad.core.message import Message, Receipt
from aad.login.outages import Outages
from aad.notices import mailing
from aad.notices.kept import KIND, MOST, By, Notice, Notices, Row, What, decoded, encoded, name_of
from aad.notices.mailing import HOUR, LASTS, Mailing, Route
from aad.notices.text import notice_mail
from aad.ports import AddressRefusedError, Found, Unavailable
from aad.storing import LARGEST
from tests.parts.fakes import MemoryStore, Opened

ALICE = User(name="Alice", repository="corp", handle="", addresses=("alice@example.com",))


class People(Opened):
    def __init__(self, *users: User) -> None:
        self.users = {user.name: user for user in users}

    async def find(self, name: str, *_: object) -> Found | None:
        await asyncio.sleep(0)
        return Found(self.users[name]) if name in self.users else None


class Mails(Opened):
    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.wrong: Exception | None = None

    def masked(self, address: str) -> str:
        return address[:1]

    def usable(self, address: str) -> bool:
        return "@" in address

    async def send(self, message: Message, _deadline: float) -> Receipt:
        await asyncio.sleep(0)
        if self.wrong:
            raise self.wrong
        self.sent.append(message)
        return Receipt()


class Slow(Mails):
    def __init__(self) -> None:
        super().__init__()
        self.begun, self.may_end, self.at_work = asyncio.Event(), asyncio.Event(), 0

    async def send(self, message: Message, deadline: float) -> Receipt:
        self.begun.set()
        self.at_work += 1
        await self.may_end.wait()
        self.at_work -= 1
        return await super().send(message, deadline)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def mails() -> Mails:
    return Mails()


class Node:
    """A daemon of several on one store."""

    def __init__(self, store: MemoryStore, mails: Mails, *users: User) -> None:
        self.records: list[tuple[str, Mapping[str, Any]]] = []
        self.mailing = Mailing(lambda name, /, **fields: self.records.append((name, fields)), idle=True)
        self.outages = Outages(self.mailing._record)
        self._store = store
        people: Any = People(*users)
        self.route = Route(repositories={"corp": people}, senders=[("mail", mails)])

    async def look(self) -> None:
        async with self.mailing.running(self._store, self.outages):
            await self.mailing.look(self.route)

    def told(self, name: str) -> list[Mapping[str, Any]]:
        return [fields for each, fields in self.records if each == name]


async def add(store: MemoryStore, what: What = What.SET_UP, user: User = ALICE) -> str:
    return await Notices(store).add(user, what, by=By.USER, method="totp", type="totp", place="192.0.2.7")


async def test_of_forty_nodes_one_mails(store: MemoryStore, mails: Mails) -> None:
    await add(store)
    await asyncio.gather(*(Node(store, mails, ALICE).look() for _ in range(40)))
    assert len(mails.sent) == 1
    assert not store.held


async def test_forty_changes_at_once_are_all_told_and_the_value_is_bounded(store: MemoryStore, mails: Mails) -> None:
    node = Node(store, mails, ALICE)
    for _ in range(40):
        await Notices(store).add(ALICE, What.REPLACED, by=By.USER, method="m" * 900, place="p" * 900)
    (kept,) = store.held.values()
    assert len(kept) <= LARGEST
    notice = decoded(kept)
    assert notice is not None
    assert notice.count == 40
    assert len(notice.rows) <= MOST
    await node.look()
    assert f"further changes: {notice.more}" in mails.sent[0].template.text
    assert not store.held
    await add(store)
    await node.look()
    store.time += HOUR - 60
    await node.look()
    assert len(mails.sent) == 1
    store.time += 60
    await node.look()
    assert len(mails.sent) == 2


async def test_what_changes_while_a_mail_is_under_way_is_in_the_next(store: MemoryStore, mails: Mails) -> None:
    await add(store)
    await asyncio.gather(Node(store, mails, ALICE).look(), add(store, What.REMOVED))
    store.time += HOUR
    await Node(store, mails, ALICE).look()
    said = "".join(message.template.text for message in mails.sent)
    assert (said.count("set up"), said.count("removed")) == (1, 1)


async def test_nothing_came_of_it(store: MemoryStore, mails: Mails) -> None:
    notices = Notices(store)
    await notices.take_back(ALICE, await add(store))
    assert not store.held
    await add(store)
    await notices.take_back(ALICE, "another")
    await Node(store, mails, ALICE).look()
    assert len(mails.sent) == 1


async def test_a_mail_server_that_is_down_loses_nothing(store: MemoryStore, mails: Mails) -> None:
    node, mails.wrong = Node(store, mails, ALICE), Unavailable("down", where="sender mail")
    await add(store)
    for _ in range(5):
        await node.look()
        store.time += 301
    assert len(node.told("sender.down")) == 1
    mails.wrong = None
    await node.look()
    assert len(mails.sent) == 1


@pytest.mark.parametrize(
    ("user", "why"),
    [
        (replace(ALICE, addresses=("nonsense",)), "no usable address"),
        (None, "the repository has no such user any more"),
        (replace(ALICE, addresses=("refused@example.com",)), "address refused by the mail server"),
    ],
)
async def test_who_can_not_be_told_is_one_record_and_seen(
    store: MemoryStore, mails: Mails, user: User | None, why: str
) -> None:
    node, mails.wrong = Node(store, mails, *([user] if user else [])), AddressRefusedError("no")
    await add(store)
    for _ in range(3):
        await node.look()
        store.time += HOUR
    assert [each["reason"] for each in node.told("notice.undeliverable")] == [why]
    found = await Notices(store).undelivered("corp", "alice")
    assert found
    assert (found.trouble, len(found.rows)) == (why, 1)
    mails.wrong = None
    await Node(store, mails, ALICE).look()
    assert len(mails.sent) == 1, "there is an address now"
    assert await Notices(store).undelivered("corp", "alice") is None


async def test_after_a_week_it_is_given_up(store: MemoryStore, mails: Mails) -> None:
    node, old = Node(store, mails, ALICE), int(time.time() - LASTS - 1)
    row = Row(what=What.REMOVED, by=By.HELPDESK, at=old, id="a")
    store.held[KIND, name_of("corp", "alice")] = encoded(Notice(user="Alice", rows=(row,), more=3))
    await node.look()
    assert not store.held
    assert not mails.sent
    assert len(node.told("notice.failed")) == 1


async def test_one_that_can_not_be_read_keeps_no_other_back(store: MemoryStore, mails: Mails) -> None:
    store.held[KIND, name_of("corp", "aaron")] = b"\xff"
    await add(store)
    node = Node(store, mails, ALICE)
    await node.look()
    await node.look()
    assert len(mails.sent) == 1
    assert node.told("notice.failed") == [{"user": "aaron", "reason": "what the store holds can't be read"}]
    assert not store.held


@pytest.mark.parametrize(
    "kept", [b"\xff", b"[]", b"7", b"{}", b'{"user": "x", "rows": [{"newer": 1}]}', b"[" * 200_000]
)
async def test_what_can_not_be_read_stands_in_nobody_s_way(store: MemoryStore, mails: Mails, kept: bytes) -> None:
    notices, node = Notices(store), Node(store, mails, ALICE)
    for change in (add(store), notices.add_daily(ALICE, What.WRONG_CODES)):
        store.held[KIND, name_of("corp", "alice")] = kept
        assert await notices.undelivered("corp", "alice") is None
        await notices.take_back(ALICE, "x")
        await change
        await node.look()
        store.time += HOUR
    assert len(mails.sent) == 2


async def test_who_closes_the_senders_waits_for_what_they_are_mailing(store: MemoryStore) -> None:
    mails = Slow()
    node = Node(store, mails, ALICE)
    node.mailing._idle, node.mailing.route = False, node.route
    for user in (ALICE, *(replace(ALICE, name=f"user {number}") for number in range(20))):
        await add(store, user=user)
    async with node.mailing.running(store, node.outages):
        node.mailing.woken.set()
        await mails.begun.wait()
        node.mailing.route = replace(node.route, contact="another")  # a reload
        let_go = asyncio.create_task(node.mailing.let_go())
        for _ in range(20):
            await asyncio.sleep(0)
        assert not let_go.done()
        mails.may_end.set()
        await let_go
        assert mails.at_work == 0
        assert len(store.held) > 0, "the rest goes by the new route"


async def test_a_mail_of_guesses_holds_up_none_of_a_change(store: MemoryStore, mails: Mails) -> None:
    node, notices = Node(store, mails, ALICE), Notices(store)
    await notices.add_daily(ALICE, What.WRONG_CODES)
    await node.look()
    await add(store, What.REPLACED)
    store.time += 31
    await node.look()
    assert len(mails.sent) == 2
    await add(store, What.REMOVED)
    for _ in range(50):
        store.time += 60
        await node.look()
    assert len(mails.sent) == 2
    store.time += 600
    await node.look()
    assert len(mails.sent) == 3


async def test_what_is_only_counted_is_given_up_too(
    store: MemoryStore, mails: Mails, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = Node(store, mails, ALICE)
    counted = Notice(user="Alice", more=1, last=int(time.time()))
    store.held[KIND, name_of("corp", "alice")] = encoded(counted)
    mails.wrong = AddressRefusedError("550")
    await node.look()
    assert store.held
    later = time.time() + LASTS + 60
    monkeypatch.setattr(time, "time", lambda: later)
    store.time += LASTS
    await node.look()
    assert not store.held
    assert len(node.told("notice.failed")) == 1


async def test_a_row_of_wrong_codes_is_told_once_a_day(store: MemoryStore, mails: Mails) -> None:
    notices, node = Notices(store), Node(store, mails, ALICE)
    await asyncio.gather(*(notices.add_daily(ALICE, What.WRONG_CODES, place="192.0.2.7") for _ in range(40)))
    await node.look()
    for _ in range(23):
        store.time += HOUR
        await notices.add_daily(ALICE, What.WRONG_CODES)
        await node.look()
    assert len(mails.sent) == 1
    assert "somebody has your password" in mails.sent[0].template.subject
    store.time += HOUR
    await notices.add_daily(ALICE, What.WRONG_CODES)
    await node.look()
    assert len(mails.sent) == 2


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_a_notice_says_everything_in_every_language_and_no_name_is_a_macro(language: str) -> None:
    assert texts.notices(language).keys() == texts.notices("en").keys()
    rows = tuple(
        Row(what=what, by=by, at=0, method="{otp}\nx", type="totp", place="{user}") for what in What for by in By
    )
    made = notice_mail(Notice(user="{otp}\r\nBcc: x", rows=rows, more=2), language, "Call {endpoint}")
    assert "{{otp}}" in made.text
    assert "\nBcc" not in made.text
    assert made.text.format() == made.text.replace("{{", "{").replace("}}", "}")


def test_the_gate_outlasts_what_one_mail_may_take() -> None:
    assert mailing.CLAIMED > 2 * mailing.PATIENCE + mailing.SETTLING
