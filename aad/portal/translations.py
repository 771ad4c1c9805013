"""What a page says, in one language."""

from __future__ import annotations

from typing import Protocol

from aad import texts
from aad.core.language import lookup
from aad.core.outcome import Reason

_WHY = {
    Reason.NO_ADDRESS: "no_address",
    Reason.MAIL_LIMIT: "mail_limit",
    Reason.ADDRESS_REFUSED: "address_refused",
    Reason.NOT_ENROLLED: "not_enrolled",
    Reason.LOCKED: "locked",
    Reason.LOCKED_CODES: "locked",
    Reason.LOCKED_UNPROVEN: "locked",
    Reason.WRONG_CODE: "wrong_code",
    Reason.USED_CODE: "wrong_code",
    Reason.EXPIRED: "expired",
}


class Say(Protocol):
    """Says things in one language."""

    def __call__(self, key: str, /, **values: object) -> str:
        """Return the text of a key, its macros filled in. KeyError: there is none."""


def saying(language: str) -> Say:
    """Return what says things in a language."""
    said = texts.portal(language)
    return lambda key, /, **values: said[key].format(**values)


def suitable(user: str, browser: str, default: str) -> str:
    """Return the language of a page: the user's, as his repository has it, else his browser's. Both may be empty."""
    return lookup(user, texts.LANGUAGES, "") or lookup(browser, texts.LANGUAGES, default)


def why(reason: str, say: Say) -> str:
    """Say why the user's own test failed: he has proved who he is, and may know."""
    return say(f"why_{_WHY.get(Reason(reason), 'other') if reason in set(Reason) else 'other'}")
