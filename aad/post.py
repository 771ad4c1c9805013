"""How a method's message leaves: within the budgets, by the first of its senders that takes it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from aad.core.conversation import Login
from aad.core.identity import User
from aad.core.outcome import Fact, Reason
from aad.core.settings import Rate
from aad.outages import Outages
from aad.ports import AddressRefused, Message, Sender, Sent, Store, Tally, Unavailable, Underway

KIND = "mails"


class Post:
    """Gives messages to senders, in order, and counts them per user, per client and altogether."""

    def __init__(
        self,
        senders: Mapping[str, Sender],
        store: Store,
        outages: Outages,
        *,
        budgets: Mapping[str, Rate],
    ) -> None:
        """Keep what it gets. `budgets`: how many messages for one "user", one "client", the whole "server"."""
        self._senders = senders
        self._outages = outages
        self._store = store
        self._budgets = [(scope, rate) for scope, rate in budgets.items() if rate.count is not None]

    def recipient(self, senders: Sequence[str], user: User) -> tuple[str, str] | None:
        """Return the first usable address of `user`, and as a stranger may see it; None: there is none."""
        first = self._senders[senders[0]]
        return next(((one, first.masked(one)) for one in user.addresses if first.usable(one)), None)

    async def send(self, login: Login, senders: Sequence[str], message: Message, deadline: float) -> Sent:
        """Send, if the budgets allow. Each sender gets an equal share of the time that is left."""
        if over := await self._over_budget(login):
            fields = {"reason": f"{Reason.MAIL_LIMIT}: {over}"}
            return Sent(refused=Reason.MAIL_LIMIT, facts=(Fact(name="mail.refused", fields=fields),))
        facts: tuple[Fact, ...] = ()
        for number, name in enumerate(senders):
            began = time.monotonic()
            share = began + (deadline - began) / (len(senders) - number)
            known = {"sender": name, "recipient": message.masked}
            try:
                receipt = await self._senders[name].send(message, share)
            except AddressRefused as error:
                return Sent(refused=Reason.ADDRESS_REFUSED, facts=(*facts, _fact("failed", known, began, error)))
            except Underway as error:
                # It may still arrive, so nobody else may send it too.
                return Sent(facts=(*facts, _fact("queued", known, began, error)))
            except Unavailable as error:
                self._outages.down(error)
                last, facts = error, (*facts, _fact("failed", known, began, error))
            else:
                self._outages.up(f"sender {name}")
                return Sent(facts=(*facts, _fact("sent", {**known, "queue_id": receipt.queue_id}, began)))
        await self._give_back(self._budgets, login)  # nothing left: who tries amid an outage has his mails after it
        raise Unavailable(last.what, where=last.where, facts=facts)

    async def _over_budget(self, login: Login) -> str:
        """Count one message in every budget; say which of them is used up, and count in none then."""
        for number, (scope, rate) in enumerate(self._budgets):
            until = self._store.now() + rate.seconds
            tally = Tally(kind=KIND, scope=scope, name=_spender(scope, login), count=1, until=until)
            if not await self._store.spend(tally, rate.count or 0, extend=False):
                # There is no mail: a client's flood must not eat up what its users may get.
                await self._give_back(self._budgets[:number], login)
                return f"{rate} for this {scope}"
        return ""

    async def _give_back(self, budgets: Sequence[tuple[str, Rate]], login: Login) -> None:
        for scope, _ in budgets:
            await self._store.refund(KIND, scope, _spender(scope, login))


def _spender(scope: str, login: Login) -> str:
    return {"user": login.user.key, "client": login.endpoint}.get(scope, "")


def _fact(what: str, known: Mapping[str, str], began: float, error: Exception | None = None) -> Fact:
    reason = {"reason": str(error)} if error and str(error) else {}
    return Fact(name=f"mail.{what}", fields={**known, **reason, "ms": (time.monotonic() - began) * 1000})
