"""A method for aad: the user types a number that the directory holds for them."""

from dataclasses import dataclass, replace
from typing import ClassVar

from aad.core.answer import Answer
from aad.core.conversation import Login
from aad.core.outcome import Challenge, Failure, Outcome, Reason, Success
from aad.core.secret import Secret
from aad.core.settings import Duration, option
from aad.ports import Wiring


@dataclass(frozen=True, kw_only=True)
class NumberSettings:  # the keys of aad.toml: strictly checked, each with its sentence
    attribute: str = option("employeeNumber", "The user's attribute that holds the number.")
    period: Duration = option(Duration(60.0), "How long the user may take.", at_least=10.0)
    attempts: int = option(3, "Wrong answers before Access-Reject.", at_least=1)

    @property
    def reads(self) -> tuple[str, ...]:  # the ability ReadsAttributes: the directory is asked for it, too
        return (self.attribute,)


@dataclass(frozen=True)
class Asked:  # comes back with the answer; until then it lies in the store
    expires: float
    attempts: int


class EmployeeNumber:
    Settings: ClassVar[type] = NumberSettings
    Memo: ClassVar[type] = Asked
    proves: ClassVar[str] = "number"  # the log says number.accepted, number.refused

    def __init__(self, settings: NumberSettings, wiring: Wiring) -> None:
        self.settings = settings

    async def begin(self, login: Login, answer: Answer | None, now: float, deadline: float) -> Outcome[Asked]:
        if not login.user.attributes.get(self.settings.attribute):
            return Failure("no employee number in the directory")
        return self.ask(Asked(now + self.settings.period, self.settings.attempts), "Employee number: ")

    async def verify(self, login: Login, memo: Asked, answer: Answer, now: float, deadline: float) -> Outcome[Asked]:
        if now >= memo.expires:
            return Failure(Reason.EXPIRED)
        if any(answer.matches(Secret(number)) for number in login.user.attributes[self.settings.attribute]):
            return Success()
        if memo.attempts == 1:
            return Failure("wrong employee number")
        return self.ask(replace(memo, attempts=memo.attempts - 1), "Wrong. Employee number: ", wrong=True)

    def ask(self, memo: Asked, prompt: str, *, wrong: bool = False) -> Outcome[Asked]:
        because = "wrong employee number" if wrong else ""
        return Challenge(
            prompt=prompt, memo=memo, expires=memo.expires, fresh_until=memo.expires, because=because, wrong=wrong
        )
