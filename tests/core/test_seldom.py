"""What happens often is told once in a while, and the memory of it is bounded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aad.core.seldom import Seldom


def test_the_first_is_told_and_then_how_many_more() -> None:
    seldom = Seldom(60.0)
    assert [seldom.due(("a",), now) for now in (0.0, 1.0, 59.9)] == ["", None, None]
    assert seldom.due(("b",), 59.9) == ""
    assert seldom.due(("a",), 60.0) == " (2 more in the last 60 s)"
    assert seldom.due(("a",), 500.0) == ""


def test_the_oldest_gives_way_once_its_time_is_over() -> None:
    seldom = Seldom(60.0, most=2)
    assert [seldom.due((name,), 0.0) for name in "abc"] == ["", "", None]
    assert seldom.due(("c",), 61.0) == ""
    assert seldom.due(("b",), 62.0) == ""
    assert seldom.due(("a",), 63.0) is None  # two are known, and both are young


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)), max_size=300))
def test_never_more_than_so_many_in_a_while(events: list[tuple[int, int]]) -> None:
    seldom, now, told = Seldom(60.0, most=5), 0.0, list[float]()
    for kind, later in events:
        now += later
        if seldom.due((str(kind),), now) is not None:
            told.append(now)
        assert sum(when > now - 60 for when in told) <= 5
