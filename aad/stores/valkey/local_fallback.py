"""Waiting logins and counters of this node alone, for as long as the shared server is unavailable: in memory only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from aad.ports import Change, Kept, Rule, Tally, Unavailable
from aad.storing import GRACE, ROW

MOST = 1_000_000  # counters; beyond, new names are refused
HERE = {ROW, "once"}  # kinds of values that may be this node's own meanwhile: rows of failures, answers sent before
_NONE = Change(None, 0.0)


class LocalFallback:
    """Waiting logins, counters and values of one node; nothing here awaits, so each call is atomic."""

    def __init__(self, now: Callable[[], float]) -> None:
        """`now`: the store's clock, in seconds."""
        self._now = now
        self._logins: dict[bytes, Kept] = {}
        self._values: dict[tuple[str, str], Change] = {}
        self._counters: dict[tuple[str, str], dict[str, Tally]] = {}

    def holds(self, ticket: bytes) -> bool:
        """Say whether this login waits here."""
        return ticket in self._logins

    def put_login(self, kept: Kept, most: int) -> bool:
        """Keep a waiting login, of `most` of its holder."""
        self.taken(kept.ticket)
        others = [each for each in self._logins.values() if each.holder == kept.holder and each.expires > self._now()]
        surplus = max(0, len(others) + 1 - most)
        going = [each for each in sorted(others, key=lambda each: each.proven) if each.proven <= kept.proven][:surplus]
        if len(going) < surplus:
            return False
        for each in going:
            self.taken(each.ticket)
        self._logins[kept.ticket] = kept
        return True

    def taken(self, ticket: bytes) -> Kept | None:
        """Return the login and forget it; None: unknown, or expired for longer than GRACE."""
        kept = self._logins.pop(ticket, None)
        return kept if kept and kept.expires + GRACE > self._now() else None

    def restored(self, kept: Kept) -> None:
        """Keep a login again that was taken."""
        self._logins[kept.ticket] = kept

    def logins_of(self, holder: str) -> list[tuple[bytes, bytes]]:
        """Return tickets and logins of `holder` that still wait, the latest first."""
        now, found = self._now(), reversed(self._logins.values())
        return [(kept.ticket, kept.login) for kept in found if kept.holder == holder and kept.expires > now]

    def update_expiring(self, kind: str, name: str, rule: Rule) -> bool:
        """Change a value as `rule` says; return whether anything changed."""
        value, until = self._values.get((kind, name), _NONE)
        change = rule(value if until > self._now() else None)
        if change is not None:
            self.put_expiring(kind, {name: change})
        return change is not None

    def put_expiring(self, kind: str, changes: Mapping[str, Change | None]) -> None:
        """Hold these values, by name; None: nothing any more."""
        for name, change in changes.items():
            self._values[kind, name] = change or _NONE

    def forget_values(self, kind: str, names: Iterable[str]) -> None:
        """Forget the values of these names: the shared server holds them now."""
        for name in names:
            self._values.pop((kind, name), None)

    def get_expiring(self, kind: str, name: str) -> bytes | None:
        """Return a value that hasn't ended."""
        value, until = self._values.get((kind, name), _NONE)
        return value if until > self._now() else None

    def count_logins(self) -> int:
        """Return the number of waiting logins."""
        return len(self._logins)

    def increment(self, tally: Tally, limit: int, *, extend: bool) -> int:
        """Count one more, unless at the `limit`; return the new count, or 0. Unavailable: too many names."""
        key = (tally.kind, tally.name)
        if key not in self._counters and len(self._counters) >= MOST:
            message = f"{MOST} users failed or got mail of late, so new ones are refused"
            raise Unavailable(message, where="store")
        held = self._counters.get(key, {}).get(tally.scope)
        if held is None or held.until <= self._now():
            held = replace(tally, count=0)
        if held.count >= limit:
            return 0
        until = tally.until if extend else held.until
        self._counters.setdefault(key, {})[tally.scope] = replace(held, count=held.count + 1, until=until)
        return held.count + 1

    def decrement(self, kind: str, scope: str, name: str) -> None:
        """Count one less; a counter of none is removed."""
        scopes = self._counters.get((kind, name), {})
        if (held := scopes.get(scope)) is not None:
            scopes[scope] = replace(held, count=held.count - 1)
            if held.count <= 1:
                self._remove(kind, scope, name)

    def delete_counter(self, kind: str, scope: str, name: str) -> bool:
        """Remove a counter, or with an empty `scope` those of every scope; say whether any still counted."""
        scopes = self._counters.get((kind, name), {})
        found = [each for each in scopes if scope in ("", each)]
        any_counted = any(scopes[each].until > self._now() for each in found)
        for each in found:
            self._remove(kind, each, name)
        return any_counted

    def give_up_counters(self) -> Iterator[Tally]:
        """Remove and yield the counters that still count, one by one: they go to the shared server."""
        while self._counters:
            key, scopes = self._counters.popitem()
            _, tally = scopes.popitem()
            if scopes:
                self._counters[key] = scopes
            if tally.until > self._now():
                yield tally

    def restore(self, tally: Tally) -> None:
        """Count again what could not be written to the shared server."""
        scopes = self._counters.setdefault((tally.kind, tally.name), {})
        held = scopes.get(tally.scope, replace(tally, count=0))
        scopes[tally.scope] = replace(held, count=held.count + tally.count, until=max(held.until, tally.until))

    def give_up_rows(self) -> Iterator[tuple[str, bytes]]:
        """Remove and yield the rows of failures, one by one: they go to the shared server."""
        names = [name for kind, name in self._values if kind == ROW]
        for name in names:
            value, until = self._values.pop((ROW, name), _NONE)
            if value and until > self._now():
                yield name, value

    def sweep(self) -> None:
        """Forget what has expired."""
        now = self._now()
        for kept in [kept for kept in self._logins.values() if kept.expires + GRACE <= now]:
            del self._logins[kept.ticket]
        self._values = {key: change for key, change in self._values.items() if change.until > now}
        for key, scopes in list(self._counters.items()):
            for scope in [scope for scope, tally in scopes.items() if tally.until <= now]:
                self._remove(key[0], scope, key[1])

    def _remove(self, kind: str, scope: str, name: str) -> None:
        scopes = self._counters[kind, name]
        del scopes[scope]
        if not scopes:
            del self._counters[kind, name]
