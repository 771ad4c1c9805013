"""What somebody who is refused learns, by whichever front he came: words, and how late they come."""

from __future__ import annotations

from aad.core.conversation import Rejected
from aad.core.outcome import Reason

JITTER = 0.25  # of the delay, added at random
_TOLD: dict[str, str] = {
    Reason.PASSWORD_EXPIRED: "Your password has expired.",
    Reason.PASSWORD_MUST_CHANGE: "Your password must be changed.",
    Reason.ACCOUNT_DISABLED: "Your account is disabled.",
    Reason.ACCOUNT_EXPIRED: "Your account has expired.",
    Reason.LOGIN_HOURS: "You may not log in at this time.",
    Reason.LOGIN_PLACE: "You may not log in from here.",
}


def words(message: str, rejected: Rejected, *, telling: bool) -> str:
    """Return what he reads: `message`, whatever the reason; more where his event is `telling` and he proved it is he.

    What a stranger can learn is nothing.
    """
    told = _TOLD.get(rejected.reason, "") if rejected.proven and telling else ""
    return f"{message} {told}" if told else message


def delay(least: float, random: float) -> float:
    """Return how many seconds after the request a refusal leaves. `random`: from 0 to 1; the jitter hides the rest."""
    return least * (1 + JITTER * random)


def latest(least: float) -> float:
    """Return how many seconds after its request a refusal leaves at the latest."""
    return delay(least, 1.0)
