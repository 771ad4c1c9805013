"""Guesses counted before they are compared: taken back, also where the store was away just then; ended; looked at."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from aad.core.answer import Plain
from aad.core.identity import User
from aad.core.outcome import Reason
from aad.core.row import Kind, Rules, row_name
from aad.core.secret import Secret
from aad.login.lockout import CountedGuess, Lockout, described
from aad.ports import Change, Rule, Unavailable
from tests.parts.fakes import KEY, MemoryStore

ALICE = User(name="Alice", repository="corp", handle="uid=alice")
PASSWORDS = row_name(Kind.PASSWORDS, "corp", "alice")
CODES = row_name(Kind.CODES, "corp", "alice")
PERIOD = 300.0


@dataclass
class Away(MemoryStore):
    """Is away when told to."""

    away: bool = False
    slow: bool = False

    def __post_init__(self) -> None:
        super().__init__()

    async def update_expiring(self, kind: str, name: str, rule: Rule, expected: bytes | None = None) -> None:
        self.there()
        await super().update_expiring(kind, name, rule, expected)
        if self.slow:
            await asyncio.sleep(0)

    async def put_expiring(self, kind: str, changes: Mapping[str, Change | None]) -> None:
        self.there()
        await super().put_expiring(kind, changes)

    def there(self) -> None:
        if self.away:
            what = "down"
            raise Unavailable(what, where="store")


@pytest.fixture
def store() -> Away:
    return Away()


@pytest.fixture
def lockout(store: Away) -> Lockout:
    return Lockout(store, Rules(period=PERIOD), KEY)


async def guess(lockout: Lockout, name: str = PASSWORDS, typed: str = "guess") -> CountedGuess:
    return await lockout.count(name, Plain(Secret(typed)))


async def lost(store: Away, lockout: Lockout, times: int = 1) -> None:
    """Count guesses that could not be compared, while the store goes away."""
    for _ in range(times):
        count = await guess(lockout)
        assert count.row
        store.away = True
        with pytest.raises(Unavailable):
            await lockout.take_back(count)
        store.away = False


async def test_outages_of_the_store_lock_nobody_out(store: Away, lockout: Lockout) -> None:
    await lost(store, lockout, times=5)
    assert (await guess(lockout)).failures == 1


async def test_what_could_not_be_taken_back_is_taken_back_once(store: Away, lockout: Lockout) -> None:
    assert (await guess(lockout)).failures == 1
    await lost(store, lockout)
    assert (await guess(lockout)).failures == 2
    assert (await guess(lockout)).failures == 3
    assert (await guess(lockout)).refused == Reason.LOCKED


async def test_it_goes_on_being_owed_while_the_store_is_away(store: Away, lockout: Lockout) -> None:
    await lost(store, lockout)
    store.away = True
    with pytest.raises(Unavailable):
        await guess(lockout)
    store.away = False
    assert (await guess(lockout)).failures == 1


async def test_what_is_owed_of_a_row_that_ended_is_owed_no_more(store: Away, lockout: Lockout) -> None:
    await lost(store, lockout)
    store.time += PERIOD
    assert (await guess(lockout)).failures == 1
    await lost(store, lockout)
    await lockout.end(ALICE)
    store.time += 1
    assert (await guess(lockout)).failures == 1
    assert (await guess(lockout)).failures == 2


async def test_who_logged_in_while_the_store_went_away_has_the_rows_ended_later(store: Away, lockout: Lockout) -> None:
    for _ in range(2):
        assert (await guess(lockout, CODES)).row
    store.away = True
    await lockout.end(ALICE)
    store.away = False
    assert not (await lockout.row(Kind.CODES, ALICE)).count
    assert (await guess(lockout, CODES)).failures == 1


async def test_what_is_owed_is_bounded(store: Away, lockout: Lockout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aad.login.lockout.OWED", 10)
    for number in range(30):
        count = await guess(lockout, row_name(Kind.CODES, "corp", f"user{number}"))
        store.away = True
        with pytest.raises(Unavailable):
            await lockout.take_back(count)
        store.away = False
    assert len(lockout._owed) == 10


async def test_the_same_wrong_password_again_counts_once_and_is_not_compared(store: Away, lockout: Lockout) -> None:
    for typed in ("one", "two"):
        await lockout.wrong(await guess(lockout, typed=typed))
    for typed in ("one", "two", "one"):
        again = await guess(lockout, typed=typed)
        assert (again.refused, again.failures) == (Reason.WRONG_PASSWORD_AGAIN, 0)
    third = await guess(lockout, typed="three")
    assert third.locks
    assert (await guess(lockout, typed="one")).refused == Reason.WRONG_PASSWORD_AGAIN
    store.time += PERIOD
    assert (await guess(lockout, typed="one")).refused is None, "with the row it is forgotten what was wrong"


async def test_a_repetition_does_not_lengthen_the_lock(store: Away, lockout: Lockout) -> None:
    for typed in ("one", "two", "three"):
        await lockout.wrong(await guess(lockout, typed=typed))
    store.time += PERIOD - 1
    await guess(lockout, typed="one")
    store.time += 1
    assert (await guess(lockout, typed="four")).refused is None


async def test_the_same_wrong_password_at_the_same_moment_counts_once(lockout: Lockout) -> None:
    counts = [await guess(lockout, typed="one") for _ in range(3)]
    for count in counts:
        await lockout.wrong(count)
    assert (await guess(lockout, typed="two")).failures == 2


async def test_a_password_that_is_wrong_for_one_method_may_be_right_for_another(lockout: Lockout) -> None:
    await lockout.wrong(await guess(lockout, typed="one"))
    assert (await guess(lockout, typed="one")).again
    elsewhere = await lockout.count(PASSWORDS, Plain(Secret("one")), "file")
    assert elsewhere.failures == 2
    await lockout.wrong(elsewhere)
    assert (await lockout.count(PASSWORDS, Plain(Secret("one")), "file")).again


async def test_what_is_owed_is_paid_once_by_many_at_once(lockout: Lockout, store: Away) -> None:
    lockout = Lockout(store, Rules(attempts=10), KEY)
    counts = [await guess(lockout, typed=f"wrong {number}") for number in range(5)]
    store.away = True
    for count in counts[3:]:
        with pytest.raises(Unavailable):
            await lockout.take_back(count)
    store.away = False
    store.slow = True
    await asyncio.gather(*(guess(lockout, typed=f"more {number}") for number in range(3)))
    assert list(store.failures().values()) == [5 - 2 + 3]


async def test_what_is_owed_of_a_row_that_is_ended_meanwhile_is_owed_no_more(lockout: Lockout, store: Away) -> None:
    count = await guess(lockout)
    store.away = True
    with pytest.raises(Unavailable):
        await lockout.take_back(count)
    store.away, store.slow = False, True
    await asyncio.gather(guess(lockout, typed="more"), lockout.end(ALICE))
    assert sum(store.failures().values()) <= 1


async def test_a_code_typed_twice_counts_twice(lockout: Lockout) -> None:
    for failures in (1, 2, 3):
        count = await guess(lockout, CODES, typed="123456")
        await lockout.wrong(count)
        assert count.failures == failures
    assert (await guess(lockout, CODES, typed="123456")).refused == Reason.LOCKED_CODES


async def test_what_was_right_is_no_failure(lockout: Lockout, store: Away) -> None:
    for _ in range(10):
        await lockout.take_back(await guess(lockout))
    assert not store.failures()


async def test_nothing_tells_one_wrong_password_from_another(store: Away, lockout: Lockout) -> None:
    await lockout.wrong(await guess(lockout, typed="my secret"))
    ((value, until),) = store.passing.values()
    assert b"my secret" not in value
    assert until == store.time + PERIOD, "the store forgets it with the row"


async def test_standings_and_unlock(store: Away, lockout: Lockout) -> None:
    for _ in range(3):
        await guess(lockout, CODES)
    await guess(lockout, typed="one")
    await lockout.count_unknown("mallory")
    found = {(each.kind, each.key): (each.count, each.until) for each in await lockout.all_standings()}
    assert found == {
        (Kind.CODES, "alice"): (3, store.time + PERIOD),
        (Kind.PASSWORDS, "alice"): (1, 0.0),
        (Kind.PASSWORDS, "mallory"): (1, 0.0),
    }
    assert {each.kind for each in await lockout.standings(ALICE)} == {Kind.CODES, Kind.PASSWORDS}
    assert await lockout.unlock(["other", "corp"], "alice")
    assert not await lockout.standings(ALICE)
    assert not await lockout.unlock(["other", "corp"], "alice")
    assert await lockout.unlock(["corp"], "mallory")


async def test_they_are_told_to_an_administrator(store: Away, lockout: Lockout) -> None:
    for _ in range(3):
        await guess(lockout, CODES)
    (locked,) = await lockout.standings(ALICE)
    assert "3 wrong codes in a row since" in described(locked, store.time, 1e9)
    assert "for 300 s more" in described(locked, store.time, 1e9)
    for_good = type(locked)(kind=Kind.CODES, repository="corp", key="alice", count=100, since=1.0, until=math.inf)
    assert described(for_good, store.time, 1e9).endswith("locked until the helpdesk or aad unlock ends it")
    counting = type(locked)(kind=Kind.PASSWORDS, repository="corp", key="alice", count=1, since=1.0, until=0.0)
    assert described(counting, store.time, 1e9).endswith("not locked")


async def test_a_name_that_nobody_has_is_refused_for_a_while(store: Away, lockout: Lockout) -> None:
    assert [await lockout.count_unknown("mallory") for _ in range(4)] == [1, 2, 3, 0]
    store.time += PERIOD
    assert await lockout.count_unknown("mallory") == 1
