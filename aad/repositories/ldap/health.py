"""Whether a server works: one that is down is left alone, and tried again by one job at a time."""

from __future__ import annotations

import time

from aad.core.backoff import longer


class Health:
    """Whether a server works, as far as anybody knows; shared by all askers."""

    def __init__(self) -> None:
        """Begin hopefully."""
        self.what = ""
        self._outage = 0
        self._pause = 0.0
        self._again = 0.0

    def admits(self, now: float, until: float) -> int | None:
        """Return the number to give back to `failed`; None: not now. While it is down, one at a time is admitted."""
        if self.what:
            if now < self._again:
                return None
            self._again = until
        return self._outage

    def failed(self, outage: int, what: str) -> bool:
        """Note that it is down; say whether that is news. Of many who began before that, the first is heard."""
        if outage != self._outage:
            return False
        news = not self.what
        self._outage += 1
        self.what = what
        self._pause = longer(self._pause)
        self._again = time.monotonic() + self._pause
        return news

    def worked(self) -> bool:
        """Note that it works; say whether that is news."""
        if not self.what:
            return False
        self.what, self._pause = "", 0.0
        return True
