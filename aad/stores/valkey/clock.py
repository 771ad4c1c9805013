"""One clock for all nodes: the server's, continued between its answers by the time since this machine's boot.

1. The common time is the server's TIME and a shift, kept there under `clock`. It never goes back: the node that
   learns that the server's clock was set back (or that another server, behind it, took over) adds to the shift what is
   missing.
2. If the server's clock is set forward, all nodes follow: waiting logins end early, which lets no user in.
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
    """The common time, as this node knows it. `known`: the server has answered at least once."""

    def __init__(self) -> None:
        """Begin with the wall clock, until the server has answered."""
        self._offset = time.time() - boottime()
        self._shift = 0.0
        self._last = 0.0
        self.known = False

    def now(self) -> float:
        """Return the common time in seconds; it never goes back."""
        self._last = max(self._last, boottime() + self._offset)
        return self._last

    def late(self, seconds: float) -> bytes:
        """Return the server's own time `seconds` from now, in microseconds: the deadline of a script."""
        return b"%d" % ((boottime() + self._offset - self._shift + seconds) * MICRO)

    def floor(self) -> bytes:
        """Return the time that the common one must not be behind, in microseconds; 0: unknown."""
        return b"%d" % (self.now() * MICRO) if self.known else b"0"

    def heard(self, asked: float, answered: float, server: int, shift: int) -> None:
        """Take over the server's time and the shift, in microseconds; `asked`, `answered`: by `boottime`."""
        common, half = (server + shift) / MICRO, (answered - asked) / 2
        measured = common - (asked + half)
        if not self.known:
            self._last = 0.0  # the time before was only this node's wall clock
            self._offset = measured
        self._offset = min(max(self._offset, measured - half), measured + half)
        self._shift, self.known = shift / MICRO, True
