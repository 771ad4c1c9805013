"""Failures counted ahead of a login's end are taken back, also where the store was away just then."""

from __future__ import annotations

import pytest

from aad.lockout import Lockout
from aad.ports import Unavailable
from tests.fakes import MemoryStore

EVENT, KEY = "vpn", "alice"
PERIOD = 300.0


class Away(MemoryStore):
    """Is away when told to."""

    away = False

    async def refund(self, kind: str, scope: str, name: str) -> None:
        self.there()
        await super().refund(kind, scope, name)

    async def forget(self, kind: str, scope: str, name: str) -> bool:
        self.there()
        return await super().forget(kind, scope, name)

    def there(self) -> None:
        if self.away:
            what = "down"
            raise Unavailable(what, where="store")


@pytest.fixture
def store() -> Away:
    return Away()


@pytest.fixture
def lockout(store: Away) -> Lockout:
    return Lockout(store, 3, PERIOD)


async def lost(store: Away, lockout: Lockout, times: int = 1) -> None:
    """Count failures that were none, while the store goes away."""
    for _ in range(times):
        assert await lockout.count(EVENT, KEY)
        store.away = True
        with pytest.raises(Unavailable):
            await lockout.take_back(EVENT, KEY)
        store.away = False


async def test_outages_of_the_store_lock_nobody_out(store: Away, lockout: Lockout) -> None:
    await lost(store, lockout, times=5)
    assert await lockout.count(EVENT, KEY) == 1


async def test_what_could_not_be_taken_back_is_taken_back_once(store: Away, lockout: Lockout) -> None:
    assert await lockout.count(EVENT, KEY) == 1
    await lost(store, lockout)
    assert await lockout.count(EVENT, KEY) == 2
    assert await lockout.count(EVENT, KEY) == 3
    assert not await lockout.count(EVENT, KEY)


async def test_it_goes_on_being_owed_while_the_store_is_away(store: Away, lockout: Lockout) -> None:
    await lost(store, lockout)
    store.away = True
    with pytest.raises(Unavailable):
        await lockout.count(EVENT, KEY)
    store.away = False
    assert await lockout.count(EVENT, KEY) == 1


async def test_a_failure_that_has_expired_or_was_cleared_is_owed_no_more(store: Away, lockout: Lockout) -> None:
    await lost(store, lockout)
    store.time += PERIOD
    assert await lockout.count(EVENT, KEY) == 1
    assert await lockout.count(EVENT, KEY) == 2
    await lost(store, lockout)
    await lockout.clear(EVENT, KEY)
    assert await lockout.count(EVENT, KEY) == 1
    assert await lockout.count(EVENT, KEY) == 2


async def test_who_logged_in_while_the_store_went_away_has_his_row_ended_later(store: Away, lockout: Lockout) -> None:
    for _ in range(2):
        assert await lockout.count(EVENT, KEY)
    store.away = True
    await lockout.clear(EVENT, KEY)
    store.away = False
    assert await lockout.count(EVENT, KEY) == 1
    assert await lockout.count(EVENT, KEY) == 2


async def test_what_is_owed_is_bounded(store: Away, lockout: Lockout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aad.lockout.OWED", 10)
    store.away = True
    for number in range(20, 30):
        await lockout.clear(EVENT, f"user{number}")
    for number in range(20):
        await lockout.count(EVENT, f"user{number}")
        with pytest.raises(Unavailable):
            await lockout.take_back(EVENT, f"user{number}")
    assert len(lockout._owed) == 10
