"""Writes one record when a back end goes down and one when it is up again; and what else goes wrong with back ends.

That is a store with others' records, and a plugin that doesn't keep its contract.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from aad.core.seldom import Seldom
from aad.ports import Record, Unavailable

QUIET = 600.0  # seconds without the same again, after which the next one is news


class Outages:
    """Remembers what is down. `where` is "repository NAME", "sender NAME" or "store"."""

    def __init__(self, record: Record, clock: Callable[[], float] = time.monotonic) -> None:
        """Write to `record`; `clock` never goes back, in seconds."""
        self._record = record
        self._clock = clock
        self._foreign: dict[str, float] = {}
        self._down: set[str] = set()
        self._misbehaved, self._blocked = Seldom(QUIET), Seldom(QUIET)

    def down(self, error: Unavailable) -> None:
        """Remember that `error.where` is down; the first time since it was up is written."""
        if error.where and error.where not in self._down:
            self._down.add(error.where)
            kind, _, name = error.where.partition(" ")
            self._record(f"{kind}.down", reason=error.what, **({kind: name} if name else {}))

    def noticed(self, error: Unavailable, *, over: bool) -> None:
        """Take what a back end reports by itself (ports.Outage): that it is down, or up again (`over`)."""
        if over:
            self.up(error.where)
        else:
            self.down(error)

    def up(self, where: str) -> None:
        """Remember that something works; written if it was down."""
        if where in self._down:
            self._down.discard(where)
            kind, _, name = where.partition(" ")
            self._record(f"{kind}.up", **({kind: name} if name else {}))

    def misbehaved(self, plugin: str, reason: str) -> None:
        """Write what a plugin did that its contract forbids; the same once in `QUIET` seconds."""
        if (more := self._misbehaved.due((plugin, reason), self._clock())) is not None:
            self._record("plugin.misbehaved", plugin=plugin, reason=reason + more)

    def blocked(self, plugin: str, call: str, seconds: float) -> None:
        """Write that a call of a plugin held up every login for so long; the same once in `QUIET` seconds."""
        if (more := self._blocked.due((plugin, call), self._clock())) is not None:
            self._record("plugin.blocked", plugin=plugin, reason=call + more, ms=seconds * 1000)

    def foreign(self, what: str, reason: str) -> None:
        """Write that something in the store was not signed by us; again only after `QUIET` seconds without it.

        A node with another key has many, and its users' answers go on coming: that is one outage.
        """
        now = self._clock()
        is_news = now - self._foreign.get(reason, -QUIET) >= QUIET
        self._foreign[reason] = now
        if is_news:
            self._record("store.foreign", reason=f"a {what} is {reason}")
