"""Sends a method's message, within the budgets and to the first address that takes it, and follows it afterwards."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Self

from aad.core.conversation import Login
from aad.core.identity import User
from aad.core.message import Draft, Message
from aad.core.outcome import Fact, Reason
from aad.core.settings import Rate
from aad.login.message_delivery import Delivery, Fate
from aad.login.outages import Outages
from aad.ports import Record, Sender, Sent, Store, Tally, Unavailable

KIND = "mails"
UNPROVEN = " before a proof"
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 60.0  # seconds until a deferred message is tried again
FOLLOWED = 10_000  # messages whose fate is waited for after their challenge, at most


class Messenger:
    """Gives messages to senders, and counts them per user, per client and altogether."""

    def __init__(
        self,
        senders: Mapping[str, Sender],
        store: Store,
        outages: Outages,
        record: Record,
        *,
        budgets: Mapping[str, Rate],
    ) -> None:
        """Count in `store`. `budgets`: how many messages for one "user", one "client", the whole "server"."""
        self._senders = senders
        self._outages = outages
        self._record = record
        self._store = store
        self._budgets = [(scope, rate) for scope, rate in budgets.items() if rate.count is not None]
        self._followed: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Open nothing. The senders are entered after this, and left before it."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Try nothing again. What was under way is settled, since the senders were left."""
        for task in self._followed:
            task.cancel()
        await asyncio.gather(*self._followed, return_exceptions=True)

    async def send(self, login: Login, senders: Sequence[str], draft: Draft, deadline: float) -> Sent:
        """Send; return when a sender took it, or at the deadline if it may still arrive. Unavailable: it won't."""
        if time.monotonic() >= deadline:
            what = "no time was left for the mail"
            raise Unavailable(what)
        chosen = [(name, self._senders[name]) for name in senders]
        messages = self._addressed(chosen[0][1], login, draft)
        if (first := next(messages, None)) is None:
            return Sent(refused=Reason.NO_ADDRESS)
        if over := await self._over_budget(login, draft.pause):
            fields = {"reason": f"{Reason.MAIL_LIMIT}: {over}"}
            return Sent(refused=Reason.MAIL_LIMIT, facts=(Fact(name="mail.refused", fields=fields),))
        message: Message | None = first
        facts: list[Fact] = []
        while message:
            delivery = Delivery(senders=chosen, message=message, outages=self._outages, facts=facts)
            fate = await delivery.begin(deadline)
            if fate is Fate.DOWN and (failure := delivery.failure):
                # A user who tries during an outage still has the whole budget after it.
                await self._give_back(self._budgets_of(login, draft.pause), login)
                raise Unavailable(failure.what, where=failure.where, facts=tuple(facts))
            if fate is not Fate.REFUSED:
                return self._on_its_way(login, delivery, fate)
            message = next(messages, None)
        return Sent(refused=Reason.ADDRESS_REFUSED, facts=tuple(facts))

    def recipient(self, login: Login, senders: Sequence[str], attribute: str) -> str:
        """Return the first address, masked, that a message will go to; empty: there is none."""
        return first_address(self._senders[senders[0]], login.user, attribute)

    def _addressed(self, sender: Sender, login: Login, draft: Draft) -> Iterator[Message]:
        """Address the draft to each usable address of the user, in the repository's order."""
        until = time.monotonic() + draft.life
        for address in login.user.reached_at(draft.attribute):
            if sender.usable(address):
                masked = sender.masked(address)
                yield Message(
                    recipient=address, masked=masked, template=draft.template, values=draft.values, until=until
                )

    def _on_its_way(self, login: Login, delivery: Delivery, fate: Fate) -> Sent:
        facts, delivery.facts = tuple(delivery.facts), []
        if (delivery.under_way or fate is Fate.DEFERRED) and len(self._followed) < FOLLOWED:
            task = asyncio.create_task(self._follow(_writer(self._record, login), delivery, fate))
            self._followed.add(task)
            task.add_done_callback(self._followed.discard)
        return Sent(recipient=delivery.message.masked, facts=facts)

    async def _follow(self, write: Callable[[Fact], None], delivery: Delivery, fate: Fate) -> None:
        """Follow a message whose challenge has left already, and write to the log what becomes of it.

        What is deferred, or came to nothing, is tried again while its code is good (RFC 5321 4.5.4.1). What may have
        arrived is not.
        """
        pause, taken = FIRST_PAUSE, fate is Fate.TAKEN
        while True:
            if delivery.under_way:
                fate = await delivery.settle()
            elif fate in (Fate.DOWN, Fate.DEFERRED) and not taken:
                if time.monotonic() + pause >= delivery.message.until:
                    delivery.give_up()
                    fate = Fate.REFUSED
                else:
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, LONGEST_PAUSE)
                    fate = await delivery.begin(delivery.message.until)
            else:
                return
            taken = taken or fate is Fate.TAKEN
            for fact in delivery.facts:
                write(fact)
            delivery.facts.clear()

    async def _over_budget(self, login: Login, pause: float) -> str:
        """Count one message in every budget; say which of them is used up, and count in none then.

        Messages that anybody can have sent, without a proof, have budgets of their own: they use up no other user's.
        """
        budgets = self._budgets_of(login, pause)
        for number, (scope, rate) in enumerate(budgets):
            until = self._store.now() + rate.seconds
            tally = Tally(kind=KIND, scope=scope, name=_spender(scope, login), count=1, until=until)
            if not await self._store.increment(tally, rate.count or 0, extend=False):
                # There is no mail: a client's flood must not eat up what its users may get.
                await self._give_back(budgets[:number], login)
                return f"{rate} for this {scope}"
        return ""

    def _budgets_of(self, login: Login, pause: float) -> Sequence[tuple[str, Rate]]:
        if login.proven:
            return self._budgets
        paused = [(f"user{UNPROVEN} at once", Rate(1, pause))] if pause else []
        return paused + [(scope + UNPROVEN, rate) for scope, rate in self._budgets]

    async def _give_back(self, budgets: Sequence[tuple[str, Rate]], login: Login) -> None:
        for scope, _ in budgets:
            await self._store.decrement(KIND, scope, _spender(scope, login))


def first_address(sender: Sender, user: User, attribute: str) -> str:
    """Return the first address, masked, that a message to a user goes to; empty: there is none."""
    return next((sender.masked(each) for each in user.reached_at(attribute) if sender.usable(each)), "")


def _spender(scope: str, login: Login) -> str:
    kind = scope.partition(" ")[0]
    return {"user": f"{login.user.repository}\0{login.user.key}", "client": login.client}.get(kind, "")


def _writer(record: Record, login: Login) -> Callable[[Fact], None]:
    """Return what writes a fact of a login that happens after its request has ended."""
    known = {
        "login": login.reference,
        "user": login.name,
        "client": login.client,
        "login_event": login.event,
    }
    return lambda fact: record(fact.name, **known, **fact.fields)
