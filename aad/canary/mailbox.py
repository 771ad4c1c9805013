"""What a mailbox is to the canary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

OCTETS = 65536  # of a mail, at most; ours have some 2,000
RECENT = 20  # mails that were there before: a login begun again is answered by the mail of the first one


@dataclass(frozen=True)
class Mail:
    """A mail by the mailbox's own `handle`; `new`: it arrived after the mailbox was opened."""

    handle: str
    octets: bytes
    new: bool


class Mailbox(Protocol):
    """Open in a `with` block. Every call raises Unavailable, and none waits longer than its `seconds`."""

    where: str
    pause: float
    """Seconds between two looks."""

    def open(self, seconds: float) -> None:
        """Open it, and note what is there already."""

    def close(self) -> None:
        """Close it; closing what isn't open is no error."""

    def mails(self, seconds: float) -> Sequence[Mail]:
        """Return what wasn't returned before: the new mails, and at first the most recent of the others."""

    def remove(self, mail: Mail) -> None:
        """Remove one mail, and no other."""
