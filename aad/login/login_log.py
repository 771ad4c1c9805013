"""The records of one login: one for each transition, so that the log is the conversation."""

from __future__ import annotations

import time
from typing import Any

from aad.core.identity import Attempt
from aad.core.outcome import Challenge, Fact, Failure, Outcome, Reason, Success
from aad.ports import Record


class LoginLog:
    """Writes the records of one login: every one has its reference, user, client and event."""

    def __init__(self, record: Record, reference: str, attempt: Attempt) -> None:
        """Begin the story; its clock runs from now."""
        self._record = record
        self.reference = reference
        self._known = {
            "login": reference,
            "user": attempt.name,
            "client": attempt.client,
            "login_event": attempt.event,
        }
        self.began = time.monotonic()

    def continues(self, reference: str) -> None:
        """Go on as the story of a login that was begun before."""
        self.reference = self._known["login"] = reference

    def user(self, name: str) -> None:
        """Go on with the user's name as the repository spells it: one person is one name in the log."""
        self._known["user"] = name

    def tell(self, name: str, **fields: object) -> None:
        """Write one record."""
        self._record(name, **self._known, **fields)

    def end(self, name: str, **fields: object) -> None:
        """Write one record that says how long it took until here."""
        self.tell(name, ms=(time.monotonic() - self.began) * 1000, **fields)

    def locked(self, row: str, failures: int) -> None:
        """Write that the user is locked out from now on. `row`: of what; `failures`: how many of them."""
        self.tell("user.locked", row=row, reason=f"{failures} wrong {row} in a row")

    def facts(self, facts: tuple[Fact, ...]) -> None:
        """Write what happened on the way."""
        for fact in facts:
            self.tell(fact.name, **fact.fields)

    def outcome(self, proves: str, outcome: Outcome[Any], *, answered: bool, began: float) -> None:
        """Write what a method said: its facts, and its verdict on what the user gave, if he gave anything."""
        self.facts(outcome.facts)
        milliseconds = (time.monotonic() - began) * 1000
        if isinstance(outcome, Success):
            self.tell(f"{proves}.accepted", ms=milliseconds)
        elif isinstance(outcome, Failure) and answered:
            verdict = "expired" if outcome.reason == Reason.EXPIRED else "refused"
            self.tell(f"{proves}.{verdict}", reason=outcome.reason, ms=milliseconds)
        elif isinstance(outcome, Challenge) and outcome.wrong:
            self.tell(f"{proves}.refused", reason=outcome.because, ms=milliseconds)
