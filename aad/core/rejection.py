"""The text and the delay of a rejection, the same at every front."""

from __future__ import annotations

from aad.core.conversation import Rejected
from aad.core.outcome import Reason

JITTER = 0.25  # of the delay, added at random
_TEXTS: dict[str, str] = {
    Reason.PASSWORD_EXPIRED: "Your password has expired.",
    Reason.PASSWORD_MUST_CHANGE: "Your password must be changed.",
    Reason.ACCOUNT_DISABLED: "Your account is disabled.",
    Reason.ACCOUNT_EXPIRED: "Your account has expired.",
    Reason.LOGIN_HOURS: "You may not log in at this time.",
    Reason.LOGIN_PLACE: "You may not log in from here.",
}


def words(message: str, rejected: Rejected, *, telling: bool) -> str:
    """Return what the user reads: `message`, whatever the reason; more if the event is `telling` and they are proven.

    So a stranger learns nothing.
    """
    more = _TEXTS.get(rejected.reason, "") if rejected.proven and telling else ""
    return f"{message} {more}" if more else message


def delay(least: float, random: float) -> float:
    """Return how many seconds after its request a rejection leaves, so that its time says nothing.

    `least`: seconds that every rejection takes. `random`: from 0 to 1, for the jitter, which hides the rest.
    """
    return least * (1 + JITTER * random)


def latest(least: float) -> float:
    """Return how many seconds after its request a rejection leaves at the latest."""
    return delay(least, 1.0)
