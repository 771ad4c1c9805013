"""What a store is: the port Store, and its counters (Tally). Part of `aad.ports`."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import ClassVar, Protocol

LARGEST = 4096  # octets of a value that is held for good
LARGEST_PASSING = 16_384  # ... of one that ends


@dataclass(frozen=True, kw_only=True)
class Tally:
    """A counter of the store: how often, and until when it counts (the store's clock)."""

    kind: str
    scope: str
    name: str
    count: int
    until: float


class Store(AbstractAsyncContextManager["Store"], Protocol):
    """What outlives a restart: waiting logins, counters, values held for good, and values that end.

    Every method is atomic; Unavailable: out of order.

    Times are seconds of the store's own clock, `now()`, which no step of the wall clock touches (requirement: a
    code's life) and which goes on over a restart of the daemon.

    One in which nobody else begins logins of the same users may say so, `shared = False`: else each is claimed first
    (`aad.claim`).
    """

    Settings: ClassVar[type]

    def now(self) -> float:
        """Return the time, in seconds."""

    async def keep(self, ticket: bytes, owner: str, login: bytes, expires: float) -> None:
        """Keep a waiting login under its ticket. `owner`: where `again` finds the latest one."""

    async def take(self, ticket: bytes) -> bytes | None:
        """Return the login and forget it, at once: of many who ask, one gets it. None: unknown, or expired long ago.

        For a while after its end (a minute) it is still given out: its method says that the answer came too late.
        """

    async def again(self, owner: str) -> tuple[bytes, bytes] | None:
        """Return ticket and login that were last kept for `owner` and still wait; they go on waiting."""

    async def waiting(self) -> int:
        """Count the waiting logins, about."""

    async def spend(self, tally: Tally, limit: int, *, extend: bool) -> int:
        """Count one more, unless the counter is at its `limit` already; return the new count, or 0: not counted.

        `tally.count` is ignored; `until` holds for a new or expired counter, and, with `extend`, for any.
        """

    async def refund(self, kind: str, scope: str, name: str) -> None:
        """Take one back."""

    async def forget(self, kind: str, scope: str, name: str) -> bool:
        """Remove a counter; say whether there was one. An empty `scope` means all of them."""

    async def tallies(self, kind: str) -> list[Tally]:
        """Return the counters of a kind that still count."""

    async def find(self, kind: str, name: str) -> bytes | None:
        """Return the value that is held for good under a kind and a name."""

    async def swap(self, kind: str, name: str, old: bytes | None, new: bytes | None) -> bool:
        """Hold `new` where `old` is held; say whether it was: of many who ask at once, one gets True.

        `old` None: where nothing is held; `new` None: hold nothing any more. ValueError: `new` is over `LARGEST`.
        """

    async def names(self, kind: str) -> list[str]:
        """Return the names that values of a kind are held under, in order."""

    async def recall(self, kind: str, name: str) -> bytes | None:
        """Return a value that ends, and hasn't yet."""

    async def exchange(self, kind: str, name: str, old: bytes | None, new: bytes | None, until: float) -> bool:
        """Hold `new`, until then, where `old` is held; as `swap` for values that end. An ended one is none.

        ValueError: `new` is over `LARGEST_PASSING`.
        """

    async def probe(self) -> str:
        """Try whether this store can be used, and say how in a few words (`aad check --online`)."""
