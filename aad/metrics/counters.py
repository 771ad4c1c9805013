"""Counts records on their way to the log, in plain numbers. Labels have only values known beforehand. PURE.

Engine and fronts write one record for each transition, so counting the records counts logins, challenges and mails. A
record costs a microsecond or two here; text is made of them only when a page is asked for (`families`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from aad.core.outcome import Reason
from aad.core.row import Kind
from aad.ports import Record

OTHER = "other"
"""Stands for all values not known beforehand: a stranger's words never become a label."""

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)  # seconds
SESSIONS = ("started", "updated", "stopped")
VERDICTS = ("accepted", "refused", "expired")
FATES = ("sent", "queued", "deferred", "failed")
_REASONS = {reason.value: reason.value for reason in Reason}
_UNKNOWN = (OTHER, OTHER)
_Fields = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Names:
    """The names in the configuration in force. `clients`: client -> its event; `back_ends`: kind and name.

    `proofs`: what its methods prove, of "password" and "code".
    """

    clients: Mapping[str, str]
    senders: tuple[str, ...]
    proofs: frozenset[str]
    back_ends: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Times:
    """A histogram of durations: one count for each of BUCKETS, the last one for what took longer; `total` seconds."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    total: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.total += seconds


class Counters:
    """A `ports.Record` that counts each record, and passes it on."""

    def __init__(self, pass_on: Record) -> None:
        """Pass records on to `pass_on`. No name is known before `follow`."""
        self._pass_on = pass_on
        self._count: dict[str, Callable[[_Fields], None]] = {}
        self._client_events: dict[tuple[object, object], tuple[str, str]] = {}
        self._names = Names(clients={}, senders=(), proofs=frozenset(), back_ends=())
        self.logins: Counter[tuple[str, str, str, str]] = Counter()  # outcome, reason, client, event
        self.challenges: Counter[tuple[str, str]] = Counter()  # client, event
        self.lockouts: Counter[tuple[str, str, str]] = Counter()
        self.sessions: Counter[tuple[str, str, str]] = Counter()  # what, client, event
        self.answers: Counter[tuple[str, str]] = Counter()  # what is proved, verdict
        self.mails: Counter[tuple[str, str]] = Counter()  # sender, fate
        self.times: dict[str, Times] = {}  # by step
        self.up: dict[tuple[str, str], bool] = {}  # kind and name of a back end
        self.faults = 0
        self.uncounted = 0

    def __call__(self, name: str, /, **fields: object) -> None:
        """Write the record, and count it."""
        self._pass_on(name, **fields)
        count = self._count.get(name)
        if count is not None:
            try:
                count(fields)
            except Exception:  # noqa: BLE001 - a plugin's fact may hold anything; no login fails for not being counted
                self.uncounted += 1

    def follow(self, names: Names) -> None:
        """Take new names. What has been counted stays; what has a fixed set of labels is there from the start, at 0."""
        self._names = names
        self._client_events |= {
            pair: pair for pair in names.clients.items()
        }  # some logins of the old ones are in progress
        # A server's state is kept by its repository, which is new; that of all else outlives a configuration.
        self.up = {each: each[0] == "server" or self.up.get(each, True) for each in names.back_ends}
        self._count = dict(self._counters())
        for pair in names.clients.items():
            for outcome in ("started", "accepted", "unavailable"):
                self.logins[outcome, "", *pair] += 0
            self.challenges[pair] += 0
            for row in Kind:
                self.lockouts[(row, *pair)] += 0
            for what in SESSIONS:
                self.sessions[(what, *pair)] += 0
        for sender in names.senders:
            for fate in FATES:
                self.mails[sender, fate] += 0
        self.mails["", "refused"] += 0
        for proof in names.proofs:
            for verdict in VERDICTS:
                self.answers[proof, verdict] += 0
        for step in ("password", "mail", "challenge", "accept", "reject"):
            self.times.setdefault(step, Times())

    def _counters(self) -> Iterator[tuple[str, Callable[[_Fields], None]]]:
        """Yield the name of each record that is counted, and what counts it."""
        yield "login.started", partial(self._login, "started", "")
        yield "login.accepted", partial(self._login, "accepted", "accept")
        yield "login.rejected", self._rejected
        yield "login.unavailable", partial(self._login, "unavailable", "")
        yield "challenge.sent", self._challenge
        yield "user.locked", self._lockout
        for what in SESSIONS:
            yield f"session.{what}", partial(self._session, what)
        yield "fault", self._fault
        for fate in FATES:
            yield f"mail.{fate}", partial(self._mail, fate)
        yield "mail.refused", partial(self._mail, "refused")
        for proof in self._names.proofs:
            for verdict in VERDICTS:
                yield f"{proof}.{verdict}", partial(self._answer, proof, verdict)
        for kind in {kind for kind, _ in self.up}:
            yield f"{kind}.down", partial(self._back_end, kind, False)
            yield f"{kind}.up", partial(self._back_end, kind, True)

    def _login(self, outcome: str, step: str, fields: _Fields) -> None:
        self.logins[outcome, "", *self._client_event(fields)] += 1
        if step:
            self._took(step, fields)

    def _rejected(self, fields: _Fields) -> None:
        reason = fields["reason"]
        word = _REASONS.get(reason) or _REASONS.get(reason.partition(":")[0], OTHER)
        self.logins["rejected", word, *self._client_event(fields)] += 1
        self._took("reject", fields)

    def _challenge(self, fields: _Fields) -> None:
        self.challenges[self._client_event(fields)] += 1
        self._took("challenge", fields)

    def _lockout(self, fields: _Fields) -> None:
        self.lockouts[(fields.get("row", OTHER), *self._client_event(fields))] += 1

    def _session(self, what: str, fields: _Fields) -> None:
        self.sessions[(what, *self._client_event(fields))] += 1

    def _fault(self, _fields: _Fields) -> None:
        self.faults += 1

    def _answer(self, proof: str, verdict: str, fields: _Fields) -> None:
        self.answers[proof, verdict] += 1
        if proof == "password":
            self._took("password", fields)

    def _mail(self, fate: str, fields: _Fields) -> None:
        sender = fields.get("sender", "")
        self.mails[sender if not sender or sender in self._names.senders else OTHER, fate] += 1
        if fate != "queued":  # its fate follows
            self._took("mail", fields)

    def _back_end(self, kind: str, up: bool, fields: _Fields) -> None:  # noqa: FBT001 - bound by `partial`
        which = (kind, fields.get(kind, kind))
        if which in self.up:
            self.up[which] = up

    def _client_event(self, fields: _Fields) -> tuple[str, str]:
        return self._client_events.get((fields.get("client"), fields.get("login_event")), _UNKNOWN)

    def _took(self, step: str, fields: _Fields) -> None:
        milliseconds = fields.get("ms")
        if milliseconds is not None:
            self.times[step].add(milliseconds / 1000)
