"""A server that is down is left alone, but not for so long that its return goes unnoticed."""

import pytest

from aad.repositories.ldap import health as ldap_health
from aad.repositories.ldap.health import Health


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(ldap_health, "time", clock)
    return clock


def test_one_at_a_time_tries_a_server_that_is_down(clock: Clock) -> None:
    health = Health()
    first = health.admits(clock.now, clock.now + 2)
    assert first is not None
    health.failed(first, "refused")
    health.failed(first, "refused, too")
    assert health.what == "refused"
    assert health.admits(clock.now, clock.now + 2) is None
    clock.now += 0.5
    assert health.admits(clock.now, clock.now + 2) is not None
    assert health.admits(clock.now, clock.now + 2) is None
    health.worked()
    assert health.admits(clock.now, clock.now + 2) is not None


def test_however_long_it_was_down_it_is_tried_again_within_three_seconds(clock: Clock) -> None:
    health = Health()
    for _ in range(100):
        outage = health.admits(clock.now, clock.now + 2)
        assert outage is not None
        health.failed(outage, "refused")
        began = clock.now
        while health.admits(clock.now, clock.now) is None:
            clock.now += 0.1
        assert clock.now - began < 3.1
        clock.now += 0.1
