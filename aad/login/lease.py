"""Who of several nodes (or workers) lets a method begin: one at a time for each owner; the others get his challenge.

A NAS that fails over re-sends its request to the second node while the first is at work: a second mail would go out.
So, once the password is right and before a method begins, the owner is claimed in the store; it is a counter with the
limit 1, which outlives its login by `SLACK` at most.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aad.ports import Store, Tally, Unavailable

T = TypeVar("T")
KIND = "claim"
PAUSE = 0.05  # seconds from one look for another node's challenge to the next
SLACK, LONGEST = 1.0, 60.0  # seconds: what a claim lasts beyond its deadline, which is taken to be this far at most


class LeaseTakenError(Unavailable):
    """Somebody else is at work on the same for longer than we have."""


class Lease:
    """The claim of one piece of work, until `deadline` (`time.monotonic()` seconds) and `slack` seconds more.

    A login needs none where the store is our own (`same.py` sees to it); what claims `always` has nothing else.
    """

    def __init__(
        self, store: Store, deadline: float, *, kind: str = KIND, slack: float = SLACK, always: bool = False
    ) -> None:
        """Claim nothing yet."""
        self._store, self._deadline, self._owner = store, deadline, ""
        self._kind, self._slack = kind, slack
        self._needed = always or getattr(store, "shared", True)

    async def unless(self, owner: str, served: Callable[[], Awaitable[T | None]]) -> T | None:
        """Return what serves it already, or None once it is ours. Taken: somebody else has it for long. Unavailable."""
        if not self._needed or self._owner == owner:
            return await served()
        while True:
            if await self._claimed(owner):
                self._owner = owner
                # Asked for after the claim: whoever had it before has sent his message by then, or is dead.
                return await served()
            if time.monotonic() + PAUSE >= self._deadline:
                what = "another node is at work on the same login"
                raise LeaseTakenError(what)
            await asyncio.sleep(PAUSE)

    async def end(self) -> None:
        """Let others claim it. If that can't be said now, it ends by itself."""
        if self._owner:
            owner, self._owner = self._owner, ""
            with contextlib.suppress(Unavailable):
                await self._store.delete_counter(self._kind, "", owner)

    async def _claimed(self, owner: str) -> bool:
        life = min(max(self._deadline - time.monotonic(), 0.0), LONGEST) + self._slack
        until = self._store.now() + life
        tally = Tally(kind=self._kind, scope="", name=owner, count=0, until=until)
        return bool(await self._store.increment(tally, 1, extend=False))
