"""Rows of failures: how many wrong passwords or codes lock a user out, and for how long.

1. Each user has three rows (`Kind`): wrong passwords; wrong codes after a proven password; wrong codes that came
   before any password was proven. So strangers, who know no password, can't lock the second row.
2. A guess is counted before it is compared (`counted`), and taken back if it was right or could not be compared
   (`taken_back`). So no number of guesses at the same moment gets past a row.
3. `attempts` wrong ones lock. A row of passwords ends by itself, `period` after its last wrong one. A row of codes
   doesn't end by time (NIST SP 800-63B 3.2.2): each lock lasts twice as long as the one before, `longest` at most, and
   with `for_good` wrong ones until an administrator ends it (RFC 4226 7.3).
4. The same wrong password again is one guess: of each, 24 bits of a keyed digest are kept as long as its row.

All times are seconds of the store's clock, and come in as `now`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

from aad.core.outcome import Reason
from aad.core.secret import Secret

DIGEST_OCTETS = 3
_UNREADABLE = 2**31  # wrong ones, more than any `for_good`
_BETWEEN = "\0"
MOST_DOUBLINGS = 64  # far more than any `longest` needs


class Kind(StrEnum):
    """What was wrong in a row's guesses."""

    PASSWORDS = "passwords"
    CODES = "codes"
    UNPROVEN = "unproven codes"

    @property
    def reason(self) -> Reason:
        """Why a user is refused while this row is locked."""
        return _REASONS[self]


_REASONS = {
    Kind.PASSWORDS: Reason.LOCKED,
    Kind.CODES: Reason.LOCKED_CODES,
    Kind.UNPROVEN: Reason.LOCKED_UNPROVEN,
}


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The values of [lockout], whose keys `config/sections.py` defines. `period` and `longest`: seconds."""

    attempts: int = 3
    period: float = 300.0
    longest: float = 86_400.0
    for_good: int = 100

    def lasts(self, count: int) -> float:
        """Return how many seconds the lock lasts that `count` wrong codes make; 0: they make none."""
        if count % self.attempts and count < max(self.for_good, self.attempts):
            return 0.0
        doublings = min(max(count // self.attempts - 1, 0), MOST_DOUBLINGS)
        return min(self.period * float(2**doublings), max(self.longest, self.period))


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row: `count` wrong ones since `since`. `until`: when the lock ends; of passwords, when the row ends.

    A row with `count` 0 records when the last one was ended: `since`.
    """

    kind: Kind
    count: int = 0
    since: float = 0.0
    until: float = 0.0
    digests: tuple[str, ...] = ()

    def at(self, now: float) -> Row:
        """Return the row as it is now: of passwords that ended, an empty one."""
        over = self.kind is Kind.PASSWORDS and now >= self.until
        return Row(kind=self.kind) if over else self

    def locked(self, now: float, rules: Rules) -> float:
        """Return until when it is locked, `math.inf` for good; 0: it isn't."""
        if self.kind is Kind.PASSWORDS:
            return self.until if self.count >= rules.attempts and now < self.until else 0.0
        if self.count >= max(rules.for_good, rules.attempts):
            return math.inf
        return self.until if now < self.until else 0.0

    def counted(self, now: float, rules: Rules) -> Row | None:
        """Return the row with one more wrong guess; None: it is locked."""
        row = self.at(now)
        if row.locked(now, rules):
            return None
        count, since = row.count + 1, row.since if row.count else now
        lasts = rules.period if row.kind is Kind.PASSWORDS else rules.lasts(count)
        return replace(row, count=count, since=since, until=now + lasts if lasts else row.until)

    def taken_back(self, before: Row, counted: Row, rules: Rules) -> Row:
        """Return the row with the guess taken back that made `counted` of `before`; as it is, if that one has ended."""
        if not self.count or self.since != counted.since:
            return self
        if self.count == 1:
            return Row(kind=self.kind)
        until = self.until
        if self.kind is Kind.PASSWORDS:
            until = before.until if until == counted.until and before.count else until
        elif rules.lasts(self.count):
            until = 0.0  # the lock that this guess completed
        return replace(self, count=self.count - 1, until=until)

    def knows(self, digest: str) -> bool:
        """Say whether the password of this digest was wrong before in this row."""
        return digest in self.digests

    def with_digest(self, digest: str) -> Row:
        """Return the row that knows one wrong password more."""
        return replace(self, digests=(*self.digests, digest))

    def kept(self) -> tuple[bytes | None, float]:
        """Return what a store keeps of it (None: nothing), and until when; a row of codes is kept for good."""
        if not self.count:
            return None, 0.0
        return self.encoded(), self.until if self.kind is Kind.PASSWORDS else math.inf

    def encoded(self) -> bytes:
        """Return it as JSON, without what is empty."""
        known = {name: value for name, value in vars(self).items() if name != "kind" and value}
        return json.dumps(known).encode()

    @classmethod
    def decoded(cls, kind: Kind, kept: bytes | None) -> Self:
        """Read what `encoded` wrote; None: an empty row. What can't be read becomes a row that is locked for good."""
        if kept is None:
            return cls(kind=kind)
        try:
            data = json.loads(kept)
            numbers = {name: data.get(name, 0) for name in ("count", "since", "until")}
            readable = all(isinstance(value, int | float) and value >= 0 for value in numbers.values())
            digests = tuple(map(str, data.get("digests", ())))
        except (ValueError, TypeError, AttributeError, RecursionError):
            readable = False
        if not readable:
            return cls(kind=kind, count=_UNREADABLE, until=math.inf)
        return cls(kind=kind, digests=digests, **numbers)


def row_name(kind: Kind, repository: str, key: str) -> str:
    """Return the name of a user's row. `key`: the user's name, folded."""
    return _BETWEEN.join((kind, repository, key))


def kind_of(name: str) -> Kind:
    """Return the kind of the row by this name. ValueError: `row_name` made no such name."""
    return Kind(name.partition(_BETWEEN)[0])


def split_row_name(name: str) -> tuple[Kind, str, str] | None:
    """Return the kind, repository and user's key that `row_name` made a name of. None: it made no such name."""
    match name.split(_BETWEEN):
        case [kind, repository, key] if kind in set(Kind):
            return Kind(kind), repository, key
    return None


def digest(key: Secret, name: str, since: float, password: Secret, by: str = "") -> str:
    """Return what is kept of a wrong password, in hex: keyed to user and row, and too short to tell it from others.

    `key`: the installation's; `name`: the row's; `since`: when it began; `by`: the method that called it wrong, as it
    may be right for another; empty: the user's repository.
    """
    bound = json.dumps([name, since, by]).encode()
    derived = hmac.digest(key.reveal(), b"aad wrong password\0" + bound, hashlib.sha256)
    return hmac.digest(derived, password.reveal(), hashlib.sha256)[:DIGEST_OCTETS].hex()


def marked(key: Secret, names: Sequence[str], password: Secret) -> str:
    """Return a keyed digest of a password as typed, in hex. `names`: event, repository and user it was typed for."""
    derived = hmac.digest(key.reveal(), b"aad decoy\0" + json.dumps(list(names)).encode(), hashlib.sha256)
    return hmac.digest(derived, password.reveal(), hashlib.sha256)[:16].hex()


def merged(kind: Kind, rows: Sequence[Row]) -> Row:
    """Return one row for several of the same user that were kept apart: nothing that was counted is lost."""
    since = min((row.since for row in rows if row.count), default=0.0)
    digests = tuple(dict.fromkeys(each for row in rows for each in row.digests))
    until = max(row.until for row in rows)
    return Row(kind=kind, count=sum(row.count for row in rows), since=since, until=until, digests=digests)
