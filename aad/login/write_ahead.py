"""Keeps a challenge in the store before its message leaves, so that a node taking over from one that died finds it.

Without it, that node would know of no message, and send another one, with another code (requirement 16: never a second
mail). The price: if the dead node's message did not leave, none does until the challenge isn't fresh any more. No node
left alive can tell the two apart.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace

from aad.core.conversation import Waiting
from aad.login.pending import Pending
from aad.ports import Unavailable


class WriteAhead:
    """The challenge of one login in progress, kept ahead of its message, or none."""

    def __init__(self, pending: Pending) -> None:
        """Keep nothing yet."""
        self._pending = pending
        self._ticket = b""
        self._foreseen: Waiting | None = None

    async def keep(self, foreseen: Waiting | None) -> None:
        """Keep what the user will be asked if all goes well. Unavailable, NoRoomError: then no message may leave."""
        if foreseen is None:
            return
        self._ticket, self._foreseen = await self._pending.keep(foreseen), foreseen

    async def settle(self, waiting: Waiting) -> bytes:
        """Return the ticket of what the user is asked now; keep it, unless it is kept already. NoRoomError."""
        foreseen, self._foreseen = self._foreseen, None
        if foreseen is None:
            return await self._pending.keep(waiting)
        asked = replace(waiting, challenge=replace(waiting.challenge, facts=()))
        # If another request took it meanwhile, its code is used, and must not come back (ASVS 6.5.1).
        if asked != foreseen and (taken := await self._pending.take(self._ticket)) and taken.waiting:
            await self._pending.put_back(self._ticket, waiting)
        return self._ticket

    async def end(self) -> None:
        """Forget what was kept, since it came to nothing. If that can't be done now, it ends by itself."""
        if self._foreseen is not None:
            self._foreseen = None
            with contextlib.suppress(Unavailable):
                await self._pending.take(self._ticket)
