"""A server that is down is left alone, but not for so long that its return goes unnoticed."""

from aad.net.backoff import Backoff

T = 1000.0


def test_one_attempt_at_a_time_after_a_pause() -> None:
    backoff = Backoff()
    assert backoff.admit(T, T + 2)
    assert backoff.admit(T, T + 2)
    assert backoff.failed(T, T, "refused")
    assert not backoff.failed(T, T + 0.1, "refused, too")
    assert (backoff.down, backoff.reason) == (True, "refused")
    assert not backoff.admit(T + 0.4, T + 2)
    assert backoff.admits(T + 0.5)
    assert backoff.admit(T + 0.5, T + 2)
    assert not backoff.admit(T + 1.9, T + 4)
    assert backoff.admit(T + 2, T + 4)  # the time of the one before is up
    assert backoff.worked(T + 2.1)
    assert not backoff.worked(T + 2.1)
    assert (backoff.down, backoff.reason) == (False, "")
    assert backoff.admit(T + 2.1, T + 4)


def test_however_long_it_was_down_it_is_tried_again_within_three_seconds() -> None:
    backoff, now, pauses = Backoff(), T, []
    for _ in range(100):
        assert backoff.admit(now, now + 60)
        backoff.failed(now, now + 0.1, "refused")
        began = now = now + 0.1
        while not backoff.admits(now):
            now += 0.1
        pauses.append(now - began)
    assert max(pauses) < 3.2
    assert pauses[0] < 0.7


def test_those_that_began_before_tell_nothing_new() -> None:
    backoff = Backoff()
    backoff.failed(T, T + 1, "refused")  # until T + 1.5
    assert not backoff.failed(T + 0.5, T + 30, "no answer")  # one that began while it was up
    assert backoff.admit(T + 30, T + 40)
    assert backoff.worked(T + 31)
    assert not backoff.failed(T + 30.5, T + 32, "no answer")  # one that began before it was back
    assert not backoff.down
    assert backoff.failed(T + 33, T + 34, "no answer")


def test_an_attempt_that_ends_without_result_makes_room_for_the_next() -> None:
    backoff = Backoff()
    backoff.failed(T, T, "refused")
    assert backoff.admit(T + 1, T + 60)
    backoff.abandoned(T)  # another one
    assert not backoff.admits(T + 2)
    backoff.abandoned(T + 1)
    assert backoff.admits(T + 2)
