"""The table at the end of a soak, and whether any of its musts is broken."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.parts.daemon import Daemon
from tools.soak_parts.monitor import Health
from tools.soak_parts.outages import MailRoom, Outage, Outages
from tools.soak_parts.users import Tally

RECOVERY = 5.0  # seconds from a back end's return to the next login that goes well, at most
GROWTH = (1.05, 1.5)  # times the memory, and the descriptors, after the first minute, at most
MINUTE = 60  # samples
MOST = 10  # lines of one kind that are shown

Row = tuple[str, str, bool]
"""What, how much, and whether that is as it must be."""


def print_table(daemon: Daemon, tally: Tally, outages: Outages, room: MailRoom, health: Health) -> bool:
    """Print what came of everything, and say whether all is well."""
    again = [f"{word}: {count} mails" for word, count in room.by_reference.items() if count > 1]
    forbidden = {
        "lost (unanswered or refused without a reason)": tally.lost,
        "let in without the right code": tally.let_in,
        "second mails for one login": [*tally.second_mails, *again],
        "double accepts": tally.double_accepts,
        "tracebacks and `fault` records": _faults(daemon),
    }
    rows = [*_counts(tally, room), *((what, str(len(those)), not those) for what, those in forbidden.items())]
    rows += [_reloads(daemon, outages), *_health(health), *_recoveries(outages.all)]
    print("\n| what | how much | |\n| --- | --- | --- |")
    for what, figure, well in rows:
        print(f"| {what} | {figure} | {'' if well else 'BROKEN'} |")
    _print_seen(outages.all)
    for what, those in forbidden.items():
        for line in those[:MOST]:
            print(f"{what}: {line}")
    return all(well for _, _, well in rows)


def _faults(daemon: Daemon) -> list[str]:
    return [*daemon.strays(), *(str(record) for record in daemon.records("fault", "configuration.refused"))]


def _reloads(daemon: Daemon, outages: Outages) -> Row:
    done, asked = len(daemon.records("configuration.loaded")), sum("reload" in one.kind for one in outages.all)
    return "reloads", f"{done} of {asked}", done == asked


def _counts(tally: Tally, room: MailRoom) -> Iterator[Row]:
    yield "logins offered", f"{tally.offered} ({_listed(tally.kinds)})", True
    yield "accepted", str(tally.accepted), True
    yield "refused, as expected", str(tally.refused), True
    yield "unanswered while a back end was down", _listed(tally.unanswered) or "0", True
    yield "mails", str(room.by_reference.total()), True


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{what.replace('_', ' ')} {count}" for what, count in counts.most_common())


def _health(health: Health) -> Iterator[Row]:
    first, last = health.samples[0], health.samples[-1]
    minute = health.samples[min(MINUTE, len(health.samples) - 1)]
    for number, (what, unit) in enumerate((("memory", 1024), ("descriptors", 1))):
        figures = " / ".join(f"{one[number] / unit:.{unit > 1:d}f}" for one in (first, minute, last))
        most = max(one[number] for one in health.samples) / unit
        well = last[number] <= minute[number] * GROWTH[number]
        yield f"{what} at start / after a minute / at the end", f"{figures} (at most {most:.0f})", well
    slowest = max(health.probes, default=0.0) * 1000
    probes = f"{len(health.probes)} answered, {health.unanswered} not; slowest {slowest:.0f} ms"
    yield "Status-Server", probes, not health.unanswered
    yield "rubbish", f"{health.garbage} datagrams, {health.replies} replies", not health.replies


def _recoveries(outages: list[Outage]) -> Iterator[Row]:
    by_kind: dict[str, list[float]] = defaultdict(list)
    for outage in outages:
        by_kind[outage.kind].append(outage.recovery)
    for kind, times in by_kind.items():
        figures = ", ".join(f"{seconds:.1f}" for seconds in times)
        yield f"recovery: {kind}", f"{figures} s", max(times) < RECOVERY


def _print_seen(outages: list[Outage]) -> None:
    """Print each outage, and what the users saw who gave their password meanwhile."""
    print("\n| outage | s | recovery s | silence | reject | challenge |\n| --- | --- | --- | --- | --- | --- |")
    for one in outages:
        lasted, seen = one.returned - one.began, one.seen
        print(f"| {one.kind} | {lasted:.1f} | {one.recovery:.1f} |", end="")
        print("".join(f" {seen[what]} |" for what in ("silence", "reject", "challenge")))
    print()
