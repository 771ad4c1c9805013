"""Reads the records in the systemd journal, by systemd-python."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from systemd.journal import Reader

from aad.logs.entry import Entry, UnreadableLogError, Wanted, entry

_PLACES = ("/var/log/journal", "/run/log/journal")
_WAIT = 1.0  # seconds until a signal is noticed
_PREFIX = "AAD_"


class JournalReader:
    """Reads the records that `aad` wrote to the journal of this machine."""

    name = "the journal"

    def records(self, since: float, wanted: Wanted, *, follow: bool = False) -> Iterator[Entry]:
        """Yield records, oldest first; see `LogReader`."""
        with closing(_reader()) as reader:
            if not follow and not _narrowed(reader, wanted):
                return
            reader.seek_realtime(since)
            while True:
                yield from (one for raw in reader if (one := _entry(raw)).time >= since and wanted.fits(one))
                if not follow:
                    return
                reader.wait(_WAIT)

    def latest(self, wanted: Wanted) -> Iterator[Entry]:
        """Yield all records, newest first."""
        with closing(_reader()) as reader:
            if not _narrowed(reader, wanted):
                return
            reader.seek_tail()
            while raw := reader.get_previous():
                if wanted.fits(one := _entry(raw)):
                    yield one


def _reader() -> Any:
    _may_read()
    try:
        # Microseconds as they are: systemd-python would make local times without a zone of them.
        reader = Reader(converters={"_SOURCE_REALTIME_TIMESTAMP": int, "__REALTIME_TIMESTAMP": int})
        reader.add_match(SYSLOG_IDENTIFIER="aad")
    except OSError as error:
        message = f"the journal can't be read: {error.strerror}"
        raise UnreadableLogError(message) from None
    return reader


def _may_read() -> None:
    """Raise UnreadableLogError for a user without permission: libsystemd leaves out unreadable files without a word."""
    files = [file for place in _PLACES for file in Path(place).glob("*/system*.journal")]
    if not any(os.access(file, os.R_OK) for file in files):
        message = "the journal can't be read: be root, or in the group systemd-journal or adm"
        raise UnreadableLogError(message if files or os.geteuid() else "there is no journal on this machine")


def _narrowed(reader: Any, wanted: Wanted) -> bool:
    """Add matches for the filter, which use the journal's index; return False if no record can match."""
    for name in wanted.given():
        field = _PREFIX + name.upper()
        values = [getattr(wanted, name).upper()] if name == "login" else map(_text, reader.query_unique(field))
        spellings = [value for value in values if wanted.fits_field(name, value)]
        if not spellings:
            return False
        for value in spellings:  # matches of one field are alternatives
            reader.add_match(**{field: value})
    return True


def _entry(raw: Mapping[str, Any]) -> Entry:
    known = {key.removeprefix(_PREFIX).lower(): _text(value) for key, value in raw.items() if key.startswith(_PREFIX)}
    own = {"priority": _text(raw.get("PRIORITY", "")), "message": _text(raw.get("MESSAGE", ""))}
    stamp = raw.get("_SOURCE_REALTIME_TIMESTAMP") or raw["__REALTIME_TIMESTAMP"]
    return entry({**known, **own}, _seconds(known.get("time", "")) or float(_text(stamp)) / 1e6)


def _text(value: Any) -> str:
    """Write a value: several of one field come as a list, what is no UTF-8 as bytes."""
    if isinstance(value, list):
        value = value[0]
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _seconds(text: str) -> float:
    """Read AAD_TIME: when a record was written that had to wait before it was sent."""
    try:
        return float(text)
    except ValueError:
        return 0.0
