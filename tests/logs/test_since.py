"""What stands behind --since."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from aad.logs.since import since

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 24, 10, 30, tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("10m", "2026-11-24T10:20:00+01:00"),
        ("2h", "2026-11-24T08:30:00+01:00"),
        ("2d", "2026-11-22T10:30:00+01:00"),
        ("today", "2026-11-24T00:00:00+01:00"),
        (" Yesterday ", "2026-11-23T00:00:00+01:00"),
        ("09:00", "2026-11-24T09:00:00+01:00"),
        ("09:00:30", "2026-11-24T09:00:30+01:00"),
        ("23:00", "2026-11-23T23:00:00+01:00"),  # still to come: last night's is meant
        ("2026-11-24", "2026-11-24T00:00:00+01:00"),
        ("2026-11-24 09:00", "2026-11-24T09:00:00+01:00"),
        ("2026-07-01 09:00", "2026-07-01T09:00:00+02:00"),
        ("2026-11-24T09:00:01", "2026-11-24T09:00:01+01:00"),
        ("2026-11-24T09:00:00Z", "2026-11-24T09:00:00+00:00"),
        ("2026-11-24t09:00:00-05:00", "2026-11-24T09:00:00-05:00"),
    ],
)
def test_a_moment(text: str, moment: str) -> None:
    assert since(text, NOW).isoformat() == moment


@pytest.mark.parametrize(
    "text", ["", "soon", "10", "10 minutes", "25:00", "2026-13-01", "-5m", "09", "9:00Z", "999999999d"]
)
def test_what_is_no_moment_is_told_what_would_be_one(text: str) -> None:
    with pytest.raises(ValueError, match='should be such as "10m"'):
        since(text, NOW)
