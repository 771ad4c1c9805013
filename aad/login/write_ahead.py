"""A challenge that is kept before its message leaves: who goes on for a node that died in between finds it there.

Without it, he would know of no message, and send another one, with another code (requirement 16: never a second mail).
The price: if the dead node's message did not leave, none does until the challenge isn't fresh any more. Nobody alive
can tell the two apart.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace

from aad.core.conversation import Waiting
from aad.login.pending import Pending
from aad.ports import Unavailable


class WriteAhead:
    """The challenge of one login at work, kept ahead of its time, or none."""

    def __init__(self, pending: Pending) -> None:
        """Keep nothing yet."""
        self._pending = pending
        self._ticket = b""
        self._waiting: Waiting | None = None

    async def keep(self, waiting: Waiting | None) -> None:
        """Keep what the user will be asked if all goes well. Unavailable, NoRoomError: then no message may leave."""
        if waiting is None:
            return
        self._ticket, self._waiting = await self._pending.keep(waiting), waiting

    async def settle(self, waiting: Waiting) -> bytes:
        """Return the ticket of what the user is asked now; keep it, unless it is kept already. NoRoomError."""
        foreseen, self._waiting = self._waiting, None
        if foreseen is None:
            return await self._pending.keep(waiting)
        said = replace(waiting, challenge=replace(waiting.challenge, facts=()))
        # Whoever took it meanwhile has used the code, which must not come back (ASVS 6.5.1).
        if said != foreseen and (taken := await self._pending.take(self._ticket)) and taken.waiting:
            await self._pending.put_back(self._ticket, waiting)
        return self._ticket

    async def end(self) -> None:
        """Forget what was kept, since it came to nothing. If that can't be done now, it ends by itself."""
        if self._waiting is not None:
            self._waiting = None
            with contextlib.suppress(Unavailable):
                await self._pending.take(self._ticket)
