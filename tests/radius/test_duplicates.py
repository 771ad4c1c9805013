"""One request, one piece of work, one reply, however often and from whatever port it comes."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from aad.radius.duplicates import AT_WORK, FULL, NEW, Duplicates, key_of

A, B, C, D = (key_of("192.0.2.1", bytes((number,))) for number in range(4))


def test_same_octets_from_the_same_address() -> None:
    assert key_of("192.0.2.1", b"octets") == key_of("192.0.2.1", b"octets")
    assert key_of("192.0.2.1", b"octets") != key_of("192.0.2.2", b"octets")
    assert key_of("192.0.2.1", b"octets") != key_of("192.0.2.1", b"octet")
    assert len(A) == 16


def test_one_after_the_other() -> None:
    duplicates: Duplicates[int] = Duplicates()
    assert duplicates.seen(A, 1000, 0.0) is NEW
    assert duplicates.seen(A, 1001, 1.0) is AT_WORK
    assert duplicates.seen(A, 1002, 2.0) is AT_WORK
    assert duplicates.answered(A, b"reply", 2.5) == 1002
    assert duplicates.seen(A, 1003, 3.0) == b"reply"
    assert duplicates.seen(A, 1003, 32.4) == b"reply"
    assert duplicates.seen(A, 1003, 32.5) is NEW


def test_silence_is_tried_anew() -> None:
    duplicates: Duplicates[int] = Duplicates()
    assert duplicates.seen(A, 1, 0.0) is NEW
    duplicates.silent(A)
    assert len(duplicates) == 0
    assert duplicates.seen(A, 1, 0.1) is NEW


def test_work_takes_as_long_as_it_takes() -> None:
    duplicates: Duplicates[int] = Duplicates(lifetime=30.0)
    assert duplicates.seen(A, 1, 0.0) is NEW
    assert duplicates.seen(A, 1, 3600.0) is AT_WORK


def test_full() -> None:
    duplicates: Duplicates[int] = Duplicates(most=2)
    assert duplicates.seen(A, 1, 0.0) is NEW
    assert duplicates.seen(B, 1, 0.0) is NEW
    assert duplicates.seen(C, 1, 0.0) is FULL
    assert duplicates.seen(B, 1, 0.0) is AT_WORK
    duplicates.answered(B, b"b", 1.0)
    assert duplicates.seen(C, 1, 1.0) is NEW  # the reply to B made room
    assert duplicates.seen(B, 1, 1.0) is FULL
    assert duplicates.seen(A, 1, 1.0) is AT_WORK


def test_the_oldest_reply_makes_room() -> None:
    duplicates: Duplicates[int] = Duplicates(most=3)
    for key in (A, B, C):
        assert duplicates.seen(key, 1, 0.0) is NEW
    for key in (B, A, C):
        duplicates.answered(key, b"reply", 1.0)
    assert duplicates.seen(D, 1, 1.0) is NEW
    assert duplicates.seen(A, 1, 1.0) == b"reply"
    assert duplicates.seen(C, 1, 1.0) == b"reply"
    assert duplicates.seen(B, 1, 1.0) is NEW


def test_after_a_rush_nothing_is_late() -> None:
    duplicates: Duplicates[int] = Duplicates()
    keys = [bytes((number,)) for number in range(100)]
    for key in keys:
        assert duplicates.seen(key, 1, 0.0) is NEW
        duplicates.answered(key, b"reply", 0.0)
    assert duplicates.seen(keys[-1], 1, 30.0) is NEW
    assert len(duplicates) > 50
    for _ in range(10):
        assert duplicates.seen(keys[-1], 1, 30.0) is AT_WORK
    assert len(duplicates) == 1


def test_only_what_is_at_work_can_be_settled() -> None:
    duplicates: Duplicates[int] = Duplicates()
    with pytest.raises(KeyError):
        duplicates.answered(A, b"reply", 0.0)
    with pytest.raises(KeyError):
        duplicates.silent(A)


class AgainstAModel(RuleBasedStateMachine):
    """Any order of events, held against the simplest thing that could be right."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.duplicates: Duplicates[int] = Duplicates(lifetime=10.0, most=4)
        self.at_work: dict[bytes, int] = {}
        self.replies: list[tuple[bytes, bytes, float]] = []

    @rule(key=st.sampled_from([bytes((number,)) for number in range(8)]), where=st.integers())
    def seen(self, key: bytes, where: int) -> None:
        self.replies = [entry for entry in self.replies if entry[2] > self.now]
        expected: object = next((reply for each, reply, _ in self.replies if each == key), None)
        if expected is None and key in self.at_work:
            expected, self.at_work[key] = AT_WORK, where
        elif expected is None and len(self.at_work) == 4:
            expected = FULL
        elif expected is None:
            if len(self.at_work) + len(self.replies) == 4:
                self.replies.pop(0)
            expected, self.at_work[key] = NEW, where
        assert self.duplicates.seen(key, where, self.now) == expected

    @rule(data=st.data(), silent=st.booleans())
    def settled(self, data: st.DataObject, silent: bool) -> None:  # noqa: FBT001
        if not self.at_work:
            return
        key = data.draw(st.sampled_from(sorted(self.at_work)))
        where = self.at_work.pop(key)
        if silent:
            self.duplicates.silent(key)
        else:
            assert self.duplicates.answered(key, key * 3, self.now) == where
            self.replies.append((key, key * 3, self.now + 10.0))

    @rule(seconds=st.floats(0.0, 11.0))
    def passes(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def bounded(self) -> None:
        assert len(self.duplicates) <= 4


TestAgainstAModel = AgainstAModel.TestCase
TestAgainstAModel.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
