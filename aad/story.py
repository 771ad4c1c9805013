"""The records of one login: one for each transition, so that the log is the conversation."""

from __future__ import annotations

import time

from aad.core.identity import Attempt
from aad.ports import Record


class Story:
    """Writes the records of one login: every one has its reference, user, client and event."""

    def __init__(self, record: Record, reference: str, attempt: Attempt) -> None:
        """Begin the story; its clock runs from now."""
        self._record = record
        self.reference = reference
        self._known = {
            "login": reference,
            "user": attempt.name,
            "client": attempt.endpoint,
            "login_event": attempt.event,
        }
        self._began = time.monotonic()

    def continues(self, reference: str) -> None:
        """Go on as the story of a login that was begun before."""
        self.reference = self._known["login"] = reference

    def tell(self, name: str, **fields: object) -> None:
        """Write one record."""
        self._record(name, **self._known, **fields)

    def end(self, name: str, **fields: object) -> None:
        """Write one record that says how long it took until here."""
        self.tell(name, ms=(time.monotonic() - self._began) * 1000, **fields)
