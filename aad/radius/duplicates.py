"""Retransmissions: the same octets from the same client are one request, which is worked on once.

RFC 5080 2.2.2: a retransmission gets the same reply again, or none while the request is in progress. Requests are
compared by all octets, not by the Identifier; and by the address, not by the port, since some clients send again from
another one: the reply goes to the port that asked last.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum
from hashlib import blake2b
from typing import Generic, TypeVar

_AT_ONCE = 16  # expired replies forgotten per datagram: more than can be added

Where = TypeVar("Where")
"""The destination of a reply: any type of the caller."""


class Sighting(Enum):
    """The state of a request that has no reply yet."""

    NEW = "new: in progress from now on, until `answered` or `silent`"
    AT_WORK = "in progress"
    FULL = "too many in progress"


NEW, AT_WORK, FULL = Sighting.NEW, Sighting.AT_WORK, Sighting.FULL


@dataclass(frozen=True, slots=True)
class _Answered:
    reply: bytes
    until: float


def key_of(address: str, datagram: bytes) -> bytes:
    """Return a request's key: 16 octets. `datagram`: without padding; `address`: the client's, without port."""
    return blake2b(address.encode() + b"\0" + datagram, digest_size=16).digest()


class Duplicates(Generic[Where]):
    """Requests in progress, and replies for `lifetime` seconds; together `most`. `now`: seconds of a monotonic clock.

    When it is full, the oldest reply is dropped, never a request in progress (RFC 5080 2.2.3).
    """

    def __init__(self, lifetime: float = 30.0, most: int = 100_000) -> None:
        """`lifetime`: seconds that replies are kept; `most`: entries."""
        self._lifetime = lifetime
        self._most = most
        self._at_work: dict[bytes, Where] = {}
        # In the order in which they expire; a plain dict walks over what was deleted to find its first.
        self._answered: OrderedDict[bytes, _Answered] = OrderedDict()

    def __len__(self) -> int:
        """Return the number of entries."""
        return len(self._at_work) + len(self._answered)

    def seen(self, key: bytes, where: Where, now: float) -> Sighting | bytes:
        """Register a datagram from `where`; return the reply that it had before, or its state."""
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
        """Keep the reply to a request in progress; return where it was sent from last."""
        where = self._at_work.pop(key)
        self._answered[key] = _Answered(reply, now + self._lifetime)
        return where

    def silent(self, key: bytes) -> None:
        """Forget a request that gets no reply on purpose: a retransmission is tried again."""
        del self._at_work[key]

    def _expire(self, now: float) -> None:
        """Drop a few expired replies: after a rush, no single request waits until all are dropped."""
        for _ in range(_AT_ONCE):
            if not self._answered or now < self._answered[next(iter(self._answered))].until:
                return
            self._answered.popitem(last=False)

    def _forget_oldest(self) -> bool:
        if not self._answered:
            return False
        self._answered.popitem(last=False)
        return True
