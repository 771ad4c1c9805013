"""Waiting logins and counters in Valkey or Redis, shared by several nodes; or this node's own while that is away."""

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
ENDLESS = 10**9  # the limit for counts that were made on this node already


class Valkey:
    """The store on a shared server, and what replaces it while the server is unavailable.

    With `on_unavailable = "refuse"` every call fails at once meanwhile. With "local" new logins and counters are this
    node's own: they wait here and are answered here, also after the server's return, when the counters are added to the
    shared ones. Until the server is back, a login kept there is Unavailable, never unknown; and what users are enrolled
    with is never guessed.
    """

    Settings: ClassVar[type] = ValkeySettings
    shared: ClassVar[bool] = True

    def __init__(self, settings: ValkeySettings, wiring: Wiring) -> None:
        """Without `wiring.outage`, as in a command, the local state is never used."""
        self._shared = Commands(settings)
        # A command that opens the store beside the daemon has no state of its own to go on with.
        self._local = settings.on_unavailable == "local" and wiring.outage is not None
        self._fallback = LocalFallback(self._shared.clock.now)
        self._shared.on_tick = self._fallback.sweep
        self._shared.connection.on_return = self._carry
        if wiring.outage is not None:
            outage, where = wiring.outage, self._shared.connection.where
            self._shared.connection.on_change = lambda what: outage(Unavailable(what, where=where), over=not what)

    async def __aenter__(self) -> Self:
        """Connect. Unavailable: no server can be used, and this node may not go on with a local state."""
        await self._shared.open(patient=self._local)
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the connection."""
        await self._shared.close()

    def now(self) -> float:
        """Return the time of all nodes, in seconds, to within 2 ms in one network; see `clock.py`."""
        return self._shared.clock.now()

    async def put_login(self, kept: Kept, most: int) -> bool:
        """Keep a waiting login, at most `most` of one holder; see `Store.put_login`."""
        return await self._either(
            lambda: self._shared.put_login(kept, most), lambda: self._fallback.put_login(kept, most)
        )

    async def take_login(self, ticket: bytes, count: RowRule | None = None) -> Taken | None:
        """Return the login and forget it; one that was begun during an outage waits here."""
        if not self._fallback.holds(ticket):
            return await self._shared.take_login(ticket, count)
        kept = self._fallback.taken(ticket)
        if kept is None or not (kept.row and count):
            return Taken(kept.login) if kept else None
        changes = list[Change | None]()

        def counted(value: bytes | None) -> Change | None:
            changes.append(count(kept.row, value))
            return changes[-1]

        try:
            await self.update_expiring(ROW, kept.row, counted)  # at the server, if it is back
        except BaseException:
            self._fallback.restored(kept)
            raise
        if changes[-1] is None:
            self._fallback.restored(kept)
            return Taken(kept.login, refused=True)
        return Taken(kept.login)

    async def logins_of(self, holder: str) -> list[tuple[bytes, bytes]]:
        """Return tickets and logins that are kept for `holder`, unless expired."""
        return self._fallback.logins_of(holder) + await self._either(lambda: self._shared.logins_of(holder), list)

    async def count_logins(self) -> int:
        """Return the number of waiting logins, about."""
        return self._fallback.count_logins() + await self._either(self._shared.count_logins, lambda: 0)

    async def increment(self, tally: Tally, limit: int, *, extend: bool) -> int:
        """Count one more, unless at the `limit`; return the new count, or 0."""
        return await self._either(
            lambda: self._shared.increment(tally, limit, extend=extend),
            lambda: self._fallback.increment(tally, limit, extend=extend),
        )

    async def decrement(self, kind: str, scope: str, name: str) -> None:
        """Count one less; a counter of none is removed."""
        await self._either(
            lambda: self._shared.decrement(kind, scope, name), lambda: self._fallback.decrement(kind, scope, name)
        )

    async def delete_counter(self, kind: str, scope: str, name: str) -> bool:
        """Remove a counter, or with an empty `scope` those of every scope; return whether any still counted."""
        here = self._fallback.delete_counter(kind, scope, name)
        return await self._either(lambda: self._shared.delete_counter(kind, scope, name), lambda: False) or here

    async def counters(self, kind: str) -> list[Tally]:
        """Return the counters of a kind that still count."""
        return await self._shared.counters(kind)

    async def get(self, kind: str, name: str) -> bytes | None:
        """Return a value that is held for good."""
        return await self._shared.get(kind, name)

    async def compare_and_set(self, kind: str, name: str, old: bytes | None, new: bytes | None) -> bool:
        """Hold `new` where `old` is held; return whether it was. ValueError: `new` is over `LARGEST`."""
        if new is not None and len(new) > LARGEST:
            message = f"{len(new)} octets are too many to be held, {LARGEST} at most"
            raise ValueError(message)
        return await self._shared.compare_and_set(kind, name, old, new)

    async def names(self, kind: str) -> list[str]:
        """Return the names, in order."""
        return await self._shared.names(kind)

    async def get_expiring(self, kind: str, name: str) -> bytes | None:
        """Return a value that hasn't ended; one that was written during an outage is found here after it, too."""
        found = await self._value(kind, lambda: self._shared.get_expiring(kind, name), lambda: None)
        return self._fallback.get_expiring(kind, name) if found is None else found

    async def update_expiring(self, kind: str, name: str, rule: Rule, expected: bytes | None = None) -> None:
        """Change a value as `rule` says; see `Store.update_expiring`."""
        await self._value(
            kind,
            lambda: self._shared.update_expiring(kind, name, rule, expected),
            lambda: self._fallback.update_expiring(kind, name, rule),
        )

    async def put_expiring(self, kind: str, changes: Mapping[str, Change | None]) -> None:
        """Hold these values, by name, whatever is held."""

        async def at_server() -> None:
            await self._shared.put_expiring(kind, changes)
            self._fallback.forget_values(kind, changes)  # of an outage, when they were this node's own

        await self._value(kind, at_server, lambda: self._fallback.put_expiring(kind, changes))

    async def all_expiring(self, kind: str) -> dict[str, bytes]:
        """Return the values of a kind by name: a walk through all keys, for a command."""
        return await self._shared.all_expiring(kind)

    async def compare_and_set_expiring(
        self, kind: str, name: str, old: bytes | None, new: bytes | None, until: float
    ) -> bool:
        """Hold `new`, until then, where `old` is held; return whether it was. ValueError: over `LARGEST_PASSING`."""
        if new is not None and len(new) > LARGEST_PASSING:
            message = f"{len(new)} octets are too many to be held for a while, {LARGEST_PASSING} at most"
            raise ValueError(message)
        return await self._shared.compare_and_set_expiring(kind, name, old, new, until)

    async def probe(self) -> str:
        """Write to the server; return its version, and settings of it that would lose lockouts or enrolments."""
        return f"{self._shared.connection.place}: {await self._shared.probe()}"

    async def _either(self, at_server: Callable[[], Awaitable[T]], here: Callable[[], T]) -> T:
        """Call `at_server`; while the server is unavailable and a local state is configured, `here`."""
        try:
            return await at_server()
        except Unavailable:
            if not self._local or self._shared.connection.up:
                raise
        self._shared.connection.missed()
        return here()

    async def _value(self, kind: str, at_server: Callable[[], Awaitable[T]], here: Callable[[], T]) -> T:
        """As `_either` for kinds of values that may be local; a session is not: it is never guessed."""
        return await (self._either(at_server, here) if kind in HERE else at_server())

    async def _carry(self) -> None:
        """Add the local counters to the shared ones: a lockout holds, and a mail budget stays spent.

        Unavailable: the server is away again; counts that may not have got there are added the next time.
        """
        for tally in self._fallback.give_up_counters():
            try:
                await self._shared.increment(tally, ENDLESS, extend=True, step=tally.count)
            except Unavailable:
                self._fallback.restore(tally)
                raise
        for name, here in self._fallback.give_up_rows():
            added = partial(_with, name, here)
            try:
                await self._shared.update_expiring(ROW, name, added)
            except Unavailable:
                self._fallback.update_expiring(ROW, name, added)
                raise


def _with(name: str, here: bytes, shared: bytes | None) -> Change | None:
    """Return the shared row of failures with the failures counted here."""
    kind = kind_of(name)
    counted = Row.decoded(kind, here)
    return Change(*merged(kind, [Row.decoded(kind, shared), counted]).kept()) if counted.count else None
