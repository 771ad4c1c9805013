"""The log records of one login: one for each transition, so that the log is the conversation."""

from __future__ import annotations

import time
from typing import Any

from aad.core.conversation import Rejected
from aad.core.identity import Attempt
from aad.core.outcome import Challenge, Fact, Failure, Outcome, Reason, Success
from aad.ports import Record


class LoginLog:
    """Writes the records of one login: every one has its reference, user, client and event.

    `began`: when the request came, in `time.monotonic()` seconds.
    """

    def __init__(self, record: Record, reference: str, attempt: Attempt) -> None:
        """Start the clock of this request."""
        self._record = record
        self.reference = reference
        self._known = {
            "login": reference,
            "user": attempt.name,
            "client": attempt.client,
            "login_event": attempt.event,
        }
        self.began = time.monotonic()

    def set_reference(self, reference: str) -> None:
        """Write what follows under the reference of a login that was begun before."""
        self.reference = self._known["login"] = reference

    def user(self, name: str) -> None:
        """Write what follows under the user's name as the repository spells it: one person is one name in the log."""
        self._known["user"] = name

    def write(self, name: str, **fields: object) -> None:
        """Write one record."""
        self._record(name, **self._known, **fields)

    def end(self, name: str, **fields: object) -> None:
        """Write one record with `ms`, the time from the beginning of the request until now."""
        self.write(name, ms=(time.monotonic() - self.began) * 1000, **fields)

    def rejected(self, rejected: Rejected) -> Rejected:
        """Write that and why the user isn't let in; return it."""
        self.end("login.rejected", reason=": ".join(filter(None, (rejected.reason, rejected.because))))
        return rejected

    def locked(self, row: str, failures: int) -> None:
        """Write that the user is locked out from now on. `row`: of what; `failures`: how many of them."""
        self.write("user.locked", row=row, reason=f"{failures} wrong {row} in a row")

    def facts(self, facts: tuple[Fact, ...]) -> None:
        """Write what happened on the way."""
        for fact in facts:
            self.write(fact.name, **fact.fields)

    def outcome(self, proves: str, outcome: Outcome[Any], *, answered: bool, began: float) -> None:
        """Write a method's outcome: its facts, and its verdict on what the user gave, if they gave anything."""
        self.facts(outcome.facts)
        milliseconds = (time.monotonic() - began) * 1000
        if isinstance(outcome, Success):
            self.write(f"{proves}.accepted", ms=milliseconds)
        elif isinstance(outcome, Failure) and answered:
            verdict = "expired" if outcome.reason == Reason.EXPIRED else "refused"
            self.write(f"{proves}.{verdict}", reason=outcome.reason, ms=milliseconds)
        elif isinstance(outcome, Challenge) and outcome.wrong:
            self.write(f"{proves}.refused", reason=outcome.because, ms=milliseconds)
