"""The common clock, as one node knows it."""

from __future__ import annotations

import time

import pytest

from aad.stores.valkey import clock as valkey_clock
from aad.stores.valkey.clock import MICRO, Clock


class Machine:
    """Since when it was booted."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr(valkey_clock, "boottime", machine)
    return machine


def heard(clock: Clock, asked: float, answered: float, server: float, shift: float = 0.0) -> None:
    clock.heard(asked, answered, int(server * MICRO), int(shift * MICRO))


def test_the_wall_clock_matters_until_the_server_has_answered(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: 1e9)
    clock = Clock()
    assert clock.now() == 1e9
    assert clock.floor() == b"0"
    monkeypatch.setattr(time, "time", lambda: 5.0)
    heard(clock, 100.0, 100.0, 5000.0)
    assert clock.now() == 5000.0
    machine.seconds += 7
    assert clock.now() == 5007.0
    assert clock.floor() == b"5007000000"


def test_an_answer_moves_it_only_as_far_as_it_proves(machine: Machine) -> None:
    clock = Clock()
    heard(clock, 100.0, 100.002, 5000.001)
    assert clock.now() == pytest.approx(5000.0)
    heard(clock, 100.0, 100.4, 5000.1)  # anything from 4999.9 to 5000.3 is proved: it may be right as it is
    assert clock.now() == pytest.approx(5000.0)
    heard(clock, 100.0, 100.002, 5000.101)
    assert clock.now() == pytest.approx(5000.1, abs=0.0011)


def test_it_never_goes_back(machine: Machine) -> None:
    clock = Clock()
    heard(clock, 100.0, 100.0, 5000.0)
    assert clock.now() == 5000.0
    heard(clock, 100.0, 100.0, 4999.5)
    assert clock.now() == 5000.0
    machine.seconds += 1
    assert clock.now() == 5000.5


def test_late_is_told_by_the_servers_own_clock(machine: Machine) -> None:
    clock = Clock()
    heard(clock, 100.0, 100.0, 5000.0, shift=3600.0)
    assert clock.now() == 8600.0
    assert clock.late(0.5) == b"5000500000"
