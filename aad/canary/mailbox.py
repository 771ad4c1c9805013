"""The protocol of the canary's mailboxes: imap.py and maildir.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

OCTETS = 65536  # of a mail, at most; ours have some 2,000
RECENT = 20  # mails read that were there before: a login begun again may be answered by the first one's mail


@dataclass(frozen=True)
class Mail:
    """A mail by the mailbox's own `handle`; `new`: it arrived after the mailbox was opened."""

    handle: str
    octets: bytes
    new: bool


class Mailbox(Protocol):
    """Opened, polled and closed. Each call may raise Unavailable, and waits no longer than its `seconds`."""

    where: str
    pause: float
    """Seconds between two looks."""

    def open(self, seconds: float) -> None:
        """Open it; mails that are there now are old ones."""

    def close(self) -> None:
        """Close it, if it is open."""

    def mails(self, seconds: float) -> Sequence[Mail]:
        """Return the mails not returned yet: new ones, and on the first call the most recent of the others."""

    def remove(self, mail: Mail) -> None:
        """Remove one mail, and no other."""
