"""Rows of failures over every store's own statements, the time given: a day, a year; no expiry of a store decides."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aad.core.answer import Plain
from aad.core.identity import User
from aad.core.policy import Chain
from aad.core.row import Kind, Rules, row_name
from aad.core.secret import Secret
from aad.login.engine import Asked
from aad.login.lockout import Lockout
from aad.ports import Store
from tests.parts.fakes import World, attempt
from tests.stores.kept import OWNER, keep

DAY = 86_400.0
ALICE = User(name="alice", repository="corp", handle="uid=alice")
WRONG = Plain(Secret("000000"))


class Timed:
    """A store whose rows are counted at the times of the test."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.time = store.now()

    def now(self) -> float:
        return self.time

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class Over(World):
    """An engine over a real store."""

    def __init__(self, store: Store, **given: Any) -> None:
        self.real = store
        super().__init__(**given)

    def new_store(self) -> Any:
        return self.real


async def guessed(store: Store, timed: Timed, lockout: Lockout, kind: Kind) -> bool:
    """Answer a challenge with a wrong code, as the engine does; say whether it would have been compared."""
    row = row_name(kind, ALICE.repository, ALICE.key)
    await keep(store, b"ticket", OWNER, b"login", store.now() + 60, row=row)
    taken = await store.take_login(b"ticket", lockout.guess(WRONG).in_row)
    assert taken is not None
    return not taken.refused


@pytest.mark.parametrize("kind", [Kind.CODES, Kind.UNPROVEN])
async def test_a_day_is_at_most_thirty_guesses_and_a_year_a_hundred(store: Store, kind: Kind) -> None:
    timed = Timed(store)
    lockout = Lockout(timed, Rules(), Secret(b"k" * 32))  # type: ignore[arg-type]
    began, in_a_day, in_all = timed.time, 0, 0
    while timed.time < began + 365 * DAY:
        if await guessed(store, timed, lockout, kind):
            in_all += 1
            in_a_day += timed.time < began + DAY
        else:
            timed.time += 300.0 if timed.time < began + DAY else DAY / 4
    assert in_a_day == 27
    assert in_all == 100
    (standing,) = await lockout.standings(ALICE)
    assert standing.count == 100
    assert await lockout.unlock(["corp"], "alice")
    assert await guessed(store, timed, lockout, kind)


async def test_passwords_are_three_a_period(store: Store) -> None:
    timed = Timed(store)
    lockout = Lockout(timed, Rules(), Secret(b"k" * 32))  # type: ignore[arg-type]
    row, began, compared = row_name(Kind.PASSWORDS, "corp", "alice"), timed.time, 0
    for number in range(600):
        count = await lockout.count(row, Plain(Secret(f"guess {number}")))
        compared += count.row is not None
        await lockout.wrong(count)
        timed.time = began + number
    assert compared == 6


async def test_forty_answers_to_one_challenge_are_one_guess_and_nobody_takes_back_anothers(store: Store) -> None:
    there = Over(store, chains=(Chain("app", ("password", "app")),))
    for wrong in (1, 2, 3):
        reply = await there.engine.begin(attempt())
        assert isinstance(reply, Asked), wrong
        await asyncio.gather(*(there.engine.answer(reply.ticket, attempt("000000")) for _ in range(40)))
        (standing,) = await there.engine.lockout.standings(ALICE)
        assert (standing.kind, standing.count) == (Kind.CODES, wrong)
    assert there.names().count("code.refused") == 3
    assert standing.until
