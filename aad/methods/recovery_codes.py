"""The method recovery_codes: ten codes on a sheet of paper, each good once, for users who have lost their phone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from aad.core.answer import Answer
from aad.core.identity import User
from aad.core.outcome import Fact, Failure, Reason, Success
from aad.core.recovery import Batch
from aad.core.secret import Secret
from aad.core.settings import option
from aad.methods.enrolled_code import EnrolledCode, EnrolledCodeSettings, Verdict
from aad.ports import Wiring


@dataclass(frozen=True, kw_only=True)
class RecoveryCodesSettings(EnrolledCodeSettings):
    """[methods.NAME] with type = "recovery_codes"."""

    prompt: str = option("Enter one of your recovery codes", "What the user is asked.")
    wrong_prompt: str = option("Wrong code, or used before. Enter one of your recovery codes", "... once more.")
    few: int = option(3, "So few that are left are warned about in the log.", at_least=0, at_most=10)


class RecoveryCodes(EnrolledCode):
    """Checks recovery codes: something the user has, on paper."""

    Settings: ClassVar[type] = RecoveryCodesSettings

    def __init__(self, settings: RecoveryCodesSettings, wiring: Wiring) -> None:
        """Ask as `settings` say. ValueError: without a vault."""
        super().__init__(settings, wiring)
        self._few = settings.few
        self._key = wiring.key

    def usable(self, held: Secret) -> bool:
        """Say whether any code is left."""
        return bool(Batch.decoded(held).left)

    def judged(self, user: User, held: Secret, answer: Answer) -> Verdict:
        """Cross the code off, if it is one of those left; the log says how many there are now."""
        del user
        batch = Batch.decoded(held)
        number = batch.number(answer, self._key)
        if number is None:
            return Verdict(Failure(Reason.WRONG_CODE))
        after = batch.without(number)
        name = "recovery.few" if len(after.left) <= self._few else "recovery.used"
        return Verdict(Success((Fact(name=name, fields={"left": len(after.left)}),)), after.encoded())
