"""The figures of a run; of several runs, a median and its spread; and the ratio of two checkouts."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

FEW = 3  # rounds; with fewer a difference can't be told from noise


@dataclass(frozen=True, kw_only=True)
class Demand:
    """The load on a daemon: so many logins at a time (closed loop), or so many begun a second (open loop)."""

    in_flight: int = 0
    rate: float = 0.0

    def __str__(self) -> str:
        """Write it for the table."""
        return f"{self.in_flight} in flight" if self.in_flight else f"{self.rate:g}/s"


@dataclass(kw_only=True)
class Tally:
    """Outcomes of the logins of one run. Times in milliseconds, but `seconds`, from the first to the last answer.

    `shed`: not begun, since too many were under way; `behind`: how late, at most, the load itself was.
    """

    begun: int = 0
    accepted: int = 0
    shed: int = 0
    behind: float = 0.0
    seconds: float = 0.0
    losses: dict[str, int] = field(default_factory=dict)
    challenge: list[float] = field(default_factory=list)
    accept: list[float] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run in figures: milliseconds, MiB. `cpu_ms`: of aad alone, all its processes, for one login.

    `strangers`: which part of the machine went to what has nothing to do with the measurement, 0 to 1.
    """

    per_second: float
    challenge_p50: float
    challenge_p99: float
    accept_p50: float
    accept_p99: float
    cpu_ms: float
    peak_mib: float
    pss_mib: float
    lost: float
    directory_ms: float
    load_ms: float
    shed: int
    behind: float
    strangers: float


@dataclass(frozen=True)
class Cost:
    """The cost of a run: seconds of CPU of aad, of the directory and of load and mail sink; memory of aad, in MiB.

    `strangers`: as in a Run.
    """

    cpu: float
    directory: float
    load: float
    peak: float
    pss: float
    strangers: float = 0.0


@dataclass(frozen=True)
class Spread:
    """A median, and the least and the most of what it is the median of."""

    median: float
    least: float
    most: float


@dataclass(frozen=True)
class Ratio:
    """One median by the other, and the spread of the rounds' own ratios. `noise`: no difference is visible."""

    spread: Spread
    noise: bool


def run_of(tally: Tally, cost: Cost) -> Run:
    """Work out the figures of one run; without any accepted login, CPU and times are 0."""
    accepted = tally.accepted
    by_login = 1000 / accepted if accepted else 0.0
    challenge, accept = _quantiles(tally.challenge), _quantiles(tally.accept)
    return Run(
        per_second=accepted / tally.seconds if tally.seconds else 0.0,
        challenge_p50=challenge[0],
        challenge_p99=challenge[1],
        accept_p50=accept[0],
        accept_p99=accept[1],
        cpu_ms=cost.cpu * by_login,
        peak_mib=cost.peak,
        pss_mib=cost.pss,
        lost=sum(tally.losses.values()),
        directory_ms=cost.directory * by_login,
        load_ms=cost.load * by_login,
        shed=tally.shed,
        behind=tally.behind,
        strangers=cost.strangers,
    )


def _quantiles(times: Sequence[float]) -> tuple[float, float]:
    """Return p50 and p99; of a single time, it."""
    if len(times) < 2:  # noqa: PLR2004 - statistics wants two
        return (times[0], times[0]) if times else (0.0, 0.0)
    cuts = statistics.quantiles(times, n=100, method="inclusive")
    return cuts[49], cuts[98]


def spread(values: Sequence[float]) -> Spread:
    """Return the median of at least one value, with its spread."""
    return Spread(statistics.median(values), min(values), max(values))


def ratio(ones: Sequence[float], others: Sequence[float]) -> Ratio | None:
    """Compare two checkouts by what each came to in the same rounds. None: one of them came to nothing.

    They differ if the one was ahead in every round; by chance alone, that happens in one of 16 comparisons of 5 rounds.
    """
    if not all(others) or not all(ones):
        return None
    each = [one / other for one, other in zip(ones, others, strict=True)]
    noise = len(each) < FEW or min(each) <= 1 <= max(each)
    return Ratio(Spread(statistics.median(ones) / statistics.median(others), min(each), max(each)), noise)
