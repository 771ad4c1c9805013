"""The port of stores (Store), and the values it takes and gives: Kept, Taken, Tally, Change. Part of `aad.ports`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

ROW = "row"  # the kind of the values in which guesses are counted
GRACE = 60.0  # seconds an expired login is still given out, so that its user is told "expired" and not "unknown"
LARGEST = 4096  # octets of a value that is held for good
LARGEST_PASSING = 16_384  # ... of one that expires


@dataclass(frozen=True, kw_only=True)
class Tally:
    """A counter of the store: how often something happened, and until when it counts (the store's clock)."""

    kind: str
    scope: str
    name: str
    count: int
    until: float


class Change(NamedTuple):
    """A new value in the place of an expiring one, and its end (`math.inf`: none); `value` None: hold nothing."""

    value: bytes | None
    until: float


Rule = Callable[[bytes | None], Change | None]
"""Takes an expiring value (None: there is none) and returns what becomes of it (None: it stays). It may be called
several times, if another node changes the value at the same moment; the last call counts."""


RowRule = Callable[[str, bytes | None], Change | None]
"""A Rule for the row of a login; the name of the row comes first."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A waiting login as a store keeps it.

    `holder`: its user, who may have only so many challenges; `proven`: it was begun with a proof; `row`: the value of
    the kind "row" in which an answer to it counts, if it is a guess; `expires`: the store's clock.
    """

    ticket: bytes
    holder: str
    login: bytes
    expires: float
    proven: bool = False
    row: str = ""


class Taken(NamedTuple):
    """A login that was taken; or, if its row `refused` the answer, one that still waits."""

    login: bytes
    refused: bool = False


class Store(AbstractAsyncContextManager["Store"], Protocol):
    """Keeps what outlives a restart: waiting logins, counters, values held for good, and values that expire.

    Every method is atomic; Unavailable: the store is down.

    Times are seconds of the store's own clock, `now()`, which no step of the wall clock touches (requirement: a
    code's life) and which goes on over a restart of the daemon.

    Optional ability: TellsIfShared. A store without it is taken to be shared by other nodes.
    """

    Settings: ClassVar[type]

    def now(self) -> float:
        """Return the time, in seconds."""

    async def put_login(self, kept: Kept, most: int) -> bool:
        """Keep a waiting login, of `most` of its holder: the oldest goes, one without proof first.

        False: it isn't kept, as it is without proof and all the others have one.
        """

    async def take_login(self, ticket: bytes, count: RowRule | None = None) -> Taken | None:
        """Return the login and forget it, at once: of many callers, one gets it. None: unknown, or expired long ago.

        `count`: what becomes of the login's row, at the same moment; if that changes nothing, the login isn't taken.
        It may have been called in vain: a caller that came too late gets None, and the row is as it was.
        For GRACE seconds after its end it is still given out: its method says that the answer came too late.
        """

    async def logins_of(self, holder: str) -> list[tuple[bytes, bytes]]:
        """Return tickets and logins that are kept for `holder` and still wait, the latest first; they go on waiting."""

    async def count_logins(self) -> int:
        """Count the waiting logins, approximately."""

    async def increment(self, tally: Tally, limit: int, *, extend: bool) -> int:
        """Count one more, unless the counter is at its `limit` already; return the new count, or 0: not counted.

        `tally.count` is ignored; `until` holds for a new or expired counter, and, with `extend`, for any.
        """

    async def decrement(self, kind: str, scope: str, name: str) -> None:
        """Take one off a counter, down to 0; nothing, if it isn't there."""

    async def delete_counter(self, kind: str, scope: str, name: str) -> bool:
        """Remove a counter; say whether there was one. An empty `scope` means all of them."""

    async def counters(self, kind: str) -> list[Tally]:
        """Return the counters of a kind that still count."""

    async def get(self, kind: str, name: str) -> bytes | None:
        """Return the value that is held for good under a kind and a name."""

    async def compare_and_set(self, kind: str, name: str, old: bytes | None, new: bytes | None) -> bool:
        """Hold `new` where `old` is held; say whether it was: of many callers at once, one gets True.

        `old` None: where nothing is held; `new` None: hold nothing any more. ValueError: `new` is over `LARGEST`.
        """

    async def names(self, kind: str) -> list[str]:
        """Return the names that values of a kind are held under, in order."""

    async def get_expiring(self, kind: str, name: str) -> bytes | None:
        """Return a value that expires, and hasn't yet; None: there is none."""

    async def compare_and_set_expiring(
        self, kind: str, name: str, old: bytes | None, new: bytes | None, until: float
    ) -> bool:
        """Hold `new` until then where `old` is held: `compare_and_set` for values that expire; an expired one is None.

        ValueError: `new` is over `LARGEST_PASSING`.
        """

    async def update_expiring(self, kind: str, name: str, rule: Rule, expected: bytes | None = None) -> None:
        """Change a value that expires as `rule` says. `expected`: its probable value, which may save a round trip."""

    async def put_expiring(self, kind: str, changes: Mapping[str, Change | None]) -> None:
        """Hold these values that expire, by name, whatever is held; None: hold nothing any more. All at once."""

    async def all_expiring(self, kind: str) -> dict[str, bytes]:
        """Return the values of a kind that expire, and haven't yet, by name: for a command, as it walks through all."""

    async def probe(self) -> str:
        """Try whether this store can be used, and say how in a few words (`aad check --online`)."""
