"""Whether it is worth asking a server that lately could not be reached, or did not answer in time."""

from __future__ import annotations

import time

from aad.core.backoff import longer


class Gate:
    """Whether it is worth trying; shut by a failure, opened by a success."""

    def __init__(self) -> None:
        """Begin open."""
        self.reason = ""
        self._pause = 0.0
        self._again = 0.0

    @property
    def shut(self) -> bool:
        """Whether the last try failed."""
        return self._pause > 0

    def lets_try(self, others: int) -> bool:
        """Say whether to try now, while `others` are trying: any number, or one after a pause if it is shut."""
        return not self.shut or (others == 0 and time.monotonic() >= self._again)

    def lets_one(self, until: float) -> bool:
        """Say whether to try now, as `lets_try` for one who can't be counted: he has until `until`."""
        if not self.lets_try(0):
            return False
        if self.shut:
            self._again = until
        return True

    def failed(self, reason: str) -> None:
        """Note that a try failed, and why. Several at the same time count as one."""
        self.reason = reason
        if time.monotonic() >= self._again:
            self._pause = longer(self._pause)
            self._again = time.monotonic() + self._pause

    def opened(self) -> None:
        """Note that a try succeeded."""
        self._pause = self._again = 0.0
