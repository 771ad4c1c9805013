"""tools/bench: start the parts, measure in rounds, and end with one table."""

from __future__ import annotations

import json
import os
import platform
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import FrameType

from tests.parts.daemon import Daemon
from tools.bench_parts import growth, plot
from tools.bench_parts.checkouts import CannotMeasureError, Checkout, other, this
from tools.bench_parts.figures import Demand, Run
from tools.bench_parts.load import Order
from tools.bench_parts.options import MOST_AT_ONCE, Options, parsed
from tools.bench_parts.progress import Progress
from tools.bench_parts.table import notes, table
from tools.bench_parts.yard import Yard

USERS = 500
WARM = 2.0  # seconds, at most


def main(words: Sequence[str] | None = None) -> int:
    """Measure as asked; 130: it was ended by Ctrl-C, 1: nothing could be measured."""
    options, progress = parsed(sys.argv[1:] if words is None else words), Progress(sys.stderr)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        if options.plot:
            plot.drawable()
        with tempfile.TemporaryDirectory(prefix="aad-bench-") as folder:
            if options.names or options.clients:
                print(growth.measured(Path(folder), options, progress))
            else:
                _compared(Path(folder), options, progress)
    except KeyboardInterrupt:
        progress.say("ended before its time; nothing is left behind")
        return 130
    except CannotMeasureError as error:
        progress.say(f"tools/bench: {error}")
        return 1
    return 0


def _end(_number: int, _frame: FrameType | None) -> None:
    """End in order, and only once: what is being ended must not be interrupted."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _compared(folder: Path, options: Options, progress: Progress) -> None:
    """Measure this checkout, or this one and another one, and print."""
    with ExitStack() as stack:
        checkouts = [this()]
        if options.against:
            checkouts.append(stack.enter_context(other(options.against, folder)))
        progress.passing("starting slapd, load and daemon ...")
        yard = stack.enter_context(Yard(folder, options, _users(options)))
        runs = _rounds(yard, checkouts, options, progress)
    names = [checkout.name for checkout in checkouts]
    progress.clear()
    said = [table(runs, names), "", *notes(runs, names)]
    print("\n".join(said))
    if options.json:
        options.json.write_text(json.dumps(_written(runs, options), indent=1) + "\n")
    if options.plot:
        title = f"aad: whole logins on {_machine()['cores']} cores, with {_conditions(options)}"
        plot.draw(runs, names, title, options.plot)


def _users(options: Options) -> int:
    most = max(demand.in_flight for demand in options.demands)
    return MOST_AT_ONCE if any(demand.rate for demand in options.demands) else max(USERS, most)


def _rounds(
    yard: Yard, checkouts: Sequence[Checkout], options: Options, progress: Progress
) -> dict[tuple[str, Demand], list[Run]]:
    """Run all; the checkouts take turns in being the first of a round."""
    daemons = yard.both(checkouts, progress.say)
    warm = Order(port=0, users=yard.users, in_flight=16, seconds=min(WARM, options.seconds))
    for name, daemon in daemons.items():
        progress.passing(f"warming up {name} ...")
        yard.run(daemon, _to(warm, daemon), lambda _: None)
    runs: dict[tuple[str, Demand], list[Run]] = {
        (each.name, demand): [] for demand in options.demands for each in checkouts
    }
    left = len(runs) * options.rounds
    for number in range(options.rounds):
        turn = checkouts if number % 2 == 0 else list(reversed(checkouts))
        for demand in options.demands:
            for each in turn:
                what = f"round {number + 1} of {options.rounds}, {demand}" + f", {each.name}" * (len(checkouts) > 1)
                rest = f"{left * options.seconds:.0f} s to go"
                order = Order(port=0, users=yard.users, seconds=options.seconds, **asdict(demand))
                run, tally = yard.run(
                    daemons[each.name],
                    _to(order, daemons[each.name]),
                    partial(_passing, progress, what, rest),
                )
                runs[each.name, demand].append(run)
                left -= 1
                lost = "".join(f"; lost: {count} {why}" for why, count in tally.losses.items())
                progress.say(f"{what}: {run.per_second:.0f} logins/s, {run.cpu_ms:.2f} ms of CPU each{lost}")
    return runs


def _passing(progress: Progress, what: str, rest: str, accepted: int) -> None:
    progress.passing(f"{what}: {accepted} logins; {rest}")


def _to(order: Order, daemon: Daemon) -> Order:
    return Order(**{**asdict(order), "port": daemon.port})


def _conditions(options: Options) -> str:
    """Say what was measured, in words."""
    parts = [f"{options.workers} workers"] if options.workers > 1 else []
    parts += [f"records to {options.log}", options.store]
    parts += [f"{options.mail_ms:g} ms for a mail"] if options.mail_ms else []
    return ", ".join([*parts, *(["LDAPS"] if options.tls else [])])


def _machine() -> dict[str, object]:
    return {
        "cores": len(os.sched_getaffinity(0)),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
    }


def _written(runs: dict[tuple[str, Demand], list[Run]], options: Options) -> dict[str, object]:
    """Return everything as plain values."""
    every = [
        {"checkout": name, **asdict(demand), "round": number + 1, **asdict(run)}
        for (name, demand), each in runs.items()
        for number, run in enumerate(each)
    ]
    return {"machine": _machine(), "conditions": _conditions(options), "seconds": options.seconds, "runs": every}


if __name__ == "__main__":
    raise SystemExit(main())
