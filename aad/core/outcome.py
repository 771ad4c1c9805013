"""The outcomes of a method: Success, Failure with a reason, or Challenge; each with facts for the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, TypeVar

Memo = TypeVar("Memo")


class Reason(StrEnum):
    """Why a login was refused, for the log; the user sees one text for all, but see `Failure.proven`."""

    UNKNOWN_USER = "unknown user"
    AMBIGUOUS_USER = "several users have this name"
    NO_CHAIN = "no chain of the event is for this user"
    EMPTY_PASSWORD = "empty password"
    WRONG_PASSWORD = "wrong password"
    PASSWORD_UNREADABLE = "CHAP or MS-CHAP instead of a password that the repository could check"
    NOT_IN_FILE = "no password in the file"
    ACCOUNT_DISABLED = "account disabled"
    ACCOUNT_EXPIRED = "account expired"
    ACCOUNT_LOCKED = "account locked in the directory"
    ACCOUNT_BARRED = "barred by the repository"
    ACCOUNT_UNKNOWN = "unknown whether the account is disabled"
    LOGIN_HOURS = "not allowed to log in at this time"
    LOGIN_PLACE = "not allowed to log in from here"
    PASSWORD_EXPIRED = "password expired"
    PASSWORD_MUST_CHANGE = "password must be changed"
    NO_ADDRESS = "no usable address"
    ADDRESS_REFUSED = "address refused by the mail server"
    MAIL_LIMIT = "mail limit reached"
    WRONG_PASSWORD_AGAIN = "the same wrong password again"
    LOCKED = "locked out by wrong passwords"
    LOCKED_CODES = "locked out by wrong codes"
    LOCKED_UNPROVEN = "locked out by wrong codes without a password"
    WRONG_CODE = "wrong code"
    USED_CODE = "code used before"
    NOT_ENROLLED = "not enrolled for this method"
    FOREIGN_SEAL = "enrolled with another installation's key"
    EXPIRED = "answered too late"
    STATE_UNKNOWN = "unknown, expired or used State"
    STATE_MALFORMED = "empty or doubled State"
    OTHER_USER = "State of another user"
    OTHER_ENDPOINT = "State of another client or event"
    NOT_GRANTED = "what the client would have to be told of the user can't be said"
    NO_CHOICE = "none of the chains offered"
    TOO_MANY_WAITING = "too many logins are waiting"
    DECOY = "an answer to a decoy"
    TOO_MANY_CHALLENGES = "too many challenges of this user are waiting"
    NO_PASSWORD = "no password in the request"
    UNSUPPORTED = "a way to log in that is not supported"
    UNREADABLE = "unreadable octets, and nothing proves the shared secret"
    UPSTREAM_CHALLENGE = "the other RADIUS server wants more than a password"
    NAME_MANGLED = "name or password was replaced by sshd, who doesn't know the user"


LOCKED = frozenset({Reason.LOCKED, Reason.LOCKED_CODES, Reason.LOCKED_UNPROVEN})
"""Refusals because of failures before."""

UNCOUNTED = frozenset(
    {
        Reason.NO_CHAIN,
        Reason.ACCOUNT_BARRED,
        Reason.ACCOUNT_UNKNOWN,
        Reason.NO_CHOICE,
        Reason.NOT_GRANTED,
        Reason.EMPTY_PASSWORD,
        Reason.NO_PASSWORD,
        Reason.PASSWORD_UNREADABLE,
        Reason.NAME_MANGLED,
        Reason.UNSUPPORTED,
        Reason.UNREADABLE,
        Reason.UPSTREAM_CHALLENGE,
        Reason.NO_ADDRESS,
        Reason.NOT_ENROLLED,
        Reason.FOREIGN_SEAL,
        Reason.ADDRESS_REFUSED,
        Reason.MAIL_LIMIT,
        Reason.TOO_MANY_WAITING,
        Reason.TOO_MANY_CHALLENGES,
        Reason.DECOY,
        *LOCKED,
        Reason.WRONG_PASSWORD_AGAIN,
        Reason.EXPIRED,
    }
)
"""Refusals that are no guess at a password or a code: they don't count towards lockout."""


@dataclass(frozen=True, kw_only=True)
class Fact:
    """Something that happened on the way and belongs in the log: `mail.sent` and what is known of it."""

    name: str
    fields: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Success:
    """The user has proved what this method asks."""

    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True)
class Failure:
    """The user has not. `reason` is a `Reason`, or a plugin's own words.

    `proven`: what they gave was right, and they are refused all the same (their password has expired): so it was no
    guess, and they may be told. Danger: a plugin that isn't sure of it tells a stranger about another user's account.
    """

    reason: str
    facts: tuple[Fact, ...] = ()
    proven: bool = False


@dataclass(frozen=True, kw_only=True)
class Challenge(Generic[Memo]):
    """The user is asked. `memo` comes back with the answer.

    `expires`: until when an answer is good, in seconds of the clock that `now` comes from.
    `fresh_until`: a login begun again before that gets this same challenge instead of a new one.
    `because`: the reason why the user is asked once more, for the log; empty for the first time.
    `wrong`: the user is asked once more since the answer was wrong.
    `values`: what `prompt` was made of, by macro (`macros.PROMPT`), for a front that writes a prompt of its own; empty:
    it can't.
    """

    prompt: str
    memo: Memo
    expires: float
    fresh_until: float
    because: str = ""
    wrong: bool = False
    facts: tuple[Fact, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)


Outcome = Success | Failure | Challenge[Memo]


def guessed(outcome: Outcome[Any]) -> bool:
    """Say whether what the user gave was a wrong guess at a password or a code, which counts towards lockout."""
    if isinstance(outcome, Failure):
        return not outcome.proven and outcome.reason not in UNCOUNTED
    return isinstance(outcome, Challenge) and outcome.wrong
