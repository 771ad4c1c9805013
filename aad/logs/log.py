"""Writes records to the journal, a file, or stderr as text or JSON.

A record is a name ("login.started") and fields; never a secret, a password, a code or an unmasked address. Writing
never waits: records that journald doesn't read are queued, then dropped, counted and reported.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from aad.logs import journal_writer
from aad.logs.file_writer import LogFile
from aad.logs.journal_writer import Journal
from aad.logs.records import KINDS, LEVELS, RecordKind, clean, kind

_QUOTED = (
    json.encoder.encode_basestring
)  # json.dumps makes an encoder for each record, which takes longer than encoding


class _Blank(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "-"


def _head(name: str, what: RecordKind) -> str:
    return f"PRIORITY={what.priority}\nSYSLOG_IDENTIFIER=aad\nMESSAGE_ID={what.message_id}\nAAD_EVENT={name}\nMESSAGE="


_HEADS = {name: _head(name, what) for name, what in KINDS.items()}
_FIELDS: dict[str, str] = {}  # "login" -> "\nAAD_LOGIN="; the code names few
_LABELS: dict[str, str] = {}  # "login" -> ', "login": '


class Log:
    """Writes records; `Log.record` is the port `Record`."""

    def __init__(
        self, *, to: str = "auto", level: str = "info", layout: str = "text", file: Path | None = None
    ) -> None:
        """Write `to` "journal", "file" or "stderr"; "auto": the first that exists. OSError: the file can't be."""
        if to == "auto":
            to = "journal" if journal_writer.SOCKET.exists() else "file" if file else "stderr"
        self._least = LEVELS[level]
        self._json = layout == "json"
        self._journal = Journal(self._lost) if to == "journal" else None
        self._file = LogFile(file) if to == "file" and file else None

    @property
    def dropped(self) -> int:
        """Return how many records were lost since the start."""
        writer = self._journal or self._file
        return writer.dropped if writer else 0

    @property
    def queued(self) -> int:
        """Return how many records wait for the journal."""
        return self._journal.queued if self._journal else 0

    def record(self, name: str, /, **fields: object) -> None:
        """Write one record; fields that are None or empty are left out."""
        what = KINDS.get(name) or kind(name)
        if what.priority > self._least:
            return
        known = {
            key: value if type(value) is str and value.isprintable() else clean(value)
            for key, value in fields.items()
            if value is not None and value != ""
        }
        if self._journal is not None:
            self._journal.send(_datagram(name, what, known))
        elif self._file is not None:
            self._to_file(self._file, name, what, known)
        else:
            line = _json(name, what, known) if self._json else _text(name, what, known)
            with contextlib.suppress(OSError):
                sys.stderr.write(line + "\n")  # stderr isn't buffered

    def reopen(self) -> None:
        """Go on in the file that has the name now, after logrotate. OSError: records still go to the old one."""
        if self._file is not None:
            self._file.reopen()

    def close(self) -> None:
        """Close journal and file."""
        for writer in (self._journal, self._file):
            if writer is not None:
                writer.close()

    def _to_file(self, file: LogFile, name: str, what: RecordKind, known: Mapping[str, str]) -> None:
        if file.write(_json(name, what, known)) and file.unsaid and name != "records.dropped":
            count, file.unsaid = file.unsaid, 0
            self.record("records.dropped", count=count, reason="the log file could not be written")

    def _lost(self, count: int) -> bytes:
        known = {"count": str(count), "reason": "the journal did not read them"}
        return _datagram("records.dropped", KINDS["records.dropped"], known)


def _datagram(name: str, what: RecordKind, known: Mapping[str, str]) -> bytes:
    """Return a record in journald's protocol: one field a line; no value has a line break."""
    text = (_HEADS.get(name) or _head(name, what)) + _message(what, known)
    for key, value in known.items():
        text += (_FIELDS.get(key) or _field(key)) + value
    return (text + "\n").encode(errors="replace")


def _field(key: str) -> str:
    return _FIELDS.setdefault(key, f"\nAAD_{key.upper()}=")


def _json(name: str, what: RecordKind, known: Mapping[str, str]) -> str:
    text = f'{{"time": {time.time():.3f}, "priority": {what.priority}, "event": {_QUOTED(name)}'
    text += f', "message": {_QUOTED(_message(what, known))}'
    for key, value in known.items():
        text += (_LABELS.get(key) or _label(key)) + _QUOTED(value)
    return text + "}"


def _label(key: str) -> str:
    return _LABELS.setdefault(key, f", {_QUOTED(key)}: ")


def _message(what: RecordKind, known: Mapping[str, str]) -> str:
    try:
        return what.text.format_map(known)
    except KeyError:  # the record lacks a field that its text names
        return what.text.format_map(_Blank(known))


def _text(name: str, what: RecordKind, known: Mapping[str, str]) -> str:
    """Return a record as text for people; journald reads the priority before it (sd-daemon(3))."""
    message = _message(what, known)
    rest = {key: value for key, value in known.items() if value not in message}
    shown = " ".join(f"{key}={json.dumps(value) if ' ' in value else value}" for key, value in rest.items())
    return f"<{what.priority}>{name}: {message}" + (f" ({shown})" if shown else "")
