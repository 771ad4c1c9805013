"""The same octets from the same client are the same request: it is worked on once, and gets one reply, again and again.

RFC 5080 2.2.2: a server that sees a retransmission sends the reply it has already, or none while it is at work.
Whether they are the same is told by all octets, not by the Identifier; and by the address, not by the port, since some
clients send again from another one: the reply goes where it was asked for last.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum
from hashlib import blake2b
from typing import Generic, TypeVar

_AT_ONCE = 16  # expired replies forgotten per datagram: more than can be added

Where = TypeVar("Where")
"""Where a reply is to be sent: a port, a socket, whatever the caller likes."""


class Sighting(Enum):
    """What a datagram is that has no reply yet."""

    NEW = "new: it is at work from now on, until it is `answered` or `silent`"
    AT_WORK = "at work already"
    FULL = "one too many at work"


NEW, AT_WORK, FULL = Sighting.NEW, Sighting.AT_WORK, Sighting.FULL


@dataclass(frozen=True, slots=True)
class _Answered:
    reply: bytes
    until: float


def key_of(address: str, datagram: bytes) -> bytes:
    """Return what tells a request from others. `datagram`: without padding; `address`: the client's, without port."""
    return blake2b(address.encode() + b"\0" + datagram, digest_size=16).digest()


class Duplicates(Generic[Where]):
    """Requests at work, and replies for `lifetime` seconds; together `most`. `now` is any clock that never goes back.

    When it is full, the oldest reply makes room, never a request at work (RFC 5080 2.2.3).
    """

    def __init__(self, lifetime: float = 30.0, most: int = 100_000) -> None:
        """Begin with nothing."""
        self._lifetime = lifetime
        self._most = most
        self._at_work: dict[bytes, Where] = {}
        # In the order in which they expire; a plain dict walks over what was deleted to find its first.
        self._answered: OrderedDict[bytes, _Answered] = OrderedDict()

    def __len__(self) -> int:
        """Count what is kept."""
        return len(self._at_work) + len(self._answered)

    def seen(self, key: bytes, where: Where, now: float) -> Sighting | bytes:
        """Say what to do with a datagram that came from `where`: the reply, again; or what it is."""
        self._expire(now)
        answered = self._answered.get(key)
        if answered is not None:
            if now < answered.until:
                return answered.reply
            del self._answered[key]
        if key in self._at_work:
            self._at_work[key] = where
            return AT_WORK
        if len(self) >= self._most and not self._forget_oldest():
            return FULL
        self._at_work[key] = where
        return NEW

    def answered(self, key: bytes, reply: bytes, now: float) -> Where:
        """Keep the reply to a request at work; return from where it was asked for last."""
        where = self._at_work.pop(key)
        self._answered[key] = _Answered(reply, now + self._lifetime)
        return where

    def silent(self, key: bytes) -> None:
        """Forget a request at work that gets no reply, on purpose: when it is sent again, it is tried anew."""
        del self._at_work[key]

    def _expire(self, now: float) -> None:
        """Forget some of what has expired: after a rush, no single request waits until all of it is gone."""
        for _ in range(_AT_ONCE):
            if not self._answered or now < self._answered[next(iter(self._answered))].until:
                return
            self._answered.popitem(last=False)

    def _forget_oldest(self) -> bool:
        if not self._answered:
            return False
        self._answered.popitem(last=False)
        return True
