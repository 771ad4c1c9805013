"""The common part of the password methods: the password comes with the attempt, or is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from aad.core.answer import Answer
from aad.core.conversation import Login
from aad.core.outcome import Challenge, Failure, Outcome, Reason, Success
from aad.core.secret import Secret
from aad.core.settings import Duration, option


@dataclass(frozen=True, kw_only=True)
class AnyPasswordSettings:
    """The settings common to them."""

    prompt: str = option("Password: ", "What the user is asked, where the password isn't the first of its chain.")
    period: Duration = option(Duration(120.0), "How long that may take.", at_least=10.0, at_most=3600.0)

    def prompts(self) -> dict[str, dict[str, str]]:
        """Return what a user may be asked, by language ("": the only one) and key (ports.Prompts)."""
        return {"": {"prompt": self.prompt}}


@dataclass(frozen=True)
class AskedPassword:
    """The memo of a password that was asked for: until when the answer is good."""

    expires: float


class AnyPassword:
    """A method that checks a password: something the user knows. A subclass says how, in `checked`."""

    Memo: ClassVar[type] = AskedPassword
    proves: ClassVar[str] = "password"

    def __init__(self, settings: AnyPasswordSettings) -> None:
        """Ask as `settings` say."""
        self._asking = settings

    async def begin(self, login: Login, answer: Answer | None, now: float, deadline: float) -> Outcome[AskedPassword]:
        """Check the password that came with the attempt; as a later method of a chain, ask for it."""
        if answer is not None:
            return await self._read(login, answer, deadline)
        expires = now + self._asking.period
        return Challenge(prompt=self._asking.prompt, memo=AskedPassword(expires), expires=expires, fresh_until=expires)

    async def verify(
        self, login: Login, memo: AskedPassword, answer: Answer, now: float, deadline: float
    ) -> Outcome[AskedPassword]:
        """Check the password that was asked for."""
        if now >= memo.expires:
            return Failure(Reason.EXPIRED)
        return await self._read(login, answer, deadline)

    async def checked(self, login: Login, password: Secret, deadline: float) -> Success | Failure:
        """Check a password that isn't empty, octet for octet. Unavailable: could not tell."""
        raise NotImplementedError

    async def _read(self, login: Login, answer: Answer, deadline: float) -> Success | Failure:
        if answer.text is None:
            return Failure(Reason.PASSWORD_UNREADABLE)
        if answer.empty:  # RFC 4513 5.1.2: a bind with a name and no password succeeds, as anonymous
            return Failure(Reason.EMPTY_PASSWORD)
        return await self.checked(login, answer.text, deadline)
