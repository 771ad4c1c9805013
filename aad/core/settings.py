"""What a key of aad.toml is declared with: the types of a `Settings` field, and the units an administrator writes."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Any, NewType

Duration = NewType("Duration", float)
"""Seconds; written "500ms", "90s", "5m", "2h", or as whole seconds."""

Pairs = NewType("Pairs", tuple[tuple[str, tuple[str, ...]], ...])
"""Names, each with one text or several, in order; written as a table: { NAME = "TEXT", OTHER = ["ONE", "TWO"] }."""

REQUIRED = dataclasses.MISSING
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"([0-9]{1,9})(ms|s|m|h|d)")
_MOST_SECONDS = 10**9  # as many digits as may be written before a unit
_RATE = re.compile(r"([0-9]{1,9}) +per +(\w+)")


@dataclass(frozen=True)
class Rate:
    """At most `count` in any `seconds` counted from the first; "10 per 10m". `count` None: unlimited."""

    count: int | None
    seconds: float

    def __str__(self) -> str:
        """Write it as in aad.toml."""
        return "unlimited" if self.count is None else f"{self.count} per {spoken(self.seconds)}"


def option(  # noqa: PLR0913 - the rarer ones by keyword
    default: Any = REQUIRED,
    doc: str = "",
    *,
    names: str = "",
    every: bool = True,
    choices: tuple[str, ...] = (),
    at_least: float | None = None,
    at_most: float | None = None,
    written: bool = False,
) -> Any:
    """Declare one key of a `Settings` dataclass.

    `doc`: the sentence that explains it; `names`: the table of aad.toml whose names it may hold ("senders"); `every`:
    left out, it holds all of them;
    `choices`: the only values; `at_least`, `at_most`: the range, in the unit of the type. No default: required.
    `written`: a path that isn't read as configuration, so it doesn't matter here who else may write to it.
    A field of type Mapping[str, CLASS], by default {}, holds named tables, each of which is decoded as the dataclass.
    """
    hints = {"doc": doc, "names": names, "choices": choices, "at_least": at_least, "at_most": at_most, "every": every}
    hints["written"] = written
    if isinstance(default, dict):
        return dataclasses.field(default_factory=lambda: dict(default), metadata=hints)
    return dataclasses.field(default=default, metadata=hints)


def duration(value: object) -> Duration:
    """Read a duration; ValueError says what would be right."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST_SECONDS:
        return Duration(float(value))
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if not match:
        message = 'should be a duration such as "500ms", "90s", "5m", "2h", or whole seconds'
        raise ValueError(message)
    return Duration(int(match[1]) * _UNITS[match[2]])


def rate(value: object) -> Rate:
    """Read a rate; ValueError says what would be right."""
    if value == "unlimited":
        return Rate(None, 0.0)
    match = _RATE.fullmatch(value) if isinstance(value, str) else None
    try:
        seconds = duration(match[2]) if match else 0.0
    except ValueError:
        seconds = 0.0
    if not match or not seconds or not int(match[1]):
        message = 'should be a rate such as "10 per 10m", or "unlimited"'
        raise ValueError(message)
    return Rate(int(match[1]), seconds)


def spoken(seconds: float) -> str:
    """Write a duration as in aad.toml, in the largest unit that keeps it whole."""
    milliseconds = round(seconds * 1000)
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if milliseconds and milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"
