"""The method hotp: codes of a key fob (RFC 4226), a new one each time its button is pressed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from aad.core.otp_token import Form, OtpToken
from aad.core.settings import option
from aad.methods.oath import OathMethod, OathSettings
from aad.ports import Wiring


@dataclass(frozen=True, kw_only=True)
class HotpSettings(OathSettings):
    """[methods.NAME] with type = "hotp"."""

    prompt: str = option("Enter the next code of your token", "What the user is asked.")
    wrong_prompt: str = option("Wrong code, or used before. Enter the next code of your token", "... once more.")
    look_ahead: int = option(10, "So many codes may have been shown and not used.", at_least=0, at_most=100)

    @property
    def form(self) -> Form:
        """How the codes are made: digits and algorithm."""
        return Form(self.digits, self.algorithm)


class Hotp(OathMethod):
    """Checks codes of a key fob: something the user has."""

    Settings: ClassVar[type] = HotpSettings

    def __init__(self, settings: HotpSettings, wiring: Wiring) -> None:
        """Ask as `settings` say. ValueError: without a vault."""
        super().__init__(settings, wiring)
        self._look_ahead = settings.look_ahead

    def counters(self, token: OtpToken) -> range:
        """Return the next counter and the look-ahead window (RFC 4226 7.4), and the last one used, to know it."""
        return range(max(0, token.next - 1), token.next + self._look_ahead + 1)
