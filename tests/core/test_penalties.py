"""A source that fails has to wait for a while, and no other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aad.core.penalties import BEARABLE, LONGEST, Failed, Penalties
from aad.core.turns import Source

HERE, THERE = Source("portal", "192.0.2.1"), Source("portal", "192.0.2.2")
ENOUGH = int(BEARABLE / Failed.LOGIN.value)


def failing(penalties: Penalties, times: int, now: float = 0.0, source: Source = HERE) -> list[bool]:
    return [penalties.failed(source, Failed.LOGIN, now) for _ in range(times)]


def test_some_failures_change_nothing() -> None:
    penalties = Penalties()
    assert failing(penalties, ENOUGH) == [False] * ENOUGH
    assert penalties.left(HERE, 0.0) == 0.0


def test_one_more_puts_the_penalty_in_force_until_it_has_run_out() -> None:
    penalties = Penalties()
    assert failing(penalties, ENOUGH + 1)[-1] is True
    assert penalties.left(HERE, 0.0) == BEARABLE + Failed.LOGIN.value
    assert penalties.left(HERE, 31.5) == 0.5
    assert penalties.left(HERE, 32.0) == 0.0
    assert penalties.left(HERE, 31.0) == 0.0, "it is over"
    assert penalties.left(THERE, 0.0) == 0.0


def test_it_is_said_once_that_it_begins_and_again_when_it_begins_anew() -> None:
    penalties = Penalties()
    assert failing(penalties, 20).count(True) == 1
    assert failing(penalties, 20, now=1000.0).count(True) == 1


def test_who_fails_seldom_never_waits() -> None:
    penalties = Penalties()
    assert not any(penalties.failed(HERE, Failed.LOGIN, 2.0 * number) for number in range(1000))
    assert not any(penalties.failed(THERE, Failed.ANSWER, 1.0 * number) for number in range(1000))


def test_no_penalty_is_longer_than_the_longest() -> None:
    penalties = Penalties()
    failing(penalties, 1000)
    assert penalties.left(HERE, 0.0) == LONGEST


def test_the_one_that_failed_longest_ago_is_forgotten_first() -> None:
    penalties = Penalties(most=2)
    failing(penalties, ENOUGH + 1)
    failing(penalties, ENOUGH + 1, source=THERE)
    failing(penalties, 1, now=1.0)
    failing(penalties, 1, now=1.0, source=Source("portal", "192.0.2.3"))
    assert len(penalties) == 2
    assert penalties.left(THERE, 1.0) == 0.0
    assert penalties.left(HERE, 1.0) > 30.0


def test_a_place_known_to_one_client_is_another_at_the_next() -> None:
    penalties = Penalties()
    failing(penalties, ENOUGH + 1)
    assert penalties.left(Source("shop", HERE.place), 0.0) == 0.0


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(Failed), st.floats(0, 40)),
        max_size=200,
    )
)
def test_nobody_waits_for_what_others_did_or_for_longer_than_the_longest(
    failures: list[tuple[int, Failed, float]],
) -> None:
    penalties, now = Penalties(most=3), 0.0
    past: dict[Source, list[tuple[float, float]]] = {}
    for number, what, later in failures:
        now += later
        source = Source("portal", str(number))
        if penalties.left(source, now):
            continue
        penalties.failed(source, what, now)
        past.setdefault(source, []).append((now, what.value))
        assert len(penalties) <= 3
        for each, own in past.items():
            left = penalties.left(each, now)
            assert left <= LONGEST
            if left:
                assert left <= own[-1][0] + BEARABLE + max(each.value for each in Failed) - now
                assert sum(cost for _, cost in own) > BEARABLE
