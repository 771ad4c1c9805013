"""One clock for all nodes: the server's, kept going between its answers by the time since this machine's boot.

1. The common time is the server's TIME and a shift, kept there under `clock`. It never goes back: whoever learns that
   the server's clock was set back (or that another server, behind it, took over) adds to the shift what is missing.
2. If the server's clock is set forward, all nodes follow: what waits ends early, which lets nobody in.
3. A node's wall clock matters only until the server has answered for the first time.
4. An answer that took d seconds tells the time to within d/2. The node moves only as far as it proves. So two nodes
   are never further apart than half their round trips, and what their clocks drift between answers (1 ms in 10 s):
   under 2 ms in one network; 0.5 s if every answer took all of a timeout of 0.5 s.
"""

from __future__ import annotations

import time

MICRO = 1_000_000


def boottime() -> float:
    """Return the seconds since the machine was booted, those it slept included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Clock:
    """The common time, as this node knows it."""

    def __init__(self) -> None:
        """Begin with the wall clock, for want of better."""
        self._offset = time.time() - boottime()
        self._shift = 0.0
        self._last = 0.0
        self.known = False

    def now(self) -> float:
        """Return the common time in seconds; it never goes back."""
        self._last = max(self._last, boottime() + self._offset)
        return self._last

    def late(self, seconds: float) -> bytes:
        """Return when, by the server's own clock and in microseconds, `seconds` from now will have passed."""
        return b"%d" % ((boottime() + self._offset - self._shift + seconds) * MICRO)

    def floor(self) -> bytes:
        """Return what the common time is at least, in microseconds; 0: nobody here knows."""
        return b"%d" % (self.now() * MICRO) if self.known else b"0"

    def heard(self, asked: float, answered: float, server: int, shift: int) -> None:
        """Learn the server's time and the shift, in microseconds, and when that was asked and answered (boottime)."""
        common, half = (server + shift) / MICRO, (answered - asked) / 2
        measured = common - (asked + half)
        if not self.known:
            self._last = 0.0  # what went before was but this node's wall clock
            self._offset = measured
        self._offset = min(max(self._offset, measured - half), measured + half)
        self._shift, self.known = shift / MICRO, True
