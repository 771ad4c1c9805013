"""What is said of a flight."""

from __future__ import annotations

import json

import pytest

from aad.canary.login_run import LoginRun
from aad.canary.report import failure, report, slow, status, unknown

GOOD = LoginRun(
    "canary", {"password": 0.05, "mail": 1.5, "code": 0.01, "total": 1.56}, reference="K7QXM2", prompt="(ref K7QXM2)"
)
LATE = LoginRun(
    "canary", {"password": 0.05, "total": 30.0}, reference="K7QXM2", failed_step="mail", why="no mail | none"
)
MUTE = LoginRun("canary", {"total": 15.0}, failed_step="password", why="no answer", unreachable=True)
LIMITS = {"password": 0.0, "mail": 1.0, "code": 0.5, "total": 5.0}


@pytest.mark.parametrize(
    ("flight", "limits", "house", "plugin"),
    [(GOOD, {}, 0, 0), (GOOD, LIMITS, 0, 1), (LATE, LIMITS, 1, 2), (MUTE, {}, 69, 2)],
)
def test_each_convention_has_its_status(flight: LoginRun, limits: dict[str, float], house: int, plugin: int) -> None:
    assert [status(flight, form, limits) for form in ("text", "json", "prometheus")] == [house] * 3
    assert status(flight, "nagios", limits) == plugin


def test_a_plugin_s_line() -> None:
    assert report(GOOD, "nagios", LIMITS, 30.0, 0.0) == (
        "AAD CANARY WARNING - canary accepted in 1.560s (ref K7QXM2); mail 1.5s, over 1s"
        " | total=1.560s;5;30;0 code=0.010s;0.5;;0 mail=1.500s;1;;0 password=0.050s;;;0\n"
    )
    line = report(LATE, "nagios", LIMITS, 30.0, 0.0)
    assert line.startswith(
        "AAD CANARY CRITICAL - mail: no mail / none; the daemon knows more: aad log --login K7QXM2 | "
    )
    assert unknown("a | b\nc") == "AAD CANARY UNKNOWN - a / b c\n"


def test_a_failure_says_where_to_look() -> None:
    assert failure(LATE).endswith("aad log --login K7QXM2")
    assert failure(MUTE).endswith("aad log --user canary")
    assert failure(LoginRun("canary", failed_step="mailbox", why="gone")) == "mailbox: gone"


def test_programs_get_values() -> None:
    said = json.loads(report(LATE, "json", LIMITS, 30.0, 0.0))
    assert (said["accepted"], said["failed_step"], said["reason"], said["slow"]) == (
        False,
        "mail",
        "no mail | none",
        ["total 30s, over 5s"],
    )
    assert slow(GOOD, {"total": 1.56}) == []
    odd = LoginRun('a"\\\n', {"total": 1.0})
    assert 'aad_canary_seconds{user="a\\"\\\\\\n",step="total"} 1.000000\n' in report(odd, "prometheus", {}, 30.0, 7.6)
    assert 'aad_canary_last_run_timestamp_seconds{user="a\\"\\\\\\n"} 8\n' in report(odd, "prometheus", {}, 30.0, 7.6)
