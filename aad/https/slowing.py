"""Sources of logins that fail are slowed down: they wait, before anything is hashed or asked (`core/penalties.py`).

Only a place that is known is slowed: where a website doesn't say where its user is, or a proxy doesn't say whom it
heard, one of them would keep all the others out. They share the turns of one source instead.
"""

from __future__ import annotations

import math
import time

from aad.core.penalties import Failed, Penalties
from aad.core.seldom import Seldom
from aad.core.turns import Source
from aad.ports import Record

A_WHILE, TOLD = 600.0, 100  # seconds, and records in them


class Slowing:
    """Knows which sources fail; it outlives a configuration."""

    def __init__(self, record: Record) -> None:
        """Know none. Records go to `record`, one for each source in a while."""
        self._record = record
        self._penalties = Penalties()
        self._seldom = Seldom(A_WHILE, TOLD)

    def left(self, source: Source) -> int:
        """Return in how many seconds a login may begin there again; 0: now."""
        return math.ceil(self._penalties.left(source, time.monotonic()))

    def failed(self, source: Source, what: Failed) -> None:
        """Note a failure."""
        now = time.monotonic()
        if not self._penalties.failed(source, what, now):
            return
        if (more := self._seldom.due((source.client, source.place), now)) is not None:
            reason = f"too many logins from there have failed{more}"
            self._record("source.slowed", client=source.client, source=source.place, reason=reason)
