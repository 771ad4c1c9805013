"""All records: for each its name, level, text, and the MESSAGE_ID by which the journal's catalogue explains it."""

from __future__ import annotations

import uuid
from typing import NamedTuple

LEVELS = {"error": 3, "warning": 4, "notice": 5, "info": 6, "debug": 7}
_NAMESPACE = uuid.UUID("5b0c7f5e-2f3d-4d1c-9c55-1f8e3a3a7d10")
_TABLE = {
    "login.started": ("info", "login of {user} from {client} begins"),
    "password.accepted": ("info", "password of {user} is right"),
    "password.refused": ("notice", "password of {user} refused: {reason}"),
    "mail.queued": ("warning", "mail to {recipient} is still on its way to {sender}"),
    "mail.deferred": ("warning", "mail to {recipient} put off by {sender}: {reason}"),
    "mail.sent": ("info", "mail to {recipient} taken by {sender} as {queue_id}"),
    "mail.failed": ("warning", "mail to {recipient} not taken by {sender}: {reason}"),
    "mail.refused": ("warning", "no mail to {user}: {reason}"),
    "challenge.sent": ("info", "{user} is asked for a code"),
    "decoy.sent": ("notice", "{user} is asked for a code that none is right for"),
    "code.accepted": ("info", "code of {user} is right"),
    "code.refused": ("notice", "code of {user} refused: {reason}"),
    "code.expired": ("notice", "code of {user} came too late"),
    "recovery.used": ("notice", "{user} used a recovery code, {left} are left"),
    "recovery.few": ("warning", "{user} used a recovery code, only {left} are left"),
    "login.accepted": ("info", "{user} from {client} accepted"),
    "reply.omitted": ("debug", "nothing said of {user} to {client} for {reason}"),
    "login.rejected": ("notice", "{user} from {client} rejected: {reason}"),
    "login.unavailable": ("warning", "{user} from {client} neither accepted nor rejected: {reason}"),
    "user.locked": ("warning", "{user} is locked out: {reason}"),
    "user.unlocked": ("notice", "{user} is no longer locked out"),
    "session.started": ("info", "session of {user} at {client} begins"),
    "session.updated": ("info", "session of {user} at {client} goes on, for {seconds} s so far"),
    "session.stopped": ("info", "session of {user} at {client} ends after {seconds} s: {cause}"),
    "session.other": ("info", "session of {user} at {client}: {status}"),
    "nas.on": ("notice", "{nas}, of client {client}, has started: its sessions begin anew"),
    "nas.off": ("notice", "{nas}, of client {client}, goes down: its sessions have ended"),
    "user.enrolled": ("notice", "{user} is enrolled for {method}"),
    "user.unenrolled": ("notice", "{user} is no longer enrolled for {method}"),
    "helpdesk.looked": ("info", "{by} of the helpdesk looked at {user}"),
    "helpdesk.unlocked": ("notice", "{by} of the helpdesk unlocked {user}"),
    "helpdesk.reset": ("notice", "{by} of the helpdesk reset {method} of {user}"),
    "notice.sent": ("info", "{user} was told by mail of what was changed ({count})"),
    "notice.undeliverable": ("warning", "{user} can't be told by mail of a change: {reason}"),
    "notice.failed": ("warning", "{user} was never told by mail of a change: {reason}"),
    "portal.left": ("info", "{user} signed out of the portal"),
    "portal.ended": ("notice", "session of {user} at the portal ended: {reason}"),
    "portal.refused": ("warning", "a form of {user} was refused: {reason}"),
    "request.discarded": ("warning", "request from {client} discarded: {reason}"),
    "request.refused": ("warning", "request of {client} refused: {reason}"),
    "source.slowed": ("warning", "logins from {source} at {client} have to wait: {reason}"),
    "client.secret": ("notice", "client {client} uses {reason}"),
    "client.unreadable": ("warning", "what users of {client} type can't be read: {reason}"),
    "user_address.unknown": ("warning", "where users are, {teller} doesn't say: {reason}"),
    "repository.down": ("error", "repository {repository} is out of order: {reason}"),
    "repository.up": ("notice", "repository {repository} works again"),
    "server.down": ("error", "server {server} is out of order: {reason}"),
    "server.up": ("notice", "server {server} works again"),
    "sender.down": ("error", "sender {sender} is out of order: {reason}"),
    "sender.up": ("notice", "sender {sender} works again"),
    "store.down": ("error", "the store is out of order: {reason}"),
    "store.up": ("notice", "the store works again"),
    "plugin.misbehaved": ("error", "{plugin}, a plugin, did what it must not: {reason}"),
    "plugin.blocked": ("warning", "{plugin}, a plugin, held up all logins for {ms} ms: {reason}"),
    "store.foreign": ("error", "something in the store is taken as absent: {reason}"),
    "daemon.started": ("notice", "aad {version} listens on {listen}"),
    "daemon.stopped": ("notice", "aad has stopped"),
    "configuration.loaded": ("notice", "configuration {file} is in force"),
    "configuration.refused": ("error", "configuration refused, the old one stays in force: {reason}"),
    "configuration.warning": ("warning", "{reason}"),
    "records.dropped": ("warning", "{count} records were lost: {reason}"),
    "fault": ("error", "a fault of aad itself, nobody was let in: {reason}"),
}


class RecordKind(NamedTuple):
    """The properties of a record's name. `priority`: of syslog; `text`: with macros of the record's fields."""

    priority: int
    text: str
    message_id: str


def message_id(name: str) -> str:
    """Return the MESSAGE_ID of a record's name (128 bits in hex); it never changes."""
    return uuid.uuid5(_NAMESPACE, name).hex


def kind(name: str) -> RecordKind:
    """Return the properties of a record's name; an unknown one, a plugin's own, is info with its name as text."""
    return KINDS.get(name) or RecordKind(LEVELS["info"], name.replace("{", "{{").replace("}", "}}"), message_id(name))


def clean(value: object) -> str:
    """Return a value on one line: a name that a stranger typed must not begin a line or move a cursor."""
    if isinstance(value, float):
        return f"{value:.1f}"
    text = str(value)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


KINDS = {name: RecordKind(LEVELS[level], text, message_id(name)) for name, (level, text) in _TABLE.items()}
