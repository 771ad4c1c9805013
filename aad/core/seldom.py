"""Limits how often an event that repeats is logged: once in a while, with how often it happened. PURE."""

from __future__ import annotations


class Seldom:
    """Decides for each kind of event when it is logged. It knows a bounded number of kinds.

    At most `most` records are due in `seconds`, whatever happens; a kind that there is no room for isn't logged then.
    """

    def __init__(self, seconds: float, most: int = 1000) -> None:
        """Let each kind be logged at most once in `seconds`."""
        self.seconds = seconds
        self._most = most
        self._logged: dict[tuple[str, ...], tuple[float, int]] = {}  # when, and how often since; the oldest first

    def due(self, kind: tuple[str, ...], now: float) -> str | None:
        """Count one event; return what to add to its record (how many more there were), or None: don't log it.

        `now`: seconds of a steady clock.
        """
        since, more = self._logged.get(kind, (now - self.seconds, 0))
        if now - since < self.seconds:
            self._logged[kind] = (since, more + 1)
            return None
        if self._logged.pop(kind, None) is None and not self._room(now):
            return None
        self._logged[kind] = (now, 0)
        return f" ({more} more in the last {now - since:.0f} s)" if more else ""

    def _room(self, now: float) -> bool:
        """Say whether one more may be known; the oldest one is forgotten if its time is over."""
        if len(self._logged) < self._most:
            return True
        oldest = next(iter(self._logged))
        if now - self._logged[oldest][0] < self.seconds:
            return False
        del self._logged[oldest]
        return True
