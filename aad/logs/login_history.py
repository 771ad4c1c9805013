"""A user's last logins: how each ended, kept in the store for a while, for the user and the helpdesk.

Records pass through here on their way to the log; a task writes them to the store later, in batches. A name that no
user has leaves nothing: strangers can't fill the store. The history is shown and decides nothing, so it isn't signed: a
process that can write to the store can write a user's history.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import astuple, dataclass

from aad.core.identity import name_key
from aad.core.outcome import Reason
from aad.ports import Record, Store, Unavailable
from aad.storing import LARGEST_PASSING

KIND = "history"
TEST = "test of "  # the prefix of events that are only tests, which aren't remembered
EVERY = 0.5  # seconds in which records gather before they are written
MOST = 10_000  # ... of them; further ones aren't remembered
RACES = 5  # attempts where other nodes write of the same user at the same moment
LAST = 1 << 40  # seconds since 1970
_LONGEST = {"client": 64, "event": 64, "reason": 100, "reference": 16}  # characters, so that they fit the store
_FIELDS = {"client": "client", "event": "login_event", "reason": "reason", "reference": "login"}
_OUTCOMES = {"login.accepted": "accepted", "login.rejected": "rejected", "login.unavailable": "unavailable"}
_NOBODY = frozenset(
    {
        Reason.UNKNOWN_USER,
        Reason.AMBIGUOUS_USER,
        Reason.NAME_MANGLED,
        Reason.UNREADABLE,
        Reason.TOO_MANY_WAITING,
        Reason.STATE_UNKNOWN,
        Reason.STATE_MALFORMED,
        Reason.OTHER_USER,
    }
)
"""Reasons for which the name may be of no user."""


@dataclass(frozen=True)
class PastLogin:
    """One login that has ended. `at`: seconds since 1970; `outcome`: "accepted", "rejected" or "unavailable"."""

    at: int
    client: str
    event: str
    outcome: str
    reason: str
    reference: str


class LoginHistory:
    """A `ports.Record` that passes records on, and remembers the ends of logins."""

    def __init__(self, pass_on: Record, *, most: int, lasts: float) -> None:
        """Remember `most` logins of each user, for `lasts` seconds."""
        self._pass_on = pass_on
        self._most = most
        self._lasts = lasts
        self._waiting: list[tuple[str, float, Mapping[str, object]]] = []
        self._any, self._leaving = asyncio.Event(), asyncio.Event()

    def __call__(self, name: str, /, **fields: object) -> None:
        """Pass a record on, and remember it if a login ends with it."""
        self._pass_on(name, **fields)
        if name in _OUTCOMES and len(self._waiting) < MOST:
            self._waiting.append((_OUTCOMES[name], time.time(), fields))
            self._any.set()

    @asynccontextmanager
    async def kept_in(self, store: Store) -> AsyncIterator[None]:
        """Write to the store in a task, as long as the context lasts."""
        task = asyncio.create_task(self._write(store), name="history")
        try:
            yield
        finally:
            self._leaving.set()
            self._any.set()
            await task
            self._leaving.clear()

    async def _write(self, store: Store) -> None:
        while True:
            await self._any.wait()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._leaving.wait(), EVERY)
            await self._written(store)
            if self._leaving.is_set():
                return

    async def _written(self, store: Store) -> None:
        self._any.clear()
        found, self._waiting = self._waiting, []
        by_user: dict[str, list[PastLogin]] = defaultdict(list)
        for outcome, at, fields in found:
            reason = str(fields.get("reason", "")).partition(":")[0]
            if reason not in _NOBODY and not str(fields.get("login_event", "")).startswith(TEST):
                by_user[name_key(str(fields.get("user", "")))].append(_past(outcome, at, fields))
        for key, news in by_user.items():
            with suppress(Unavailable):  # reported where the store is needed; the login isn't remembered
                await self._add(store, key, news)

    async def _add(self, store: Store, key: str, news: Sequence[PastLogin]) -> None:
        for _ in range(RACES):
            kept = await store.get_expiring(KIND, key)
            # Any name is locked out after some failures: a lockout alone doesn't prove that the user exists.
            if kept is None and all(past.reason == Reason.LOCKED for past in news):
                return
            least = time.time() - self._lasts
            everything = [past for past in (*news[::-1], *_read(kept)) if past.at >= least][: self._most]
            if await store.compare_and_set_expiring(KIND, key, kept, _encoded(everything), store.now() + self._lasts):
                return


async def last_logins(store: Store, key: str) -> list[PastLogin]:
    """Return a user's last logins, the latest first. `key`: `name_key` of the name. Unavailable."""
    return _read(await store.get_expiring(KIND, key))


def _past(outcome: str, at: float, fields: Mapping[str, object]) -> PastLogin:
    said = {key: str(fields.get(field, ""))[: _LONGEST[key]] for key, field in _FIELDS.items()}
    return PastLogin(at=int(at), outcome=outcome, **said)


def _encoded(everything: Sequence[PastLogin]) -> bytes:
    rows = [astuple(past) for past in everything]
    while len(octets := json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode()) > LARGEST_PASSING:
        rows.pop()
    return octets


def _read(kept: bytes | None) -> list[PastLogin]:
    """Return the logins of a stored value; none if another program wrote it."""
    try:
        found = [PastLogin(*each) for each in json.loads(kept)] if kept else []
        return found if all(_sound(past) for past in found) else []
    except (TypeError, ValueError, RecursionError):
        return []


def _sound(past: PastLogin) -> bool:
    """Return whether it can be shown. TypeError, ValueError: it can't."""
    at, *texts = astuple(past)
    "".join(texts).encode()
    return type(at) is int and 0 <= at < LAST and past.outcome in _OUTCOMES.values()
