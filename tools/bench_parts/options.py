"""The command line of tools/bench, and which options exclude each other. Standard library only, for --help."""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.bench_parts.figures import Demand

ROUNDS, COMPARED = 3, 5  # rounds by default; of a comparison
IN_FLIGHT = "1,16,64"
MOST_AT_ONCE = 2000  # logins under way, each of another user
ABOUT = """
Whole logins (password against slapd, code by mail, code typed) against the real daemon, which is measured alone: CPU
out of /proc, for one accepted login. slapd, mail sink and load share the machine's cores with it, so logins/s is what
this machine does with all of them; the CPU says what aad costs. Latency is counted from when a request is sent.
"""
EXAMPLE = """examples:
  tools/bench --in-flight 16,64 --log journal       with records to a real journald
  tools/bench --workers 2 --mail-ms 100             two processes, and a mail server that takes its time
  tools/bench --against main                        this checkout and that one, in alternating rounds
  tools/bench --rate 100,200,400,800 --plot f.png   logins begun at a rate, whether others have ended or not; drawn
  tools/bench --names 10000,1000000                 memory, disk and speed with so many names in the store
  tools/bench --clients 1,1000,20000                ... with so many [clients.*] in aad.toml"""


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options. `names`, `clients`: measure growth with these; else `demands` are measured."""

    demands: tuple[Demand, ...]
    seconds: float
    rounds: int
    workers: int
    log: str
    store: str
    mail_ms: float
    connections: int
    tls: bool
    against: str
    json: Path | None
    plot: Path | None
    names: tuple[int, ...]
    clients: tuple[int, ...]


def parsed(words: Sequence[str]) -> Options:
    """Read the command line; what can't be done ends in usage and one line, and exit code 2."""
    parser = _parser()
    given = parser.parse_args(words)
    found = [*_faults(given), *missing(given.log, given.store)]
    if found:
        parser.error(found[0])
    flights = given.in_flight or ([] if given.rate else [int(number) for number in IN_FLIGHT.split(",")])
    demands = [*(Demand(in_flight=int(number)) for number in flights), *(Demand(rate=rate) for rate in given.rate)]
    return Options(
        demands=tuple(demands),
        rounds=given.rounds or (COMPARED if given.against else ROUNDS),
        names=tuple(map(int, given.names)),
        clients=tuple(map(int, given.clients)),
        **{key: getattr(given, key) for key in (*_PLAIN, "seconds", "plot", "json")},
    )


_PLAIN = ("workers", "log", "store", "mail_ms", "connections", "tls", "against")


def _faults(given: argparse.Namespace) -> Iterator[str]:
    """Yield what can't be asked for together."""
    grows = given.names or given.clients
    if given.in_flight and given.rate:
        yield "--in-flight begins a login when another one has ended, --rate by the clock: choose one"
    if given.plot and len(given.rate) < 2:  # noqa: PLR2004 - a line has two ends
        yield "--plot draws latency against several rates: add such as --rate 100,200,400"
    if given.plot and given.plot.suffix != ".png":
        yield f"--plot writes PNG: {given.plot} should end in .png"
    for option in ("plot", "json"):
        file: Path | None = getattr(given, option)
        if file and not file.absolute().parent.is_dir():
            yield f"--{option}: there is no folder {file.absolute().parent}"
    if given.names and given.clients:
        yield "--names and --clients both say what shall grow: choose one"
    if grows and (given.in_flight or given.rate or given.plot or given.against or given.json):
        yield "--names and --clients bring their own load, for one checkout: leave out --in-flight and the like"
    if given.names and given.store != "sqlite":
        yield "--names fills the embedded store: leave out --store"
    if any(number > MOST_AT_ONCE for number in given.in_flight):
        yield f"--in-flight: more than {MOST_AT_ONCE} at a time need more users than the directory has"


def missing(log: str, store: str) -> Iterator[str]:
    """Yield what this machine lacks."""
    for program, package, needed in (
        ("slapd", "slapd", True),
        ("redis-server", "redis-server", store == "valkey"),
        ("unshare", "util-linux", log == "journal"),
    ):
        if needed and not shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin"):
            yield f"{program} is missing: apt-get install {package}"
    if log == "journal" and os.geteuid():
        yield "--log journal starts a journald in a mount namespace of its own, which only root may"
    if log == "journal" and not Path("/lib/systemd/systemd-journald").exists():
        yield "--log journal needs systemd's journald: apt-get install systemd"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tools/bench",
        description=ABOUT,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--in-flight", type=_counts, default=[], metavar="N,N", help=f"logins at a time; default: {IN_FLIGHT}")
    add("--rate", type=_numbers, default=[], metavar="R,R", help="or logins begun a second (open loop)")
    add("--seconds", type=_positive, default=5.0, metavar="S", help="for one run; default: 5")
    add("--rounds", type=_count, metavar="N", help=f"default: {ROUNDS}, with --against {COMPARED}")
    add("--workers", type=_count, default=1, metavar="N", help="processes of aad; default: 1")
    add("--log", choices=("stderr", "journal"), default="stderr", help="journal: a journald is started")
    add("--store", choices=("sqlite", "valkey"), default="sqlite", help="valkey: a redis-server is started")
    add("--tls", action="store_true", help="LDAPS instead of LDAP")
    add("--mail-ms", type=_at_least_0, default=0.0, metavar="MS", help="what the mail server takes for a mail")
    add("--connections", type=_count, default=0, metavar="N", help="connections of the sender; default: aad's own")
    add("--against", default="", metavar="REV", help="a commit, or a folder with a checkout, to compare with")
    add("--json", type=Path, metavar="FILE", help="write every run there")
    add("--plot", type=Path, metavar="FILE", help="draw rate against latency, as PNG; needs matplotlib")
    add("--names", type=_counts, default=[], metavar="N,N", help="so many names in the store: what grows with them")
    add("--clients", type=_counts, default=[], metavar="N,N", help="so many clients in aad.toml: what grows with them")
    return parser


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        message = f'"{text}" should be a number'
        raise argparse.ArgumentTypeError(message) from None


def _positive(text: str) -> float:
    if not 0 < (number := _number(text)) < 1e9:  # noqa: PLR2004 - and it is no NaN
        message = f'"{text}" should be more than 0'
        raise argparse.ArgumentTypeError(message)
    return number


def _at_least_0(text: str) -> float:
    return 0.0 if text == "0" else _positive(text)


def _count(text: str) -> int:
    number = _positive(text)
    if number != int(number):
        message = f'"{text}" should be a whole number'
        raise argparse.ArgumentTypeError(message)
    return int(number)


def _numbers(text: str) -> list[float]:
    return [_positive(each) for each in text.split(",")]


def _counts(text: str) -> list[int]:
    return [_count(each) for each in text.split(",")]


if __name__ == "__main__":
    _parser().parse_args()
