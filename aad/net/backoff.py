"""When to try a server again that failed. Pure: times come in as `time.monotonic()` seconds.

1. A server is worth trying until an attempt fails. Then it is left alone for a pause that grows with each further
   failure (`aad.core.backoff`), so that few wait for its timeout.
2. After the pause one attempt at a time is admitted, and the next when that has ended or its time is up.
3. Any success ends the outage.
4. Of many attempts that fail together the first counts. One that began before the pause was over, or before the
   server was back, tells nothing new.
"""

from __future__ import annotations

from aad.core.backoff import longer


class Backoff:
    """Whether one server is worth trying; shared by all who ask it.

    `reason`: why it is down, as of the failure that counted last; empty while it is up.
    """

    def __init__(self) -> None:
        """Begin with a server that is up."""
        self.reason = ""
        self._pause = 0.0
        self._counts_from = 0.0  # an attempt that began earlier tells nothing new; while it is down: the pause's end
        self._trial_began = self._trial_until = 0.0

    @property
    def down(self) -> bool:
        """Whether the last attempt that counted failed."""
        return self._pause > 0

    def admits(self, now: float) -> bool:
        """Say whether an attempt may begin now."""
        return not self.down or now >= max(self._counts_from, self._trial_until)

    def admit(self, now: float, until: float) -> bool:
        """As `admits`; if so and the server is down, this attempt is the only one until it ends, or until `until`."""
        admitted = self.admits(now)
        if admitted and self.down:
            self._trial_began, self._trial_until = now, until
        return admitted

    def failed(self, began: float, now: float, reason: str) -> bool:
        """Count the failure of an attempt that began at `began`; say whether the server was up until now."""
        if began < self._counts_from:
            return False
        news = not self.down
        self.reason, self._pause = reason, longer(self._pause)
        self._counts_from, self._trial_until = now + self._pause, 0.0
        return news

    def worked(self, now: float) -> bool:
        """Count a success; say whether the server was down until now."""
        if not self.down:
            return False
        self.reason, self._pause = "", 0.0
        self._counts_from, self._trial_until = now, 0.0
        return True

    def abandoned(self, began: float) -> None:
        """End an attempt that neither failed nor worked, so that another may be made."""
        if began == self._trial_began:
            self._trial_until = 0.0
