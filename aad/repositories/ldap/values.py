"""Numbers, Booleans and times as directories write them (RFC 4517, MS-ADTS). Pure.

Each function raises ValueError for anything else: what can't be read is unknown, and never taken for the nearest thing.
"""

from __future__ import annotations

import calendar
import re

_MOST, _LEAST = 2**63 - 1, -(2**63)
_NUMBER = re.compile("-?[0-9]{1,19}")
_TIME = re.compile(
    r"([0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2})(?:([0-9]{2})([0-9]{2})?)?(?:[.,]([0-9]{1,9}))?"
    r"(?:Z|([+-])([0-9]{2})([0-9]{2})?)"
)
_SINCE_1601 = 11_644_473_600  # seconds from 1601, where a FILETIME begins, to 1970
_IN_A_SECOND = 10_000_000  # of a FILETIME's units


def number(value: str) -> int:
    """Read an integer of at most 64 bits, with a sign."""
    if not _NUMBER.fullmatch(value) or not _LEAST <= (found := int(value)) <= _MOST:
        raise ValueError(value)
    return found


def flag(value: str) -> bool:
    """Read a Boolean (RFC 4517 3.3.3). 389's nsAccountLock is a text, in any case."""
    upper = value.upper()
    if upper not in {"TRUE", "FALSE"}:
        raise ValueError(value)
    return upper == "TRUE"


def time(value: str) -> float:
    """Read a GeneralizedTime (RFC 4517 3.3.13) as seconds since 1970."""
    if not (match := _TIME.fullmatch(value)):
        raise ValueError(value)
    year, month, day, hour, minute, second = (int(match[group] or 0) for group in range(1, 7))
    if not 1 <= month <= 12 or not 1 <= day <= calendar.monthrange(year, month)[1]:  # noqa: PLR2004 - months
        raise ValueError(value)
    if hour > 23 or minute > 59 or second > 60:  # noqa: PLR2004 - a clock's, with a leap second
        raise ValueError(value)
    smallest = 1 if match[6] else 60 if match[5] else 3600
    if int(match[9] or 0) > 23 or int(match[10] or 0) > 59:  # noqa: PLR2004 - how far from Greenwich
        raise ValueError(value)
    fraction = float(f"0.{match[7] or 0}") * smallest
    east = (int(match[9] or 0) * 3600 + int(match[10] or 0) * 60) * (-1 if match[8] == "-" else 1)
    return calendar.timegm((year, month, day, hour, minute, second)) + fraction - east


def file_time(value: str) -> float:
    """Read a FILETIME (MS-DTYP 2.3.3) as seconds since 1970."""
    return number(value) / _IN_A_SECOND - _SINCE_1601
