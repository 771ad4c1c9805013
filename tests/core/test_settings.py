"""The units an administrator writes."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aad.core.settings import REQUIRED, Rate, duration, option, rate, spoken

counts = st.integers(1, 10**6)
durations = st.builds("{}{}".format, counts, st.sampled_from(["ms", "s", "m", "h", "d"]))


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("500ms", 0.5), ("90s", 90.0), ("5m", 300.0), ("2h", 7200.0), ("1d", 86400.0), (30, 30.0), (0, 0.0), ("0s", 0.0)],
)
def test_durations(written: object, seconds: float) -> None:
    assert duration(written) == seconds


@pytest.mark.parametrize(
    "written",
    [
        "",
        "90",
        "s",
        "-1s",
        -1,
        1.5,
        True,
        None,
        "1.5s",
        "90 s",
        "90s\n",
        "1w",
        "5M",
        "\uff19s",
        "1h30m",
        [],
        "1" * 10 + "s",
        10**400,
    ],
    ids=lambda value: repr(value)[:20],
)
def test_no_durations(written: object) -> None:
    with pytest.raises(ValueError, match='should be a duration such as "500ms", "90s", "5m", "2h", or whole seconds'):
        duration(written)


@given(durations)
def test_a_spoken_duration_is_the_same_one(written: str) -> None:
    seconds = duration(written)
    assert duration(spoken(seconds)) == seconds


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.5, "500ms"), (90.0, "90s"), (60.0, "1m"), (3600.0, "1h"), (86400.0, "24h"), (0.0, "0ms"), (2.5, "2500ms")],
)
def test_it_is_spoken_in_the_largest_unit(seconds: float, said: str) -> None:
    assert spoken(seconds) == said


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("10 per 10m", Rate(10, 600.0)),
        ("600  per  1m", Rate(600, 60.0)),
        ("1 per 500ms", Rate(1, 0.5)),
        ("unlimited", Rate(None, 0.0)),
    ],
)
def test_rates(written: str, meant: Rate) -> None:
    assert rate(written) == meant


@pytest.mark.parametrize(
    "written",
    ["", "10", 10, None, True, "0 per 10m", "10 per 0s", "10 per 10", "10per10m", "x per 1m", "1 per x", "-1 per 1m"],
)
def test_no_rates(written: object) -> None:
    with pytest.raises(ValueError, match='should be a rate such as "10 per 10m", or "unlimited"'):
        rate(written)


@given(st.one_of(st.just("unlimited"), st.builds("{} per {}".format, counts, durations)))
def test_a_written_rate_is_the_same_one(written: str) -> None:
    assert rate(str(rate(written))) == rate(written)


def test_an_option_is_a_field_that_explains_itself() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Settings:
        host: str = option(doc="The mail server.")
        port: int = option(25, "Its port.", at_least=1, at_most=65535)

    host, port = dataclasses.fields(Settings)
    assert host.default is REQUIRED
    assert (port.default, port.metadata["doc"]) == (25, "Its port.")
    assert (port.metadata["at_least"], port.metadata["at_most"]) == (1, 65535)
    assert (port.metadata["names"], port.metadata["choices"]) == ("", ())
