"""Waiting logins and counters in Valkey or Redis, common to several nodes; or this node's own while that is away."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import ClassVar, Self, TypeVar

from aad.core.row import Row, kind_of, merged
from aad.ports import Change, Kept, RowRule, Rule, Taken, Tally, Unavailable, Wiring
from aad.stores.valkey.commands import Commands
from aad.stores.valkey.local_fallback import HERE, LocalFallback
from aad.stores.valkey.settings import ValkeySettings
from aad.storing import LARGEST, LARGEST_PASSING, ROW

T = TypeVar("T")
ENDLESS = 10**9  # the limit of what was counted elsewhere already


class Valkey:
    """The common state, and what to do without it.

    With `on_unavailable = "refuse"` every call fails at once while the server is away. With "local" new logins and
    counters are this node's own meanwhile: they wait here and are answered here, also after the server's return, when
    the counters are added to the common ones. A login that waits at the server is Unavailable until then, never
    unknown; and what users are enrolled with is never guessed.
    """

    Settings: ClassVar[type] = ValkeySettings
    shared: ClassVar[bool] = True

    def __init__(self, settings: ValkeySettings, wiring: Wiring) -> None:
        """Keep what it gets."""
        self._common = Commands(settings)
        # A command that looks at the store beside the daemon has no state of its own to go on with.
        self._local = settings.on_unavailable == "local" and wiring.outage is not None
        self._aside = LocalFallback(self._common.clock.now)
        self._common.swept = self._aside.sweep
        self._common.link.returned = self._carry
        if wiring.outage is not None:
            outage, where = wiring.outage, self._common.link.where
            self._common.link.told = lambda what: outage(Unavailable(what, where=where), over=not what)

    async def __aenter__(self) -> Self:
        """Connect. Unavailable: why it can't be, unless this node may go on with its own state."""
        await self._common.open(patient=self._local)
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the connection."""
        await self._common.close()

    def now(self) -> float:
        """Return the time that all nodes have in common, about; see `valkey_clock`."""
        return self._common.clock.now()

    async def put_login(self, kept: Kept, most: int) -> bool:
        """Keep a waiting login, of `most` of its holder."""
        return await self._either(lambda: self._common.put_login(kept, most), lambda: self._aside.put_login(kept, most))

    async def take_login(self, ticket: bytes, count: RowRule | None = None) -> Taken | None:
        """Return the login and forget it: from here, if it waits here."""
        if not self._aside.holds(ticket):
            return await self._common.take_login(ticket, count)
        kept = self._aside.taken(ticket)
        if kept is None or not (kept.row and count):
            return Taken(kept.login) if kept else None
        said = list[Change | None]()

        def counted(value: bytes | None) -> Change | None:
            said.append(count(kept.row, value))
            return said[-1]

        try:
            await self.update_expiring(ROW, kept.row, counted)  # in common, if it is back
        except BaseException:
            self._aside.restored(kept)
            raise
        if said[-1] is None:
            self._aside.restored(kept)
            return Taken(kept.login, refused=True)
        return Taken(kept.login)

    async def logins_of(self, holder: str) -> list[tuple[bytes, bytes]]:
        """Return tickets and logins that are kept for `holder`, unless expired."""
        return self._aside.logins_of(holder) + await self._either(lambda: self._common.logins_of(holder), list)

    async def count_logins(self) -> int:
        """Count the waiting logins, about."""
        return self._aside.count_logins() + await self._either(self._common.count_logins, lambda: 0)

    async def increment(self, tally: Tally, limit: int, *, extend: bool) -> int:
        """Count one more, unless at the `limit`."""
        return await self._either(
            lambda: self._common.increment(tally, limit, extend=extend),
            lambda: self._aside.increment(tally, limit, extend=extend),
        )

    async def decrement(self, kind: str, scope: str, name: str) -> None:
        """Take one back."""
        await self._either(
            lambda: self._common.decrement(kind, scope, name), lambda: self._aside.decrement(kind, scope, name)
        )

    async def delete_counter(self, kind: str, scope: str, name: str) -> bool:
        """Remove a counter, or with an empty `scope` those of every scope; say whether any still counted."""
        here = self._aside.delete_counter(kind, scope, name)
        return await self._either(lambda: self._common.delete_counter(kind, scope, name), lambda: False) or here

    async def counters(self, kind: str) -> list[Tally]:
        """Return the counters of a kind that still count."""
        return await self._common.counters(kind)

    async def get(self, kind: str, name: str) -> bytes | None:
        """Return what is held."""
        return await self._common.get(kind, name)

    async def compare_and_set(self, kind: str, name: str, old: bytes | None, new: bytes | None) -> bool:
        """Hold `new` instead of `old`."""
        if new is not None and len(new) > LARGEST:
            message = f"{len(new)} octets are too many to be held, {LARGEST} at most"
            raise ValueError(message)
        return await self._common.compare_and_set(kind, name, old, new)

    async def names(self, kind: str) -> list[str]:
        """Return the names, in order."""
        return await self._common.names(kind)

    async def get_expiring(self, kind: str, name: str) -> bytes | None:
        """Return a value that hasn't ended; what was held here amid an outage is found here after it, too."""
        found = await self._value(kind, lambda: self._common.get_expiring(kind, name), lambda: None)
        return self._aside.get_expiring(kind, name) if found is None else found

    async def update_expiring(self, kind: str, name: str, rule: Rule, expected: bytes | None = None) -> None:
        """Do with a value what `rule` says."""
        await self._value(
            kind,
            lambda: self._common.update_expiring(kind, name, rule, expected),
            lambda: self._aside.update_expiring(kind, name, rule),
        )

    async def put_expiring(self, kind: str, changes: Mapping[str, Change | None]) -> None:
        """Hold these values, whatever is held."""

        async def common() -> None:
            await self._common.put_expiring(kind, changes)
            self._aside.forget_values(kind, changes)  # amid an outage it was this node's own

        await self._value(kind, common, lambda: self._aside.put_expiring(kind, changes))

    async def all_expiring(self, kind: str) -> dict[str, bytes]:
        """Return the values of a kind."""
        return await self._common.all_expiring(kind)

    async def compare_and_set_expiring(
        self, kind: str, name: str, old: bytes | None, new: bytes | None, until: float
    ) -> bool:
        """Hold `new`, until then, instead of `old`."""
        if new is not None and len(new) > LARGEST_PASSING:
            message = f"{len(new)} octets are too many to be held for a while, {LARGEST_PASSING} at most"
            raise ValueError(message)
        return await self._common.compare_and_set_expiring(kind, name, old, new, until)

    async def probe(self) -> str:
        """Try the server, and say what could be better there."""
        return f"{self._common.link.place}: {await self._common.probe()}"

    async def _either(self, common: Callable[[], Awaitable[T]], here: Callable[[], T]) -> T:
        """Do it in common; while the server is away, here, if that is wanted."""
        try:
            return await common()
        except Unavailable:
            if not self._local or self._common.link.up:
                raise
        self._common.link.missed()
        return here()

    async def _value(self, kind: str, common: Callable[[], Awaitable[T]], here: Callable[[], T]) -> T:
        """Do it in common, or here where such a value may be kept: a session is not guessed."""
        return await (self._either(common, here) if kind in HERE else common())

    async def _carry(self) -> None:
        """Add what was counted here to the common counters: a lockout holds, and a mail budget stays spent.

        Unavailable: the server is away again. What may not have got there is added the next time.
        """
        for tally in self._aside.carried():
            try:
                await self._common.increment(tally, ENDLESS, extend=True, step=tally.count)
            except Unavailable:
                self._aside.restore(tally)
                raise
        for name, here in self._aside.rows():
            added = partial(_with, name, here)
            try:
                await self._common.update_expiring(ROW, name, added)
            except Unavailable:
                self._aside.update_expiring(ROW, name, added)
                raise


def _with(name: str, here: bytes, common: bytes | None) -> Change | None:
    """Return the common row of failures with what was counted here."""
    kind = kind_of(name)
    counted = Row.decoded(kind, here)
    return Change(*merged(kind, [Row.decoded(kind, common), counted]).kept()) if counted.count else None
