"""What a node keeps for itself while its common store is away: in memory, and gone with the daemon."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from aad.ports import Tally, Unavailable

MOST = 1_000_000  # counters; then new names are refused
GRACE = 60.0  # as the stores do


class Aside:
    """Waiting logins and counters of one node; nothing here waits, so each call is atomic."""

    def __init__(self, now: Callable[[], float]) -> None:
        """Be empty; `now` is the store's clock."""
        self._now = now
        self._logins: dict[bytes, tuple[str, bytes, float]] = {}
        self._owners: dict[str, list[bytes]] = {}
        self._counters: dict[tuple[str, str], dict[str, Tally]] = {}

    def holds(self, ticket: bytes) -> bool:
        """Say whether this login waits here."""
        return ticket in self._logins

    def keep(self, ticket: bytes, owner: str, login: bytes, expires: float) -> None:
        """Keep a waiting login."""
        self.take(ticket)
        self._logins[ticket] = (owner, login, expires)
        self._owners.setdefault(owner, []).append(ticket)

    def take(self, ticket: bytes) -> bytes | None:
        """Return the login and forget it."""
        if (kept := self._logins.pop(ticket, None)) is None:
            return None
        owner, login, expires = kept
        self._owners[owner].remove(ticket)
        if not self._owners[owner]:
            del self._owners[owner]
        return login if expires + GRACE > self._now() else None

    def again(self, owner: str) -> tuple[bytes, bytes] | None:
        """Return the latest that still waits."""
        for ticket in reversed(self._owners.get(owner, ())):
            _, login, expires = self._logins[ticket]
            if expires > self._now():
                return ticket, login
        return None

    def waiting(self) -> int:
        """Count the waiting logins."""
        return len(self._logins)

    def spend(self, tally: Tally, limit: int, *, extend: bool) -> int:
        """Count one more, unless at the `limit`."""
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

    def refund(self, kind: str, scope: str, name: str) -> None:
        """Take one back."""
        scopes = self._counters.get((kind, name), {})
        if (held := scopes.get(scope)) is not None:
            scopes[scope] = replace(held, count=held.count - 1)
            if held.count <= 1:
                self._remove(kind, scope, name)

    def forget(self, kind: str, scope: str, name: str) -> bool:
        """Remove a counter, or with an empty `scope` those of every scope; say whether any still counted."""
        scopes = self._counters.get((kind, name), {})
        found = [each for each in scopes if scope in ("", each)]
        any_counted = any(scopes[each].until > self._now() for each in found)
        for each in found:
            self._remove(kind, each, name)
        return any_counted

    def carried(self) -> list[Tally]:
        """Return the counters that still count, and forget them all: they go to the common store."""
        found = [tally for scopes in self._counters.values() for tally in scopes.values()]
        self._counters.clear()
        return [tally for tally in found if tally.until > self._now()]

    def sweep(self) -> None:
        """Forget what has expired."""
        now = self._now()
        for ticket in [ticket for ticket, (_, _, expires) in self._logins.items() if expires + GRACE <= now]:
            self.take(ticket)
        for key, scopes in list(self._counters.items()):
            for scope in [scope for scope, tally in scopes.items() if tally.until <= now]:
                self._remove(key[0], scope, key[1])

    def _remove(self, kind: str, scope: str, name: str) -> None:
        scopes = self._counters[kind, name]
        del scopes[scope]
        if not scopes:
            del self._counters[kind, name]
