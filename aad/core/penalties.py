"""Penalties for the sources of failures: some seconds for each failure, that run out by themselves. PURE.

After OpenSSH's PerSourcePenalties (sshd_config(5)):

1. Each failure adds the seconds of its kind to a source's penalty, which runs out as time passes.
2. A penalty of `BEARABLE` seconds changes nothing. One that grows above that is in force: until it has run out, the
   source is refused, before anything is done for it.
3. A request refused by a penalty is no failure, and lengthens nothing. No penalty is longer than `LONGEST`.
4. A right answer takes nothing away: else an attacker with an account of their own could try others' for nothing.
5. A bounded number of sources is known; the one that failed longest ago is forgotten first.

`now` is any clock that never goes back.
"""

from __future__ import annotations

from collections import OrderedDict
from enum import Enum

from aad.core.turns import Source

BEARABLE, LONGEST = 30.0, 120.0  # seconds
MOST = 5000  # sources


class Failed(Enum):
    """The kinds of failure, each with the seconds that it costs."""

    LOGIN = 2.0  # refused by the name, the password, or what the event wants of its user: that isn't told apart
    ANSWER = 1.0  # a challenge was not answered right in the end
    UNPROVEN = 0.5  # nothing yet: a challenge that anybody gets, whose answer may never come


class Penalties:
    """The penalties of all sources."""

    def __init__(self, most: int = MOST) -> None:
        """Begin with none."""
        self._most = most
        self._until: OrderedDict[Source, float] = OrderedDict()  # when it has run out; the last to fail is the last
        self._in_force: set[Source] = set()

    def __len__(self) -> int:
        """Count the sources that are known."""
        return len(self._until)

    def failed(self, source: Source, what: Failed, now: float) -> bool:
        """Add a failure's seconds; say whether that puts the source's penalty in force, which it wasn't before."""
        refused = self.left(source, now) > 0
        until = max(self._until.get(source, now), now) + what.value
        self._until[source] = min(until, now + LONGEST)
        self._until.move_to_end(source)
        while len(self._until) > self._most:
            self._in_force.discard(self._until.popitem(last=False)[0])
        if refused or until - now <= BEARABLE:
            return False
        self._in_force.add(source)
        return True

    def left(self, source: Source, now: float) -> float:
        """Return for how many seconds more a source is refused; 0: it isn't."""
        if source not in self._in_force:
            return 0.0
        left = self._until[source] - now
        if left <= 0:
            self._in_force.discard(source)
        return max(left, 0.0)
