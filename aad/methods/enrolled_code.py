"""The common part of TOTP, HOTP and recovery codes: the user has the code already, so it is only asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from aad.core.answer import Answer
from aad.core.conversation import Login
from aad.core.identity import User
from aad.core.outcome import Challenge, Fact, Failure, Outcome, Reason, Success
from aad.core.secret import Secret
from aad.core.settings import Duration, option
from aad.ports import ForeignSealError, Held, Vault, Wiring

FRESH = 10.0  # seconds in which a login begun again, by a NAS that retries, gets the same challenge
RACES = 5  # tries to be the first of a user's simultaneous answers; after these the answer is refused


@dataclass(frozen=True, kw_only=True)
class EnrolledCodeSettings:
    """The settings common to them."""

    attempts: int = option(3, "Wrong codes within one challenge before Access-Reject.", at_least=1, at_most=10)
    period: Duration = option(Duration(120.0), "How long the user may take to answer.", at_least=10.0, at_most=3600.0)
    prompt: str = option("Enter your code", "What the user is asked.")
    wrong_prompt: str = option("Wrong code. Enter your code", "... once more.")

    def faults(self) -> Iterator[tuple[str, str]]:
        """Check the prompts."""
        for key, prompt in self.prompts()[""].items():
            if not prompt.strip():
                yield key, "should not be empty: some clients fail a login that they can't show a text for"

    def prompts(self) -> dict[str, dict[str, str]]:
        """Return what a user may be asked, by language ("": the only one) and key (ports.Prompts)."""
        return {"": {"prompt": self.prompt, "wrong_prompt": self.wrong_prompt}}


@dataclass(frozen=True)
class AskedCode:
    """The memo: until when the answer is good, and the tries left."""

    expires: float
    attempts: int


@dataclass(frozen=True)
class Verdict:
    """The outcome of an answer, and the value to hold from now on if it was right; None: the same as before."""

    outcome: Success | Failure
    after: Secret | None = None


class EnrolledCode:
    """Asks for a code, and lets each be used once: of many right answers, the one that moves the store is right."""

    Memo: ClassVar[type] = AskedCode
    proves: ClassVar[str] = "code"
    accepts_appended_code: ClassVar[bool] = True

    def __init__(self, settings: EnrolledCodeSettings, wiring: Wiring) -> None:
        """Ask as `settings` say. ValueError: without a vault."""
        if wiring.vault is None:
            message = "a method that users are enrolled for needs a vault"
            raise ValueError(message)
        self._asking = settings
        self._vault: Vault = wiring.vault

    def judged(self, user: User, held: Secret, answer: Answer) -> Verdict:
        """Check an answer against what is held."""
        raise NotImplementedError

    def usable(self, held: Secret) -> bool:  # noqa: ARG002 - a subclass may look
        """Say whether there is anything left to log in with."""
        return True

    async def ready(self, user: User) -> bool:
        """Say whether the user is enrolled (ports.Enrollable). True too if what is held can't be opened.

        Passing that over would let the user in by a chain that asks for less.
        """
        try:
            held = await self._vault.find(user)
        except ForeignSealError:
            return True
        return held is not None and self.usable(held.value)

    async def begin(self, login: Login, answer: Answer | None, now: float, deadline: float) -> Outcome[AskedCode]:
        """Ask for a code; as the first method of a chain, take what was typed for the password as one."""
        del deadline  # the store has its own time limit
        held = None if login.decoy else await self._held(login.user)
        if isinstance(held, Failure):
            return held
        memo = AskedCode(expires=now + self._asking.period, attempts=self._asking.attempts)
        if answer is None or answer.empty:
            return self._challenge(memo, now)
        return await self._checked(login, memo, answer, now)

    async def verify(
        self, login: Login, memo: AskedCode, answer: Answer, now: float, deadline: float
    ) -> Outcome[AskedCode]:
        """Check the code; a wrong one is asked for again."""
        del deadline
        if now >= memo.expires:
            return Failure(Reason.EXPIRED)
        if answer.empty:
            return self._challenge(memo, now, because="empty answer")
        return await self._checked(login, memo, answer, now)

    async def _checked(self, login: Login, memo: AskedCode, answer: Answer, now: float) -> Outcome[AskedCode]:
        outcome = Failure(Reason.WRONG_CODE) if login.decoy else await self._used(login.user, answer)
        if isinstance(outcome, Success) or outcome.reason not in {Reason.WRONG_CODE, Reason.USED_CODE}:
            return outcome
        if memo.attempts <= 1:
            return outcome
        memo = replace(memo, attempts=memo.attempts - 1)
        return self._challenge(memo, now, because=outcome.reason, wrong=True, facts=outcome.facts)

    async def _used(self, user: User, answer: Answer) -> Success | Failure:
        """Check a code, and use it up. If another answer was first, look again: this code may still be good."""
        for _ in range(RACES):
            held = await self._held(user)
            if isinstance(held, Failure):
                return held
            verdict = self.judged(user, held.value, answer)
            if isinstance(verdict.outcome, Failure):
                return verdict.outcome
            if verdict.after is not None and await self._vault.swap(user, held, verdict.after):
                return verdict.outcome
        return Failure(Reason.USED_CODE)

    async def _held(self, user: User) -> Held | Failure:
        try:
            held = await self._vault.find(user)
        except ForeignSealError:
            return Failure(Reason.FOREIGN_SEAL)
        return held if held is not None and self.usable(held.value) else Failure(Reason.NOT_ENROLLED)

    def _challenge(
        self, memo: AskedCode, now: float, *, because: str = "", wrong: bool = False, facts: tuple[Fact, ...] = ()
    ) -> Challenge[AskedCode]:
        return Challenge(
            prompt=self._asking.wrong_prompt if wrong else self._asking.prompt,
            memo=memo,
            expires=memo.expires,
            fresh_until=0.0 if wrong else min(now + FRESH, memo.expires),  # one begun again isn't told of wrong codes
            because=because,
            wrong=wrong,
            facts=facts,
        )
