"""Gauges: the values that aren't counted out of records, but read when a page of metrics is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(kw_only=True)
class Reloads:
    """How the reloads went. `last`: Unix time of the last one, or of the start."""

    last: float
    loaded: int = 0
    refused: int = 0
    successful: bool = True

    def note(self, now: float, *, successful: bool) -> None:
        """Count a reload at Unix time `now`."""
        self.last, self.successful = now, successful
        if successful:
            self.loaded += 1
        else:
            self.refused += 1


@dataclass(frozen=True, kw_only=True)
class Gauges:
    """The values now. `waiting` None: the store is down; `discarded`: by client and reason, since the start."""

    waiting: int | None
    queued: Mapping[str, int]
    at_work: int
    discarded: Mapping[tuple[str, str], int]
    answered_again: int
    passed_over: int
    records_dropped: int
    records_queued: int
    reloads: Reloads
