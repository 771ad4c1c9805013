"""Records of requests that a front discards: one for each client and reason, then a count."""

from __future__ import annotations

from collections import Counter

from aad.core.seldom import Seldom
from aad.ports import Record

WHILE = 60.0  # seconds
MOST = 1000  # records in that time


class Discards:
    """Records the first discard of a client and reason, and after `WHILE` seconds how many more there were.

    There are at most `MOST` records in `WHILE` seconds, whatever arrives; unknown sources share one.
    """

    def __init__(self, record: Record, name: str = "request.discarded") -> None:
        """Write records of this `name` to `record`."""
        self._name = name
        self._record = record
        self.totals: Counter[tuple[str, str]] = Counter()  # by client and reason, which are few
        self._seldom = Seldom(WHILE, MOST)

    def discard(self, reason: str, now: float, *, client: str = "", source: str = "") -> None:
        """Count one discarded request, and record it if that is due. `now`: seconds of a monotonic clock."""
        key = (client, reason)
        self.totals[key] += 1
        if (more := self._seldom.due(key, now)) is not None:
            self._record(self._name, client=client or "an unknown address", reason=reason + more, source=source)
