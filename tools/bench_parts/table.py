"""The table at the end: medians with the spread of the rounds, and how two checkouts compare."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tools.bench_parts.figures import FEW, Demand, Run, Spread, ratio, spread

Runs = Mapping[tuple[str, Demand], Sequence[Run]]
"""By the name of the checkout and what was asked of it: its runs, one for each round."""

COLUMNS = (  # of a Run; its heading; digits behind the point
    ("per_second", "logins/s", 0),
    ("challenge_p50", "challenge p50 ms", 1),
    ("challenge_p99", "p99 ms", 1),
    ("accept_p99", "accept p99 ms", 1),
    ("cpu_ms", "CPU ms per login", 2),
    ("peak_mib", "memory MiB", 0),
    ("lost", "lost", 0),
)
NOISE = "~"
ALONE = 0.05  # of a machine that others may use


def table(runs: Runs, names: Sequence[str]) -> str:
    """Write all runs; of two checkouts, also the ratio of the first to the second."""
    demands = list(dict.fromkeys(demand for _, demand in runs))
    several = len(names) > 1
    rows = [["", *(["checkout"] if several else []), *(heading for _, heading, _ in COLUMNS)]]
    for demand in demands:
        for name in names:
            medians = _medians(runs[name, demand])
            rows.append([str(demand), name, *medians] if several else [str(demand), *medians])
        if several:
            rows.append([str(demand), "ratio", *_ratios(runs[names[0], demand], runs[names[1], demand])])
    return aligned(rows)


def notes(runs: Runs, names: Sequence[str]) -> Iterator[str]:
    """Say what the table doesn't: what the others cost, and what makes its figures doubtful."""
    every = [run for each in runs.values() for run in each]
    rounds = max(map(len, runs.values()))
    yield f"medians of {_rounds(rounds)} (least to most); memory: the most that was resident, all of aad's processes"
    for name in names:
        mine = [run for (checkout, _), each in runs.items() if checkout == name for run in each if run.per_second]
        if mine:
            slapd, load = spread([run.directory_ms for run in mine]), spread([run.load_ms for run in mine])
            yield (
                f"{name}: beside it, slapd took {slapd.median:.2f} ms of CPU per login, load and mail sink "
                f"{load.median:.2f} ms; in shared pages counted once, aad's memory is "
                f"{max(run.pss_mib for run in mine):.0f} MiB"
            )
    if len(names) > 1:
        few = f"; fewer than {FEW} rounds can't tell" if rounds < FEW else ""
        yield f"ratio: {names[0]} by {names[1]}; {NOISE} within the noise: not every round says the same{few}"
    yield from disturbed(max(run.strangers for run in every))
    if shed := sum(run.shed for run in every):
        yield f"{shed} logins were not begun, since too many were under way: more is offered than is done"
    if (behind := max(run.behind for run in every)) > 50:  # noqa: PLR2004 - milliseconds; then it is no open loop
        yield f"the load itself was late by up to {behind:.0f} ms: this machine can't offer that much"


def disturbed(strangers: float) -> Iterator[str]:
    """Say that others used the machine, if they did: which part of it, 0 to 1."""
    if strangers > ALONE:
        yield (
            f"up to {strangers:.0%} of this machine went to programs that have nothing to do with it: "
            "the figures are worse than aad; only those of alternating rounds can be compared"
        )


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Write rows as a table of Markdown that can be read as it is; the first one is the head."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    return "\n".join([lines[0], "| " + " | ".join("-" * max(width, 3) for width in widths) + " |", *lines[1:]])


def written(values: Spread, digits: int) -> str:
    """Write a median, and its spread if there is one."""
    median, least, most = (f"{value:.{digits}f}" for value in (values.median, values.least, values.most))
    return median if least == most else f"{median} ({least}-{most})"


def _rounds(count: int) -> str:
    return "one round" if count == 1 else f"{count} rounds"


def _medians(runs: Sequence[Run]) -> Iterator[str]:
    for key, _, digits in COLUMNS:
        yield written(spread([getattr(run, key) for run in runs]), digits)


def _ratios(ones: Sequence[Run], others: Sequence[Run]) -> Iterator[str]:
    for key, _, _ in COLUMNS:
        compared = ratio([getattr(run, key) for run in ones], [getattr(run, key) for run in others])
        yield "" if compared is None else written(compared.spread, 2) + f" {NOISE}" * compared.noise
