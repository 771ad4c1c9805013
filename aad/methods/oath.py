"""The common part of TOTP and HOTP: a code that the user's app or key fob shows, good for one counter."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from aad.core.answer import Answer
from aad.core.identity import User
from aad.core.otp_token import Form, OtpToken, shown_at
from aad.core.outcome import Failure, Reason, Success
from aad.core.secret import Secret
from aad.core.settings import option
from aad.methods.enrolled_code import EnrolledCode, EnrolledCodeSettings, Verdict
from aad.ports import Wiring


@dataclass(frozen=True, kw_only=True)
class OathSettings(EnrolledCodeSettings):
    """The settings common to both."""

    digits: int = option(6, "Digits of a code; many apps know only 6.", at_least=6, at_most=8)
    algorithm: str = option(
        "sha1", "Many apps know only sha1, which is safe here.", choices=("sha1", "sha256", "sha512")
    )
    issuer: str = option("aad", "What the app calls the account, before the user's name.")

    def faults(self) -> Iterator[tuple[str, str]]:
        """Check the issuer too."""
        yield from super().faults()
        if not self.issuer.strip() or ":" in self.issuer:
            yield "issuer", "should be a name, without a colon"


class OathMethod(EnrolledCode):
    """Checks codes of a counter. Once a code was used, it and all before it are no longer good."""

    def __init__(self, settings: OathSettings, wiring: Wiring) -> None:
        """Ask as `settings` say. ValueError: without a vault."""
        super().__init__(settings, wiring)
        self._form = Form(settings.digits, settings.algorithm)

    @abstractmethod
    def counters(self, token: OtpToken) -> range:
        """Return the counters whose codes the user may be reading now."""

    def judged(self, user: User, held: Secret, answer: Answer) -> Verdict:
        """Find the counter that the code is of, and hold the next one from now on."""
        del user
        token = OtpToken.decoded(held)
        at = shown_at(token, answer, self.counters(token), self._form)
        if at is None:
            return Verdict(Failure(Reason.WRONG_CODE))
        if at < token.next:
            return Verdict(Failure(Reason.USED_CODE))
        return Verdict(Success(), OtpToken(token.secret, at + 1).encoded())
