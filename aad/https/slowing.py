"""Slows down sources of failed logins: they wait before anything is hashed or asked (`core/penalties.py`).

Only a known source is slowed: where a website doesn't report its user's address, or a proxy its client's, one failing
user would keep all the others out. They share the turns of one source instead.
"""

from __future__ import annotations

import math
import time

from aad.core.penalties import Failed, Penalties
from aad.core.seldom import Seldom
from aad.core.turns import Source
from aad.ports import Record

TEN_MINUTES, MOST_RECORDS = 600.0, 100  # seconds, and records in them


class Slowing:
    """Remembers which sources fail; it outlives a configuration."""

    def __init__(self, record: Record) -> None:
        """Write to `record`, once in a while for each source."""
        self._record = record
        self._penalties = Penalties()
        self._seldom = Seldom(TEN_MINUTES, MOST_RECORDS)

    def left(self, source: Source) -> int:
        """Return in how many seconds a login may begin from this source; 0: now."""
        return math.ceil(self._penalties.left(source, time.monotonic()))

    def failed(self, source: Source, what: Failed) -> None:
        """Count a failed login, or a challenge that nothing was proved for, against its source."""
        now = time.monotonic()
        if not self._penalties.failed(source, what, now):
            return
        if (more := self._seldom.due((source.client, source.place), now)) is not None:
            reason = f"too many logins from there have failed{more}"
            self._record("source.slowed", client=source.client, source=source.place, reason=reason)
