"""Requests that are turned away by a front itself: one record for each kind of them, then a count."""

from __future__ import annotations

from collections import Counter

from aad.core.seldom import Seldom
from aad.ports import Record

WHILE = 60.0  # seconds
MOST = 1000  # records in that time


class Discards:
    """Writes the first discard of a client and reason, and after a while how many more there were.

    Whatever arrives, there are at most `MOST` records in `WHILE` seconds; unknown sources share one.
    """

    def __init__(self, record: Record, name: str = "request.discarded") -> None:
        """Write records of this `name` to `record`."""
        self._name = name
        self._record = record
        self.totals: Counter[tuple[str, str]] = Counter()  # by client and reason, which are few
        self._seldom = Seldom(WHILE, MOST)

    def discard(self, reason: str, now: float, *, client: str = "", source: str = "") -> None:
        """Note one discarded request. `now`: seconds of a steady clock."""
        key = (client, reason)
        self.totals[key] += 1
        if (more := self._seldom.due(key, now)) is not None:
            self._record(self._name, client=client or "an unknown address", reason=reason + more, source=source)
