"""The texts of pages, in the language of the user or their browser."""

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
    """Looks up texts of one language."""

    def __call__(self, key: str, /, **values: object) -> str:
        """Return the text of a key, its macros filled in. KeyError: there is none."""


def saying(language: str) -> Say:
    """Return the look-up of texts in a language."""
    table = texts.portal(language)
    return lambda key, /, **values: table[key].format(**values)


def suitable(user: str, browser: str, default: str) -> str:
    """Return the language of a page: the user's, by their repository, else their browser's. Both may be empty."""
    return lookup(user, texts.LANGUAGES, "") or lookup(browser, texts.LANGUAGES, default)


def why(reason: str, say: Say) -> str:
    """Return why the user's own test failed: they have proved who they are, and may know."""
    return say(f"why_{_WHY.get(Reason(reason), 'other') if reason in set(Reason) else 'other'}")
