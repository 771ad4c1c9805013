"""One request while it is in progress: what belongs to it alone, and what is given back when it ends."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from aad.core.asker import ASKER
from aad.core.identity import Attempt, Named
from aad.core.turns import Source
from aad.login.lease import Lease
from aad.login.lockout import CountedGuess, Lockout
from aad.login.login_log import LoginLog
from aad.login.write_ahead import WriteAhead
from aad.ports import Unavailable


@dataclass
class Turn:
    """One request: `async with` it, then take the login from state to state.

    `began`: when, by the store's clock. `count`: what the user gave, counted as a wrong guess already; None: nothing is
    counted now. `withdrawn`: such counts that turned out to be no wrong guess; they are taken back at the end, so that
    what comes before needn't wait for it. `decoy_for`: the name for which a decoy is asked if the user isn't let in.
    """

    attempt: Attempt
    log: LoginLog
    lockout: Lockout
    lease: Lease
    write_ahead: WriteAhead
    began: float
    count: CountedGuess | None = None
    withdrawn: list[CountedGuess] = field(default_factory=list)
    decoy_for: Named | None = None

    def withdraw_guess(self) -> None:
        """Count the answer no longer as a guess: it was right, or could not be compared."""
        if self.count:
            self.withdrawn.append(self.count)
            self.count = None

    async def __aenter__(self) -> Self:
        """Let what is shared out in turns know for whom this task works."""
        ASKER.set(Source(self.attempt.client, self.attempt.counted))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Take back what was no wrong guess, forget a challenge that came to nothing, release the lease.

        A guess that nothing was decided about when the task was cancelled stays counted.
        """
        if error is None or isinstance(error, Exception):
            self.withdraw_guess()
        for count in self.withdrawn:
            with suppress(Unavailable):  # then it is taken back before the next one counts
                await self.lockout.take_back(count)
        await self.write_ahead.end()
        await self.lease.end()
