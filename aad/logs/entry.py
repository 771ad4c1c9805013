"""One record read back from a log, the filter of records, and the port of the readers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from aad.core.identity import name_key
from aad.logs.records import LEVELS, clean

_OWN = frozenset({"time", "priority", "event", "message"})


class UnreadableLogError(Exception):
    """The log can't be read: the text says why, and what helps."""


@dataclass(frozen=True)
class Entry:
    """One record. `time`: when it was written, in seconds since 1970. `fields`: "login", "user", ..."""

    time: float
    priority: int
    event: str
    message: str
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def login(self) -> str:
        """Return the reference of its login; empty: it belongs to none."""
        return self.fields.get("login", "")

    def as_json(self) -> str:
        """Return it as `[log] format = "json"` writes it."""
        own = {"time": round(self.time, 3), "priority": self.priority, "event": self.event, "message": self.message}
        return json.dumps({**own, **self.fields}, ensure_ascii=False)


def entry(known: Mapping[str, object], time: float) -> Entry:
    """Return an entry of the fields read, cleaned again: any local user may have written them to the journal."""
    texts = {key: clean(value) for key, value in known.items()}
    priority = texts.get("priority", "")
    return Entry(
        time,
        int(priority) if len(priority) == 1 and priority in "01234567" else LEVELS["info"],
        texts.get("event", ""),
        texts.get("message", ""),
        {key: value for key, value in texts.items() if key not in _OWN},
    )


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The filter of records: those that fit all fields given. `user` in any spelling, `login` in any case."""

    user: str = ""
    login: str = ""
    client: str = ""
    login_event: str = ""

    def fits(self, one: Entry) -> bool:
        """Return whether a record is wanted."""
        return all(self.fits_field(name, one.fields.get(name, "")) for name in self.given())

    def given(self) -> list[str]:
        """Return the names of the fields that the filter gives."""
        return [name for name in ("login", "user", "client", "login_event") if getattr(self, name)]

    def fits_field(self, name: str, value: str) -> bool:
        """Return whether a field has a wanted value."""
        wanted: str = getattr(self, name)
        if name == "user":
            return name_key(value) == name_key(wanted)
        return value.upper() == wanted.upper() if name == "login" else value == wanted


class LogReader(Protocol):
    """Reads the records of one log; `name`: of it, for messages."""

    name: str

    def records(self, since: float, wanted: Wanted, *, follow: bool = False) -> Iterator[Entry]:
        """Yield the records from `since` on (seconds since 1970), oldest first; `follow`: and wait for more.

        UnreadableLogError.
        """

    def latest(self, wanted: Wanted) -> Iterator[Entry]:
        """Yield all records, newest first. UnreadableLogError."""
