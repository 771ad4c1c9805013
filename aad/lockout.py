"""Locks out a user, in one event, after so many failed logins in a row; survives a restart."""

from __future__ import annotations

from aad.ports import Store, Tally, Unavailable

KIND = "lockout"
OWED = 10_000  # users, at most, whose failures could not be taken back
ALL = float("inf")


class Lockout:
    """Counts failed logins by user and event. A failure is counted before it is known, and taken back if it wasn't.

    So a thousand guesses at once cost the directory no more binds than `attempts`.
    """

    def __init__(self, store: Store, attempts: int, period: float) -> None:
        """Lock after `attempts` failures, for `period` seconds after the last one."""
        self._store = store
        self._attempts = attempts
        self._period = period
        self._owed: dict[tuple[str, str], tuple[float, float]] = {}  # how many, and until when they count

    async def count(self, event: str, key: str) -> int:
        """Count a failure and return how many that makes. 0: the user is locked already, and nothing was counted."""
        if owed := self._owed.pop((event, key), None):
            await self._pay(event, key, *owed)
        tally = Tally(kind=KIND, scope=event, name=key, count=1, until=self._store.now() + self._period)
        return await self._store.spend(tally, self._attempts, extend=True)

    def locks(self, failures: int) -> bool:
        """Say whether so many failures lock the user."""
        return failures >= self._attempts

    async def take_back(self, event: str, key: str) -> None:
        """Count one failure less: it was none after all. If that can't be said now, it is before the next one counts.

        Else an outage of the store, during which a client tries again and again, would lock out who did nothing wrong.
        """
        try:
            await self._store.refund(KIND, event, key)
        except Unavailable:
            self._owe(event, key, self._owed.pop((event, key), (0, 0.0))[0] + 1)
            raise

    async def clear(self, event: str, key: str) -> None:
        """End the row of failures, now or later: the user logged in. He has used his code up; it must count."""
        self._owed.pop((event, key), None)
        try:
            await self._store.forget(KIND, event, key)
        except Unavailable:
            self._owe(event, key, ALL)

    def _owe(self, event: str, key: str, count: float) -> None:
        if len(self._owed) < OWED:
            self._owed[event, key] = count, self._store.now() + self._period

    async def _pay(self, event: str, key: str, count: float, until: float) -> None:
        try:
            if count == ALL and self._store.now() < until:
                await self._store.forget(KIND, event, key)
                return
            while count and self._store.now() < until:
                await self._store.refund(KIND, event, key)
                count -= 1
        except Unavailable:
            self._owed[event, key] = count, until
            raise

    async def cleared(self, event: str, key: str) -> bool:
        """Say whether the user has logged in since a failure was counted, which is not taken back yet."""
        failures = await self.count(event, key)
        if failures:
            await self.take_back(event, key)
        return failures == 1

    async def locked(self) -> list[Tally]:
        """Return who is locked out now."""
        return [tally for tally in await self._store.tallies(KIND) if tally.count >= self._attempts]

    async def unlock(self, key: str) -> bool:
        """End the lockout of a user, in every event; say whether there was anything to end."""
        return await self._store.forget(KIND, "", key)
