"""Whether it is worth trying to connect to a server that lately could not be reached."""

from __future__ import annotations

import time

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 3.0  # seconds between two tries to connect


class Gate:
    """Whether it is worth trying to connect; shut by a failure, opened by a success."""

    def __init__(self) -> None:
        """Begin open."""
        self.reason = ""
        self._pause = 0.0
        self._again = 0.0

    @property
    def shut(self) -> bool:
        """Whether the last try to connect failed."""
        return self._pause > 0

    def lets_try(self, others: int) -> bool:
        """Say whether to connect now, while `others` are trying: any number, or one after a pause if it is shut."""
        return not self.shut or (others == 0 and time.monotonic() >= self._again)

    def failed(self, reason: str) -> None:
        """Note that nobody could connect, and why. Several who tried at the same time count as one."""
        self.reason = reason
        if time.monotonic() >= self._again:
            self._pause = min(2 * self._pause or _FIRST_PAUSE, _LONGEST_PAUSE)
            self._again = time.monotonic() + self._pause

    def opened(self) -> None:
        """Note that somebody could."""
        self._pause = self._again = 0.0
