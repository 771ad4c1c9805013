"""Who waits for the same few hands is served in turns: by client, and of a client by source."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from aad.core.turns import Source, Turns, share

NEVER = float("inf")
GREEDY, MODEST, OTHER = Source("portal", "192.0.2.1"), Source("portal", "192.0.2.2"), Source("vpn")


def turns(each: int = 100, most: int = 1000) -> Turns[str]:
    return Turns(each, most)


def order(waiting: Turns[str], now: float = 0.0) -> str:
    found = ""
    while job := waiting.next(now):
        found += job
    return found


def test_one_source_has_a_quarter_but_always_sixteen() -> None:
    assert [share(whole) for whole in (0, 1, 64, 68, 400)] == [16, 16, 16, 17, 100]


def test_of_one_source_who_came_first_is_first() -> None:
    waiting = turns()
    assert [waiting.join(OTHER, job, NEVER) for job in "abc"] == [None] * 3
    assert len(waiting) == 3
    assert order(waiting) == "abc"
    assert (len(waiting), waiting.next(0.0)) == (0, None)


def test_a_client_with_many_sources_comes_no_sooner_than_one_with_one() -> None:
    waiting = turns()
    for number, job in enumerate("abcdef"):
        waiting.join(Source("portal", str(number)), job, NEVER)
    for job in "XY":
        waiting.join(OTHER, job, NEVER)
    assert order(waiting) == "aXbYcdef"


def test_a_source_with_many_comes_no_sooner_than_one_of_its_client_with_one() -> None:
    waiting = turns()
    for job in "abc":
        waiting.join(GREEDY, job, NEVER)
    waiting.join(MODEST, "M", NEVER)
    assert order(waiting) == "aMbc"


def test_who_leaves_has_no_turn_and_may_leave_again() -> None:
    waiting = turns()
    for job in "abc":
        waiting.join(OTHER, job, NEVER)
    for job in "bbx":
        waiting.leave(OTHER, job)
    waiting.leave(MODEST, "a")
    assert order(waiting) == "ac"


def test_who_is_too_late_has_no_turn_and_takes_none_of_the_others() -> None:
    waiting = turns()
    for job, until in (("a", 1.0), ("b", 3.0), ("c", 2.0)):
        waiting.join(OTHER, job, until)
    assert order(waiting, 2.0) == "b"
    assert len(waiting) == 0


def test_of_a_source_only_so_many_wait() -> None:
    waiting = turns(each=2)
    assert [waiting.join(GREEDY, job, NEVER) for job in "abc"] == [None, None, "c"]
    assert waiting.join(MODEST, "M", NEVER) is None
    assert order(waiting) == "aMb"


def test_of_a_client_only_so_many_wait_and_who_has_most_gives_way() -> None:
    waiting = turns(most=3)
    for job in "abc":
        waiting.join(GREEDY, job, NEVER)
    assert waiting.join(OTHER, "X", NEVER) is None  # another client's
    assert waiting.join(MODEST, "M", NEVER) == "c"
    assert waiting.join(MODEST, "N", NEVER) == "N"  # it would be one of the two longest: so it goes itself
    assert order(waiting) == "XaMb" or order(waiting) == ""


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 9)), max_size=60),
    st.integers(1, 4),
    st.integers(1, 8),
)
def test_whatever_comes_nobody_waits_for_more_than_a_round(
    joined: list[tuple[int, int, int]], each: int, most: int
) -> None:
    waiting: Turns[int] = Turns(each, most)
    left: dict[int, Source] = {}
    until: dict[int, int] = {}
    for job, (client, place, deadline) in enumerate(joined):
        left[job], until[job] = Source(str(client), str(place)), deadline
        gone = waiting.join(left[job], job, deadline)
        if gone is not None:
            assert left[gone].client == left[job].client
            del left[gone]
        for source in set(left.values()):
            assert sum(other == source for other in left.values()) <= each
            assert sum(other.client == source.client for other in left.values()) <= most
    assert len(waiting) == len(left)
    in_time = {job: source for job, source in left.items() if until[job] > 4}
    served = list(iter(lambda: waiting.next(4.0), None))
    assert set(served) == set(in_time)
    for source in set(in_time.values()):
        own = [job for job in served if in_time[job] == source]
        assert own == sorted(own)
    # Between two turns of a client that has someone waiting all the time, each other client has one at most.
    for name in {source.client for source in in_time.values()}:
        at = [-1, *(number for number, job in enumerate(served) if in_time[job].client == name)]
        for before, after in pairwise(at):
            between = [in_time[job].client for job in served[before + 1 : after]]
            assert len(between) == len(set(between))
