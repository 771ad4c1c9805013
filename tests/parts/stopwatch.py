"""Seconds that something took, without those in which the machine ran something else.

A bound such as "another user waits less than half a second" is about the daemon. On a busy machine the daemon, what it
asks and the test are ready to run and wait for a core; the kernel counts that (/proc/PID/task/TID/schedstat), and it is
taken off. An idle machine takes off next to nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import TypeVar

from tools.parts.readings import family

T = TypeVar("T")


class Stopwatch:
    """Runs from when it is made. `pids`: the processes that the test waits for, with what they start."""

    def __init__(self, *pids: int) -> None:
        self._pids = pids
        self._waited = self._waits()
        self._began = time.monotonic()

    @property
    def elapsed(self) -> float:
        """How long it has run."""
        return time.monotonic() - self._began

    @property
    def seconds(self) -> float:
        """How long it has run, without what the machine took."""
        elapsed, before = self.elapsed, self._waited
        return elapsed - sum(waited - before.get(file, 0.0) for file, waited in self._waits().items())

    def _waits(self) -> dict[Path, float]:
        found: dict[Path, float] = {}
        for pid in (os.getpid(), *chain.from_iterable(map(family, self._pids))):
            found |= _waits(pid)
        return found


def waited(pid: int) -> float:
    """Return for how many seconds a process and what it started were ready, in all their lives, and did not run."""
    return sum(seconds for each in family(pid) for seconds in _waits(each).values())


def _waits(pid: int) -> dict[Path, float]:
    """Return for how long each thread has been ready, since it started, and did not run."""
    found = {}
    for file in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with suppress(OSError):  # it has ended
            found[file] = int(file.read_text().split()[1]) / 1e9
    return found


def timed(do: Callable[[], T], *pids: int) -> tuple[T, float]:
    """Do something that processes take part in; return what comes, and the seconds it took them."""
    watch = Stopwatch(*pids)
    return do(), watch.seconds
