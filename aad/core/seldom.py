"""What happens again and again is told once in a while, and then how often it happened. PURE."""

from __future__ import annotations


class Seldom:
    """Says of each kind of event when it is to be told. It knows a bounded number of kinds.

    Whatever happens, at most `most` are told in `seconds`; a kind that there is no more room for isn't told then.
    """

    def __init__(self, seconds: float, most: int = 1000) -> None:
        """Tell each kind at most once in `seconds`."""
        self.seconds = seconds
        self._most = most
        self._told: dict[tuple[str, ...], tuple[float, int]] = {}  # since when, and how often since; the oldest first

    def due(self, kind: tuple[str, ...], now: float) -> str | None:
        """Note that it happened; return what to add to its record (how many more there were), or None: don't tell it.

        `now`: seconds of a steady clock.
        """
        since, more = self._told.get(kind, (now - self.seconds, 0))
        if now - since < self.seconds:
            self._told[kind] = (since, more + 1)
            return None
        if self._told.pop(kind, None) is None and not self._room(now):
            return None
        self._told[kind] = (now, 0)
        return f" ({more} more in the last {now - since:.0f} s)" if more else ""

    def _room(self, now: float) -> bool:
        """Say whether one more may be known; the oldest one is forgotten if its time is over."""
        if len(self._told) < self._most:
            return True
        oldest = next(iter(self._told))
        if now - self._told[oldest][0] < self.seconds:
            return False
        del self._told[oldest]
        return True
