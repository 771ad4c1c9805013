"""The values of --since: "10m", "2h", "2d", "today", "yesterday", "09:00", "2026-11-24 09:00", ISO 8601."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from aad.core.settings import duration

RIGHT = 'should be such as "10m", "2h", "2d", "today", "yesterday", "09:00", "2026-11-24" or "2026-11-24 09:00"'


def since(text: str, now: datetime) -> datetime:
    """Return the time that `text` means; without a time zone, in that of `now`.

    A time of day that is still to come is yesterday's. ValueError: its text says what would be right.
    """
    words = " ".join(text.lower().split())
    if words in {"today", "yesterday"}:
        return _local(now, time(), days_ago=int(words == "yesterday"))
    try:
        clock = time.fromisoformat(words) if ":" in words and "-" not in words else None
        if clock is not None and clock.tzinfo is None:
            moment = _local(now, clock)
            return moment if moment <= now else _local(now, clock, days_ago=1)
        if "-" in words:
            moment = datetime.fromisoformat(words.upper())
            return moment if moment.tzinfo else moment.replace(tzinfo=now.tzinfo)
        if not words.isdigit():
            return now - timedelta(seconds=duration(words))
    except (ValueError, OverflowError):
        pass
    message = f'"{text}" {RIGHT}'
    raise ValueError(message)


def _local(now: datetime, clock: time, days_ago: int = 0) -> datetime:
    return datetime.combine(now.date() - timedelta(days=days_ago), clock, now.tzinfo)
