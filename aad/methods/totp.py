"""The method totp: codes of an authenticator app (RFC 6238), a new one every 30 seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from aad.core.otp_token import Form, OtpToken
from aad.core.settings import Duration, option
from aad.methods.oath import OathMethod, OathSettings
from aad.ports import Wiring


@dataclass(frozen=True, kw_only=True)
class TotpSettings(OathSettings):
    """[methods.NAME] with type = "totp"."""

    prompt: str = option("Enter the code that your app shows", "What the user is asked.")
    wrong_prompt: str = option("Wrong code, or used before. Enter the code that your app shows now", "... once more.")
    step: Duration = option(
        Duration(30.0), "How long the app shows a code; many know only 30s.", at_least=15.0, at_most=120.0
    )
    skew: int = option(1, "So many steps a phone's clock may be off, either way.", at_least=0, at_most=5)

    def faults(self) -> Iterator[tuple[str, str]]:
        """Check the step too: apps count in whole seconds."""
        yield from super().faults()
        if self.step % 1:
            yield "step", "should be whole seconds"

    @property
    def form(self) -> Form:
        """How the codes are made: digits, algorithm and step."""
        return Form(self.digits, self.algorithm, int(self.step))


class Totp(OathMethod):
    """Checks codes of an authenticator app: something the user has, the secret in their phone.

    The only method that reads the wall clock, since the phone does. Set back, it makes no used code good again; set
    ahead while a code is used, it makes the codes until then used ones.
    """

    Settings: ClassVar[type] = TotpSettings

    def __init__(self, settings: TotpSettings, wiring: Wiring, clock: Callable[[], float] = time.time) -> None:
        """Ask as `settings` say; `clock`: seconds since 1970. ValueError: without a vault."""
        super().__init__(settings, wiring)
        self._settings = settings
        self._clock = clock

    def counters(self, token: OtpToken) -> range:
        """Return the current time step, and `skew` before and after it (RFC 6238 5.2)."""
        del token
        now, skew = int(self._clock() // self._settings.step), self._settings.skew
        return range(max(0, now - skew), now + skew + 1)
