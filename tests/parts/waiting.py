"""Wait for a condition with a deadline, instead of sleeping for a fixed time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PATIENCE = 30.0
"""Seconds for what should come soon: a machine may be slow, and what comes in time costs nothing."""


class NotInTimeError(AssertionError):
    """The awaited condition didn't come true before its deadline."""

    def __init__(self, what: str, seconds: float) -> None:
        super().__init__(f"{what}: not within {seconds:g} s")


def until(condition: Callable[[], T], seconds: float = PATIENCE, what: str = "the condition") -> T:
    """Ask `condition` until its answer is true and return that answer; NotInTime when the deadline passes."""
    deadline = time.monotonic() + seconds
    pause = 0.005
    while not (found := condition()):
        if time.monotonic() >= deadline:
            raise NotInTimeError(what, seconds)
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)
    return found
