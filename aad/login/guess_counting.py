"""Counts what the user gave as a wrong guess before it is compared, and takes it back if it was none.

A guess is counted at one of three moments, each before anything is compared: a password while the repository looks its
user up (`PasswordGuess`), the answer to a challenge when its login is taken from the store (`Engine.answer`), and all
else just before its method works (`GuessCounting.before`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aad.core.conversation import Running
from aad.core.identity import Attempt, Named, User
from aad.core.outcome import Outcome, Reason, guessed
from aad.core.policy import Chain, Event
from aad.core.row import Kind, row_name
from aad.core.user_address import written
from aad.login.guess_rows import GuessRows
from aad.login.lockout import CountedGuess, Lockout
from aad.login.method_calls import MethodCalls
from aad.login.turn import Turn
from aad.ports import Unavailable


class PasswordGuess:
    """The password that comes with an attempt: counted once its user is known, before it is checked (ports.Admit).

    `count`: how; None: it isn't to be checked on the way. `refused`: why it isn't to be checked at all; `trouble`: why
    that could not be found out. `name`: the user's, once it is counted.
    """

    def __init__(
        self,
        lockout: Lockout,
        event: Event,
        attempt: Attempt,
        named: Named,
        asks_password: Callable[[Sequence[Chain]], bool],
    ) -> None:
        """Count nothing yet. `asks_password`: whether the chain that is asked begins with a repository's password."""
        self._lockout = lockout
        self._event, self._attempt, self._named = event, attempt, named
        self._asks_password = asks_password
        self.count: CountedGuess | None = None
        self.refused: Reason | None = None
        self.trouble: Unavailable | None = None
        self.name = ""

    async def admit(self, user: User) -> bool:
        """Count it, once, however often a repository asks; say whether it may be checked."""
        if self.trouble is not None:
            return False
        if self.count is None and self.refused is None:
            if not self._asks_password(self._event.chains_for(user, self._attempt, self._named.chain)):
                return False
            name = row_name(Kind.PASSWORDS, user.repository, user.key)
            try:
                count = await self._lockout.count(name, self._attempt.answer)
            except Unavailable as error:  # the store's; the repository, through which this is asked, has no part in it
                self.trouble = error
                return False
            self.name = user.name
            self.refused = count.refused
            self.count = count if count.row else None
        return self.refused is None


@dataclass(frozen=True, kw_only=True)
class GuessCounting:
    """Counts what comes to a method.

    `compares`: for a method's name: who decides that a password is wrong; empty: the user's repository does.
    `warn` tells a user that wrong codes came after the right password, and from where.
    """

    lockout: Lockout
    rows: GuessRows
    calls: MethodCalls
    judge_of: Callable[[str], str]
    warn: Callable[[User, str], Awaitable[None]]

    async def before(self, running: Running, turn: Turn) -> Reason | None:
        """Count what the user gave, if it is a guess that isn't counted yet; return why it must not be compared."""
        answer = running.answer
        if turn.count is not None or answer is None or answer.empty or self.calls.begins(running):
            return None
        if not (row := self.rows.name(running)):
            return None
        count = await self.lockout.count(row, answer, self.judge_of(running.method))
        turn.count = None if count.refused else count
        return count.refused

    async def after(self, running: Running, outcome: Outcome[Any], turn: Turn) -> None:
        """Let the count stand if `outcome` calls the guess wrong; else take it back, now or at the end of the turn."""
        if (count := turn.count) is None:
            return
        if guessed(outcome):
            turn.count = None
            await self._wrong(count, running, turn)
        elif running.position + 1 < len(running.login.chain.methods):
            turn.count = None  # what comes may take long; others of the same user shouldn't wait for it
            await self.lockout.take_back(count)
        else:
            turn.withdraw_guess()

    async def _wrong(self, count: CountedGuess, running: Running, turn: Turn) -> None:
        if count.locks:
            turn.log.locked(count.kind, count.failures)
            if count.kind is Kind.CODES:
                with suppress(Unavailable):  # it is in the log
                    await self.warn(running.login.user, written(turn.attempt.user_address))
        count.by = self.judge_of(running.method)  # of an answer it wasn't known before
        await self.lockout.wrong(count)
