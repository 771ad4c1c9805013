"""The password, asked of the repository where the user lives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from aad.core.answer import Answer
from aad.core.conversation import Login
from aad.core.outcome import Challenge, Failure, Outcome, Reason, Success
from aad.core.settings import Duration, option
from aad.ports import Wiring


@dataclass(frozen=True, kw_only=True)
class PasswordSettings:
    """[methods.NAME] with type = "password"."""

    prompt: str = option("Password: ", "What the user is asked, where the password isn't the first of its chain.")
    period: Duration = option(Duration(120.0), "How long that may take.", at_least=10.0, at_most=3600.0)

    def prompts(self) -> dict[str, dict[str, str]]:
        """Return what a user may be asked, by language (one for all) and key, for whoever wants to know beforehand."""
        return {"": {"prompt": self.prompt}}


@dataclass(frozen=True)
class Asked:
    """The memo of a password that was asked for: until when the answer is good."""

    expires: float


class Password:
    """Something the user knows. It comes with the attempt, or is asked for."""

    Settings: ClassVar[type] = PasswordSettings
    Memo: ClassVar[type] = Asked
    proves: ClassVar[str] = "password"

    def __init__(self, settings: PasswordSettings, wiring: Wiring) -> None:
        """Keep what it gets."""
        self._settings = settings
        self._repositories = wiring.repositories

    async def begin(self, login: Login, answer: Answer | None, now: float, deadline: float) -> Outcome[Asked]:
        """Check the password that came with the attempt; as a later method of a chain, ask for it."""
        if answer is not None:
            return await self._checked(login, answer, deadline)
        expires = now + self._settings.period
        return Challenge(prompt=self._settings.prompt, memo=Asked(expires), expires=expires, fresh_until=expires)

    async def verify(self, login: Login, memo: Asked, answer: Answer, now: float, deadline: float) -> Outcome[Asked]:
        """Check the password that was asked for."""
        if now >= memo.expires:
            return Failure(Reason.EXPIRED)
        return await self._checked(login, answer, deadline)

    async def _checked(self, login: Login, answer: Answer, deadline: float) -> Success | Failure:
        """Ask the repository, unless it was asked on the way (`login.proof`)."""
        if answer.text is None:
            return Failure(Reason.PASSWORD_UNREADABLE)
        if answer.empty:  # RFC 4513 5.1.2: a bind with a name and no password succeeds, as anonymous
            return Failure(Reason.EMPTY_PASSWORD)
        if login.proof is not None:
            return login.proof
        return await self._repositories[login.user.repository].authenticate(login.user, answer.text, deadline)
