"""Rows of failures: how many guesses a day, a year and in all; whatever comes at the same moment."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aad.core.outcome import Reason
from aad.core.row import Kind, Row, Rules, digest, kind_of, marked, merged, row_name, split_row_name
from aad.core.secret import Secret

RULES = Rules()
DAY = 86_400.0
OF_CODES = [Kind.CODES, Kind.UNPROVEN]


def guesses(kind: Kind, until: float, step: float = 60.0) -> Iterator[float]:
    """Yield when each guess of somebody is counted who tries again whenever the row lets them."""
    row, now = Row(kind=kind), 0.0
    while now < until:
        counted = row.counted(now, RULES)
        if counted is None:
            now += step
            continue
        yield now
        row = counted


@pytest.mark.parametrize("kind", OF_CODES)
def test_codes_on_the_first_day_and_in_a_row(kind: Kind) -> None:
    at = list(guesses(kind, 400 * DAY))
    assert sum(moment < DAY for moment in at) == 27
    assert len(at) == 100
    assert at[-1] < 40 * DAY


def test_passwords_go_on_three_a_period() -> None:
    at = list(guesses(Kind.PASSWORDS, 3600.0, step=1.0))
    assert len(at) == 36
    assert all(sum(moment <= each < moment + 300 for each in at) == 3 for moment in at[:-3])


def test_each_lock_is_twice_as_long_up_to_the_longest() -> None:
    assert [RULES.lasts(count) for count in (1, 2, 3, 4, 6, 9, 27, 30, 99)] == [
        *(0.0, 0.0, 300.0, 0.0, 600.0, 1200.0),
        *(76_800.0, DAY, DAY),
    ]
    assert RULES.lasts(3 * 10**9) == DAY, "no number is too large"


@pytest.mark.parametrize("kind", OF_CODES)
def test_for_good(kind: Kind) -> None:
    row = Row(kind=kind, count=99, since=1.0, until=5.0)
    last = row.counted(10.0, RULES)
    assert last is not None
    assert last.locked(10.0 + 1000 * DAY, RULES) == math.inf
    assert last.counted(10.0 + 1000 * DAY, RULES) is None


def test_a_locked_row_says_until_when() -> None:
    row = Row(kind=Kind.CODES)
    for _ in range(3):
        assert not row.locked(7.0, RULES)
        row = row.counted(7.0, RULES) or row
    assert row.locked(7.0, RULES) == 307.0
    assert row.counted(306.9, RULES) is None
    assert not row.locked(307.0, RULES)
    assert row.counted(307.0, RULES) == replace(row, count=4)


def test_a_row_of_passwords_ends_by_itself_and_one_of_codes_does_not() -> None:
    for kind, left in ((Kind.PASSWORDS, 1), (Kind.CODES, 2)):
        row = Row(kind=kind).counted(0.0, RULES)
        assert row is not None
        again = row.counted(300.0 * DAY, RULES)
        assert again is not None
        assert again.count == left


def test_the_last_guess_taken_back_takes_its_lock_along() -> None:
    for kind in Kind:
        before = Row(kind=kind, count=2, since=1.0, until=5.0 if kind is Kind.PASSWORDS else 0.0)
        counted = before.counted(3.0, RULES)
        assert counted is not None
        assert counted.locked(3.0, RULES)
        assert counted.taken_back(before, counted, RULES) == before


def test_the_guess_that_locks_for_good_taken_back_takes_that_lock_along() -> None:
    before = Row(kind=Kind.CODES, count=RULES.for_good - 1, since=1.0)
    counted = before.counted(3.0, RULES)
    assert counted is not None
    assert counted.locked(3.0, RULES) == math.inf
    assert counted.taken_back(before, counted, RULES) == before


def test_a_guess_taken_back_leaves_another_of_the_same_moment() -> None:
    before = Row(kind=Kind.PASSWORDS)
    mine = before.counted(3.0, RULES)
    assert mine is not None
    both = mine.counted(3.0, RULES)
    assert both is not None
    assert both.taken_back(before, mine, RULES) == mine


def test_a_guess_is_not_taken_back_of_a_row_that_ended_meanwhile() -> None:
    before = Row(kind=Kind.CODES)
    counted = before.counted(3.0, RULES)
    assert counted is not None
    later = Row(kind=Kind.CODES, count=2, since=9.0)
    assert later.taken_back(before, counted, RULES) is later
    ended = Row(kind=Kind.CODES, since=3.0)
    assert ended.taken_back(before, counted, RULES) is ended


def test_whoever_extends_a_row_of_passwords_later_is_heard() -> None:
    before = Row(kind=Kind.PASSWORDS, count=1, since=0.0, until=300.0)
    mine = before.counted(10.0, RULES)
    assert mine is not None
    others = replace(mine, until=333.0)
    assert others.taken_back(before, mine, RULES) == replace(before, until=333.0)


@given(
    st.sampled_from(Kind),
    st.lists(st.tuples(st.sampled_from(["wrong", "right", "begun"]), st.floats(0.0, 3600.0)), max_size=60),
)
def test_no_more_than_attempts_are_compared_before_a_lock(kind: Kind, steps: list[tuple[str, float]]) -> None:
    """Whatever is at work at the same moment: between two moments without a lock there are three wrong ones at most."""
    rules, now, row = Rules(attempts=3, for_good=1000), 0.0, Row(kind=kind)
    at_work: list[tuple[Row, Row]] = []
    wrong = 0
    for what, passes in steps:
        now += passes
        row = row.at(now)
        if what == "begun":
            counted = row.counted(now, rules)
            assert (counted is None) == bool(row.locked(now, rules))
            if counted is not None:
                at_work.append((row, counted))
                row = counted
        elif at_work:
            before, counted = at_work.pop(0)
            if what == "right":
                row = row.taken_back(before, counted, rules)
            else:
                wrong += 1
        assert row.count >= 0
        if kind is not Kind.PASSWORDS:
            assert row.count >= wrong, "every wrong code stays counted"
            assert row.count <= wrong + len(at_work)


def test_it_is_written_down_and_read_again() -> None:
    row = Row(kind=Kind.PASSWORDS, count=2, since=1.5, until=301.5, digests=("abcdef", "012345"))
    assert Row.decoded(Kind.PASSWORDS, row.encoded()) == row
    assert row.kept() == (row.encoded(), 301.5)
    assert replace(row, kind=Kind.CODES).kept()[1] == math.inf
    assert Row(kind=Kind.CODES, since=7.0).kept() == (None, 0.0)
    assert Row.decoded(Kind.CODES, None) == Row(kind=Kind.CODES)


@pytest.mark.parametrize(
    "kept",
    [
        b"",
        b"\xff",
        b"[]",
        b"null",
        b"7",
        b'{"count": -1}',
        b'{"count": "9"}',
        b'{"until": NaN}',
        b'{"count": null}',
        b'{"digests": 7}',
        b'{"count": 1',
        b'"count"',
        b"[" * 200_000,
    ],
)
@pytest.mark.parametrize("kind", Kind)
def test_what_cannot_be_read_is_locked(kind: Kind, kept: bytes) -> None:
    row = Row.decoded(kind, kept)
    assert row.at(10**12).locked(10**12, RULES)
    assert row.counted(10**12, RULES) is None


def test_names_and_reasons() -> None:
    for kind in Kind:
        assert kind_of(row_name(kind, "corp", "alice")) is kind
    assert {kind.reason for kind in Kind} == {Reason.LOCKED, Reason.LOCKED_CODES, Reason.LOCKED_UNPROVEN}


@pytest.mark.parametrize("kind", Kind)
def test_a_name_says_whose_row_it_is(kind: Kind) -> None:
    assert split_row_name(row_name(kind, "corp", "alice")) == (kind, "corp", "alice")


@pytest.mark.parametrize("name", ["", "codes", "codes\0corp", "codes\0corp\0bob\0more", "other\0corp\0bob"])
def test_what_is_no_rows_name_says_nobodys(name: str) -> None:
    assert split_row_name(name) is None


def test_a_digest_is_keyed_to_user_and_row_and_short() -> None:
    key, name = Secret(b"k" * 32), row_name(Kind.PASSWORDS, "corp", "alice")
    found = digest(key, name, 1.0, Secret("wrong"))
    assert len(found) == 6
    others = [
        digest(Secret(b"l" * 32), name, 1.0, Secret("wrong")),
        digest(key, row_name(Kind.PASSWORDS, "corp", "bob"), 1.0, Secret("wrong")),
        digest(key, row_name(Kind.PASSWORDS, "other", "alice"), 1.0, Secret("wrong")),
        digest(key, name, 2.0, Secret("wrong")),
        digest(key, name, 1.0, Secret("wrong\0")),
    ]
    assert found not in others
    assert Row(kind=Kind.PASSWORDS).with_digest(found).knows(found)
    assert not Row(kind=Kind.PASSWORDS).with_digest(found).knows(others[0])


def test_a_mark_is_keyed_and_of_all_that_it_was_made_of() -> None:
    key, of = Secret(b"k" * 32), ["vpn", "corp", "alice"]
    mark = marked(key, of, Secret("typed"))
    assert mark == marked(key, of, Secret("typed"))
    assert len(mark) == 32
    others = [
        marked(Secret(b"l" * 32), of, Secret("typed")),
        marked(key, ["vpn", "corpalice"], Secret("typed")),
        marked(key, of, Secret("other")),
    ]
    assert mark not in others


def test_rows_that_were_kept_apart_become_one() -> None:
    rows = [
        Row(kind=Kind.CODES, count=2, since=5.0, digests=("aa",)),
        Row(kind=Kind.CODES, count=3, since=3.0, until=9.0),
    ]
    assert merged(Kind.CODES, rows) == Row(kind=Kind.CODES, count=5, since=3.0, until=9.0, digests=("aa",))
    assert merged(Kind.CODES, [Row(kind=Kind.CODES)]) == Row(kind=Kind.CODES)
