"""Rate against latency as a picture: the only door to matplotlib, which comes with the extra [bench]."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tools.bench_parts.checkouts import CannotMeasureError
from tools.bench_parts.figures import Spread, spread
from tools.bench_parts.table import Runs

COLOURS = ("#0072b2", "#d55e00")  # told apart by everybody
DOTS = 120  # an inch


def drawable() -> None:
    """Make sure that it can be drawn, before anything is measured. CannotMeasureError."""
    if importlib.util.find_spec("matplotlib") is None:
        message = "--plot needs matplotlib: pip install 'aad[bench]' (or pip install matplotlib)"
        raise CannotMeasureError(message)


def draw(runs: Runs, names: Sequence[str], title: str, file: Path) -> None:
    """Draw both checkouts: offered rate against what was accepted, and against the latencies."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - heavy, and only asked for here

    figure: Any = Figure(figsize=(9, 9), layout="constrained")
    achieved, latency = figure.subplots(2, 1, sharex=True, height_ratios=(2, 3))
    figure.suptitle(title)
    rates = sorted({demand.rate for _, demand in runs})
    achieved.plot(rates, rates, color="0.6", linewidth=1, linestyle=":", label="all that is offered")
    for name, colour in zip(names, COLOURS, strict=False):
        of = f"{name}: " if len(names) > 1 else ""
        _line(achieved, rates, _points(runs, name, "per_second"), {"color": colour, "label": f"{of}accepted"})
        for key, label, style, marker in (
            ("challenge_p50", "challenge p50", "-", "o"),
            ("challenge_p99", "challenge p99", "--", "o"),
            ("accept_p99", "accept p99", "-.", "^"),
        ):
            look = {"color": colour, "label": of + label, "linestyle": style, "marker": marker}
            _line(latency, rates, _points(runs, name, key), look, between=key == "challenge_p99")
    achieved.set_ylabel("accepted (logins/s)")
    achieved.set_ylim(bottom=0)
    latency.set_ylabel("latency (ms, logarithmic)")
    latency.set_yscale("log")
    latency.yaxis.set_major_formatter("{x:g}")
    latency.set_xlabel("offered (logins/s)")
    for axes in (achieved, latency):
        axes.grid(visible=True, which="major", color="0.88")
        axes.legend()
    figure.savefig(file, dpi=DOTS, format="png")


def _points(runs: Runs, name: str, key: str) -> list[Spread]:
    """Return one key of the runs of a checkout, by rate."""
    found = sorted((demand.rate, each) for (checkout, demand), each in runs.items() if checkout == name)
    return [spread([getattr(run, key) for run in each]) for _, each in found]


def _line(
    axes: Any, rates: Sequence[float], points: Sequence[Spread], look: dict[str, str], *, between: bool = True
) -> None:
    """Draw medians, and around them what the rounds came to, where that doesn't hide the others."""
    axes.plot(rates, [point.median for point in points], **{"marker": "o", "markersize": 4, **look})
    if between:
        edges = ([point.least for point in points], [point.most for point in points])
        axes.fill_between(rates, *edges, color=look["color"], alpha=0.12, linewidth=0)
