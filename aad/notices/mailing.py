"""Mails notices: looks every few seconds for those that are due, and tries until a mail server has taken them.

Each user has a budget of their own for notices, which no other use can exhaust: one mail an hour, beside all other
limits. Of several nodes one mails: the gate is a value that expires, and the node that puts it there has the notice
until then.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from enum import Enum, auto

from aad.core.identity import User
from aad.core.language import lookup
from aad.core.message import Message
from aad.core.outcome import Reason
from aad.login.message_delivery import Delivery, Fate
from aad.login.outages import Outages
from aad.notices.kept import KIND, RACES, Notice, decoded, encoded
from aad.notices.text import notice_mail
from aad.ports import AmbiguousUserError, Record, Repository, Sender, Store, Unavailable, without_password
from aad.texts import LANGUAGES

EVERY = 2.0  # seconds between two looks
HOUR = 3600.0  # between two mails to one user; what happens meanwhile is in the second one
LASTS = 7 * 86_400.0  # seconds that a notice is kept which can't be mailed
AT_ONCE = 8  # mails at the same time
PATIENCE, SETTLING = 20.0, 20.0  # seconds for a directory, and for a mail; then for a slow mail server's answer
CLAIMED = PATIENCE + PATIENCE + SETTLING + 10.0
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 300.0  # seconds until the next try
LONGEST_ROUND = 30.0  # seconds between two looks while no mail server takes anything
LOOKED = 30.0  # seconds until the next look at a notice that another node has, or that isn't due
LEAVING = 2.0  # seconds for mails under way when the daemon ends
_GATE = "notice gate"
_GUESSES = b"guesses"  # in the gate: the last mail told of no change, and holds the mail of one up for no hour


@dataclass(frozen=True, kw_only=True)
class Route:
    """The way of notices: `senders`, addresses in `attribute` (see `User.reached_at`), the default `language`."""

    repositories: Mapping[str, Repository]
    senders: Sequence[tuple[str, Sender]]
    attribute: str = ""
    language: str = "en"
    contact: str = ""


class Fared(Enum):
    """The fate of one notice's mail."""

    SENT = auto()
    NEVER = auto()  # until the directory has another address, or the user again
    LATER = auto()
    DOWN = auto()  # no mail can be sent


class Mailing:
    """Sends notices by `route`, which a reload exchanges; none while it is None."""

    def __init__(self, record: Record, *, idle: bool = False) -> None:
        """Write records to `record`. `idle`: do nothing, as another process of this node mails."""
        self.route: Route | None = None
        self.woken = asyncio.Event()
        self._record = record
        self._idle = idle
        self._later: dict[str, float] = {}  # name -> when to look at it again
        self._gone: set[str] = set()  # repositories that are down, in this round
        self._down = 0  # rounds in a row in which no mail could be sent
        self._leaving = False
        self._looking = asyncio.Lock()

    @asynccontextmanager
    async def running(self, store: Store, outages: Outages) -> AsyncIterator[None]:
        """Mail the notices of `store` until the block ends."""
        self._store, self._outages = store, outages
        if self._idle:
            yield
            return
        task = asyncio.create_task(self._run(), name="notices")
        try:
            yield
        finally:
            self._leaving = True
            self.woken.set()
            await asyncio.wait({task}, timeout=LEAVING)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        while not self._leaving:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.woken.wait(), min(EVERY * 2**self._down, LONGEST_ROUND))
            self.woken.clear()
            try:
                async with self._looking:
                    if self.route is not None:
                        await self.look(self.route)
            except Unavailable as error:
                self._outages.down(error)

    async def let_go(self) -> None:
        """Wait until no mail is under way by the route of before: its senders are about to be closed."""
        async with self._looking:
            pass

    async def look(self, route: Route) -> None:
        """Look once, and mail what is due. Unavailable: the store is down."""
        names = await self._store.names(KIND)
        now = self._store.now()
        self._later = {name: self._later[name] for name in names if self._later.get(name, 0.0) > now}
        due, self._gone = [name for name in names if name not in self._later], set()
        for at in range(0, len(due), AT_ONCE):
            if self._leaving or self.route not in (None, route):
                return
            batch = [name for name in due[at : at + AT_ONCE] if name.partition("\0")[0] not in self._gone]
            fared = await asyncio.gather(*(self._guarded(route, name) for name in batch))
            if fared and set(fared) == {Fared.DOWN}:  # it is the mail server, not one mail
                self._down = min(self._down + 1, 10)
                return
        self._down = 0

    async def _guarded(self, route: Route, name: str) -> Fared:
        self._later[name] = self._store.now() + FIRST_PAUSE
        try:
            return await self._one(route, name)
        except Unavailable as error:
            self._outages.down(error)
            if error.where.startswith("repository"):
                self._gone.add(name.partition("\0")[0])
        except Exception as error:  # noqa: BLE001 - a plugin's fault must not end the mails of all others
            self._later[name] = self._store.now() + LONGEST_PAUSE
            self._record("fault", reason=f"a notice could not be mailed: {type(error).__name__}")
        return Fared.LATER

    async def _one(self, route: Route, name: str) -> Fared:
        """Mail one user's notice, if it is due and no other node does. Unavailable."""
        gate, now = os.urandom(8), self._store.now()
        before = await self._store.get_expiring(_GATE, name)
        closed = before is not None and not (before == _GUESSES and await self._tells_a_change(name))
        if closed or not await self._store.compare_and_set_expiring(_GATE, name, before, gate, now + CLAIMED):
            self._later[name] = now + LOOKED
            return Fared.LATER
        pause, fared, left = 0.0, Fared.LATER, gate
        try:
            notice = await self._lasting(name)
            if notice is not None:
                fared, trouble = await self._mailed(route, name, notice)
                pause = await self._settled(name, notice, fared, trouble)
                left = _GUESSES if fared is Fared.SENT and notice.guesses else gate
        finally:
            # Cancelled, or a back end is down: the next look is soon.
            until = self._store.now() + (pause or FIRST_PAUSE)
            self._later[name] = until if left == gate else self._store.now() + LOOKED
            await self._store.compare_and_set_expiring(_GATE, name, gate, left if pause else None, until)
        return fared

    async def _tells_a_change(self, name: str) -> bool:
        """Say whether a notice tells of more than wrong codes."""
        notice = decoded(await self._store.get(KIND, name))
        return notice is not None and not notice.guesses

    async def _settled(self, name: str, notice: Notice, fared: Fared, trouble: str) -> float:
        """Write a mail's fate to store and log; return the seconds until the next mail to this user."""
        if fared is Fared.SENT:
            ids = {row.id for row in notice.rows}
            await self._changed(name, lambda now: now.without(ids, notice.more))
            self._record("notice.sent", user=notice.user, count=notice.count)
            return HOUR
        if fared is Fared.NEVER:
            if (notice.trouble, notice.told) != (trouble, notice.count):
                told = notice.count
                await self._changed(name, lambda now: replace(now, trouble=trouble, told=told))
                self._record("notice.undeliverable", user=notice.user, reason=trouble)
            return HOUR
        age = time.time() - notice.rows[0].at if notice.rows else 0.0
        return min(max(FIRST_PAUSE, age / 4), LONGEST_PAUSE)

    async def _lasting(self, name: str) -> Notice | None:
        """Return a notice without rows that are too old, which are removed; None: nothing is left."""
        kept = await self._store.get(KIND, name)
        if kept is None:
            return None
        notice, least = decoded(kept), time.time() - LASTS
        if notice is None:
            if await self._store.compare_and_set(KIND, name, kept, None):
                self._record("notice.failed", user=name.partition("\0")[2], reason="what the store holds can't be read")
            return None
        old = {row.id for row in notice.rows if row.at < least}
        more = notice.more if notice.last < least else 0
        if not old and not more:
            return notice
        after = replace(notice.without(old, more), trouble=notice.trouble, told=notice.told)
        if not await self._store.compare_and_set(KIND, name, kept, encoded(after) if after.count else None):
            return None
        reason = f"{notice.trouble or 'no mail server took it'}; given up after {LASTS / 86_400:g} days"
        self._record("notice.failed", user=notice.user, reason=reason)
        return after if after.count else None

    async def _changed(self, name: str, change: Callable[[Notice], Notice]) -> None:
        for _ in range(RACES):
            kept = await self._store.get(KIND, name)
            if (before := decoded(kept)) is None:
                return
            after = change(before)
            if await self._store.compare_and_set(KIND, name, kept, encoded(after) if after.count else None):
                return

    async def _mailed(self, route: Route, name: str, notice: Notice) -> tuple[Fared, str]:
        """Mail a notice to the first address that takes it; return its fate and, for NEVER, the reason. Unavailable."""
        if not route.senders:
            return Fared.NEVER, "no sender is configured"
        user = await _found(route, name, notice.user)
        if user is None:
            return Fared.NEVER, "the repository has no such user any more"
        usable = [each for each in user.reached_at(route.attribute) if route.senders[0][1].usable(each)]
        template = notice_mail(notice, lookup(user.language, LANGUAGES, route.language), route.contact)
        deadline = time.monotonic() + PATIENCE  # for all addresses together: the gate is ours until then
        for address in usable:
            if time.monotonic() > deadline:
                return Fared.LATER, ""
            masked = route.senders[0][1].masked(address)
            until = deadline + SETTLING
            message = Message(recipient=address, masked=masked, template=template, values={}, until=until)
            fared = await self._sent(route, message, notice.user, deadline)
            if fared is not Fared.NEVER:
                return fared, ""
        return Fared.NEVER, Reason.ADDRESS_REFUSED if usable else Reason.NO_ADDRESS

    async def _sent(self, route: Route, message: Message, user: str, deadline: float) -> Fared:
        delivery = Delivery(senders=route.senders, message=message, outages=self._outages)
        fate = await delivery.begin(deadline)
        if delivery.under_way:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, deadline + SETTLING - time.monotonic())):
                    fate = max(fate, await delivery.settle())
        for fact in delivery.facts:
            self._record(fact.name, user=user, **fact.fields)
        return {Fate.TAKEN: Fared.SENT, Fate.REFUSED: Fared.NEVER, Fate.DOWN: Fared.DOWN}.get(fate, Fared.LATER)


async def _found(route: Route, name: str, spelled: str) -> User | None:
    """Return the user of a notice as the repository knows them now; None: there is none. Unavailable."""
    repository, _, key = name.partition("\0")
    if repository not in route.repositories:
        return None
    deadline = time.monotonic() + PATIENCE
    try:
        found = await route.repositories[repository].find(spelled, None, without_password, deadline)
    except AmbiguousUserError:
        return None
    return found.user if found and found.user.key == key else None
