"""A server that is gone is left alone, but not for so long that its return goes unnoticed."""

import pytest

from aad.senders.smtp import gate as smtp_gate
from aad.senders.smtp.gate import Gate


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(smtp_gate, "time", clock)
    return clock


def test_after_a_failure_one_tries_after_a_pause(clock: Clock) -> None:
    gate = Gate()
    assert gate.lets_try(5)
    gate.failed("refused")
    assert gate.shut
    assert not gate.lets_try(0)
    clock.now += 0.5
    assert gate.lets_try(0)
    assert not gate.lets_try(1)
    gate.opened()
    assert gate.lets_try(5)


def test_however_long_it_was_gone_it_is_tried_again_within_three_seconds(clock: Clock) -> None:
    gate = Gate()
    for _ in range(100):
        gate.failed("refused")
        began = clock.now
        while not gate.lets_try(0):
            clock.now += 0.1
        assert clock.now - began < 3.1
