"""Where records go: the journal, in its native protocol, or stderr as text or JSON.

A record is a name ("login.started") and fields; never a secret, a password, a code or an unmasked address. Writing
never waits: a journal that doesn't read loses records, which are counted and said.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

JOURNAL = Path("/run/systemd/journal/socket")
LEVELS = {"error": 3, "warning": 4, "notice": 5, "info": 6, "debug": 7}
_NAMESPACE = uuid.UUID("5b0c7f5e-2f3d-4d1c-9c55-1f8e3a3a7d10")
_TEXTS = {
    "login.started": ("info", "login of {user} from {client} begins"),
    "password.accepted": ("info", "password of {user} is right"),
    "password.refused": ("notice", "password of {user} refused: {reason}"),
    "mail.queued": ("warning", "mail to {recipient} is still on its way to {sender}"),
    "mail.deferred": ("warning", "mail to {recipient} put off by {sender}: {reason}"),
    "mail.sent": ("info", "mail to {recipient} taken by {sender} as {queue_id}"),
    "mail.failed": ("warning", "mail to {recipient} not taken by {sender}: {reason}"),
    "mail.refused": ("warning", "no mail to {user}: {reason}"),
    "challenge.sent": ("info", "{user} is asked for a code"),
    "code.accepted": ("info", "code of {user} is right"),
    "code.refused": ("notice", "code of {user} refused: {reason}"),
    "code.expired": ("notice", "code of {user} came too late"),
    "login.accepted": ("info", "{user} from {client} accepted"),
    "login.rejected": ("notice", "{user} from {client} rejected: {reason}"),
    "login.unavailable": ("warning", "{user} from {client} neither accepted nor rejected: {reason}"),
    "user.locked": ("warning", "{user} is locked out: {reason}"),
    "user.unlocked": ("notice", "{user} is no longer locked out"),
    "request.discarded": ("warning", "request from {client} discarded: {reason}"),
    "client.secret": ("notice", "client {client} uses {reason}"),
    "repository.down": ("error", "repository {repository} is out of order: {reason}"),
    "repository.up": ("notice", "repository {repository} works again"),
    "server.down": ("error", "server {server} is out of order: {reason}"),
    "server.up": ("notice", "server {server} works again"),
    "sender.down": ("error", "sender {sender} is out of order: {reason}"),
    "sender.up": ("notice", "sender {sender} works again"),
    "store.down": ("error", "the store is out of order: {reason}"),
    "store.up": ("notice", "the store works again"),
    "daemon.started": ("notice", "aad {version} listens on {listen}"),
    "daemon.stopped": ("notice", "aad has stopped"),
    "configuration.loaded": ("notice", "configuration {file} is in force"),
    "configuration.refused": ("error", "configuration refused, the old one stays in force: {reason}"),
    "configuration.warning": ("warning", "{reason}"),
    "records.dropped": ("warning", "{count} records were lost: the journal did not read them"),
    "fault": ("error", "a fault of aad itself, nobody was let in: {reason}"),
}
EVENTS = tuple(_TEXTS)
_AS_JSON = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode


class _Blank(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "-"


def message_id(name: str) -> str:
    """Return the MESSAGE_ID of a record, the same for ever (128 bits in hex)."""
    return uuid.uuid5(_NAMESPACE, name).hex


_MESSAGE_IDS = {name: message_id(name) for name in _TEXTS}


def _clean(value: object) -> str:
    """Write a value on one line. Whatever a stranger put into a name, it doesn't begin a line or move a cursor."""
    if isinstance(value, float):
        return f"{value:.1f}"
    text = str(value)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


class Log:
    """Writes records; `Log.record` is the port `Record`."""

    def __init__(self, *, to: str = "auto", level: str = "info", layout: str = "text") -> None:
        """Write `to` "journal", "stderr" or "auto": the journal where there is one."""
        self._journal: socket.socket | None = None
        if to == "journal" or (to == "auto" and JOURNAL.exists()):
            # Not connected: journald may come later, or start anew.
            self._journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._least = LEVELS[level]
        self._json = layout == "json"
        self._dropped = 0

    def record(self, name: str, /, **fields: object) -> None:
        """Write one record; fields that are None or empty are left out."""
        level, text = _TEXTS.get(name, ("info", name))
        if LEVELS[level] > self._least:
            return
        known = {
            key: value if type(value) is str and value.isprintable() else _clean(value)
            for key, value in fields.items()
            if value is not None and value != ""
        }
        message = text.format_map(_Blank(known))
        if self._journal is not None:
            self._to_journal(self._journal, name, LEVELS[level], message, known)
        else:
            self._to_stderr(name, LEVELS[level], message, known)

    def close(self) -> None:
        """Write no more."""
        if self._journal is not None:
            self._journal.close()

    def _to_stderr(self, name: str, priority: int, message: str, known: Mapping[str, str]) -> None:
        if self._json:
            whole = {"time": round(time.time(), 3), "priority": priority, "event": name, "message": message, **known}
            line = _AS_JSON(whole)
        else:
            rest = {key: value for key, value in known.items() if value not in message}
            shown = " ".join(f"{key}={json.dumps(value) if ' ' in value else value}" for key, value in rest.items())
            line = f"<{priority}>{name}: {message}" + (f" ({shown})" if shown else "")
        with contextlib.suppress(OSError):
            sys.stderr.write(line + "\n")  # it is written through

    def _to_journal(
        self, journal: socket.socket, name: str, priority: int, message: str, known: Mapping[str, str]
    ) -> None:
        lines = [
            f"MESSAGE={message}",
            f"PRIORITY={priority}",
            "SYSLOG_IDENTIFIER=aad",
            f"MESSAGE_ID={_MESSAGE_IDS.get(name) or message_id(name)}",
            f"AAD_EVENT={name}",
            *(f"AAD_{key.upper()}={value}" for key, value in known.items()),
        ]
        try:
            journal.sendto("\n".join(lines).encode(errors="replace") + b"\n", str(JOURNAL))
        except OSError:  # it is full, or gone: a login doesn't wait for that
            self._dropped += 1
            return
        if self._dropped:
            count, self._dropped = self._dropped, 0
            self.record("records.dropped", count=count)
