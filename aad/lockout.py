"""Locks out a user, in one event, after so many failed logins in a row; survives a restart."""

from __future__ import annotations

from aad.ports import Store, Tally

KIND = "lockout"


class Lockout:
    """Counts failed logins by user and event. A failure is counted before it is known, and taken back if it wasn't.

    So a thousand guesses at once cost the directory no more binds than `attempts`.
    """

    def __init__(self, store: Store, attempts: int, period: float) -> None:
        """Lock after `attempts` failures, for `period` seconds after the last one."""
        self._store = store
        self._attempts = attempts
        self._period = period

    async def count(self, event: str, key: str) -> int:
        """Count a failure and return how many that makes. 0: the user is locked already, and nothing was counted."""
        tally = Tally(kind=KIND, scope=event, name=key, count=1, until=self._store.now() + self._period)
        return await self._store.spend(tally, self._attempts, extend=True)

    def locks(self, failures: int) -> bool:
        """Say whether so many failures lock the user."""
        return failures >= self._attempts

    async def take_back(self, event: str, key: str) -> None:
        """Count one failure less: it was none after all."""
        await self._store.refund(KIND, event, key)

    async def clear(self, event: str, key: str) -> None:
        """End the row of failures: the user logged in."""
        await self._store.forget(KIND, event, key)

    async def locked(self) -> list[Tally]:
        """Return who is locked out now."""
        return [tally for tally in await self._store.tallies(KIND) if tally.count >= self._attempts]

    async def unlock(self, key: str) -> bool:
        """End the lockout of a user, in every event; say whether there was anything to end."""
        return await self._store.forget(KIND, "", key)
