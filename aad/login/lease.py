"""A lease in the store, so that of several nodes (or workers) only one lets a method begin for one user at a time.

A NAS that fails over re-sends its request to the second node while the first is still busy with it: a second mail would
go out. So, once the password is right and before a method begins, a node acquires the lease of the login's owner; the
others wait for it, and reply with the same challenge. It is a counter with the limit 1, which outlives its login by
`SLACK` at most.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aad.ports import Store, Tally, Unavailable

T = TypeVar("T")
KIND = "claim"  # nodes of several versions share a store: the name of the counters stays
PAUSE = 0.05  # seconds from one look for another node's challenge to the next
SLACK, LONGEST = 1.0, 60.0  # seconds: what a lease lasts beyond its deadline, which is taken to be this far at most


class LeaseTakenError(Unavailable):
    """Another node holds the lease for longer than this one can wait."""


class Lease:
    """The lease for one piece of work, until `deadline` (`time.monotonic()` seconds) and `slack` seconds more.

    It isn't `needed` for a login where the store is this process's own (`single_flight.py` suffices there).
    """

    def __init__(
        self, store: Store, deadline: float, *, kind: str = KIND, slack: float = SLACK, needed: bool = True
    ) -> None:
        """Hold nothing yet. `kind`: of the counters in the store."""
        self._store, self._deadline, self._owner = store, deadline, ""
        self._kind, self._slack = kind, slack
        self._needed = needed

    async def acquire_or(self, owner: str, found: Callable[[], Awaitable[T | None]]) -> T | None:
        """Acquire the lease of `owner`, then look whether the work is done already: return what is `found`, or None.

        LeaseTakenError: another node holds it until the deadline. Unavailable: the store doesn't answer.
        """
        if not self._needed or self._owner == owner:
            return await found()
        while True:
            if await self._acquired(owner):
                self._owner = owner
                # Looked for only now: a node that held the lease before has sent its message by then, or is dead.
                return await found()
            if time.monotonic() + PAUSE >= self._deadline:
                what = "another node is at work on the same login"
                raise LeaseTakenError(what)
            await asyncio.sleep(PAUSE)

    async def end(self) -> None:
        """Release the lease. If the store doesn't answer now, it ends by itself."""
        if self._owner:
            owner, self._owner = self._owner, ""
            with contextlib.suppress(Unavailable):
                await self._store.delete_counter(self._kind, "", owner)

    async def _acquired(self, owner: str) -> bool:
        life = min(max(self._deadline - time.monotonic(), 0.0), LONGEST) + self._slack
        until = self._store.now() + life
        tally = Tally(kind=self._kind, scope="", name=owner, count=0, until=until)
        return bool(await self._store.increment(tally, 1, extend=False))
