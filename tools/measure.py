"""Full logins with N in flight: slapd, a mail sink and the load in processes of their own; the daemon is measured.

CPU is user + system time of the daemon alone, out of /proc/PID/stat, per accepted login: it says more than logins/s on
a machine where slapd, sink and load share the cores with the daemon.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import re
import socket
import statistics
import tempfile
import time
from collections import deque
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aad.radius import names
from tests.parts.authority import Authority
from tests.parts.daemon import HEAD, Daemon
from tests.parts.directory import Directory
from tests.parts.journald import Journald, JournalDaemon
from tests.parts.raw import Request
from tests.parts.redis import Redis
from tools.loading import CODE, LOST, Sink, Slot, configuration, people

USERS = 500
TICK = os.sysconf("SC_CLK_TCK")
REST = """
[methods.email_otp]
resend_after = "0s"
"""


@dataclass
class Tally:
    """What came of the logins of one run; times in milliseconds."""

    accepted: int = 0
    lost: int = 0
    challenge: list[float] = field(default_factory=list)
    accept: list[float] = field(default_factory=list)
    seconds: float = 0.0


async def load(port: int, mail_port: int, in_flight: int, seconds: float, queue: Any) -> None:
    """Serve the sink and log in until the time is up."""
    codes: dict[bytes, asyncio.Future[bytes]] = {}
    loop, tally = asyncio.get_running_loop(), Tally()

    def taken(recipient: bytes, octets: bytes) -> None:
        code, waiting = CODE.search(octets), codes.get(recipient)
        if code and waiting and not waiting.done():
            waiting.set_result(code[1])

    await loop.create_server(lambda: Sink(taken), "127.0.0.1", mail_port)
    users = deque(range(USERS))
    began = time.monotonic()

    async def slot() -> None:
        _, protocol = await loop.create_datagram_endpoint(Slot, remote_addr=("127.0.0.1", port))
        while time.monotonic() < began + seconds:
            number = users.popleft()
            try:
                await login(protocol, number, codes, tally)
            except (TimeoutError, AssertionError):
                tally.lost += 1
            users.append(number)

    await asyncio.gather(*(slot() for _ in range(in_flight)))
    tally.seconds = time.monotonic() - began
    queue.put(tally)


async def login(slot: Slot, number: int, codes: dict[bytes, asyncio.Future[bytes]], tally: Tally) -> None:
    """Log one user in."""
    name, address = f"user{number:04}", f"user{number:04}@example.com".encode()
    code = codes[address] = asyncio.get_running_loop().create_future()
    start = time.perf_counter()
    challenge = await slot.ask(Request(name, f"pw-{number:04}"))
    middle = time.perf_counter()
    assert challenge.code == names.ACCESS_CHALLENGE, challenge.code  # noqa: S101
    state = challenge.first(names.STATE) or b""
    typed = await asyncio.wait_for(code, LOST)
    before = time.perf_counter()
    accept = await slot.ask(Request(name, typed, (names.STATE, state)))
    assert accept.code == names.ACCESS_ACCEPT, accept.code  # noqa: S101
    tally.challenge.append((middle - start) * 1000)
    tally.accept.append((time.perf_counter() - before) * 1000)
    tally.accepted += 1


def cpu(pid: int) -> float:
    """Return the CPU time of a process, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def run(daemon: Daemon, mail_port: int, in_flight: int, seconds: float) -> tuple[Tally, float]:
    """Return one run's tally, and the daemon's CPU seconds for it."""
    queue: Any = multiprocessing.Queue()
    before = cpu(daemon.child.pid)
    child = multiprocessing.Process(
        target=lambda: asyncio.run(load(daemon.port, mail_port, in_flight, seconds, queue)), daemon=True
    )
    child.start()
    tally: Tally = queue.get(timeout=seconds + 3 * LOST)
    child.join()
    return tally, cpu(daemon.child.pid) - before


def main() -> int:
    """Measure, and print a line for each run and a table of medians."""
    parser = argparse.ArgumentParser(prog="tools/bench", description=__doc__)
    parser.add_argument("--in-flight", default="1,16,64", metavar="N,N", help="logins at the same time")
    parser.add_argument("--seconds", type=float, default=5.0, help="for one run; default: %(default)s")
    parser.add_argument("--rounds", type=int, default=3, help="of which the median is taken; default: %(default)s")
    parser.add_argument("--tls", action="store_true", help="LDAPS instead of LDAP")
    parser.add_argument(
        "--log",
        choices=("stderr", "journal"),
        default="stderr",
        help="where records go; a journald is started",
    )
    parser.add_argument(
        "--store", choices=("sqlite", "valkey"), default="sqlite", help="valkey: a redis-server is started"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="aad-bench-") as name:
        return measure(Path(name), options)


def started(stack: ExitStack, folder: Path, text: str, *, journal: bool) -> Daemon:
    """Return the daemon, to be started; with a journald of its own, if its records are to go there."""
    more: dict[str, Any] = {"client": 'deadline = "30s"', "head": HEAD.replace('level = "debug"', 'level = "info"')}
    if not journal:
        return Daemon(folder / "aad", text, **more)
    journald = stack.enter_context(Journald(folder / "journal", Path(__file__).parents[1] / "systemd" / "aad.catalog"))
    return JournalDaemon(folder / "aad", text, journald, **more)


def measure(folder: Path, options: argparse.Namespace) -> int:
    """Start the parts and run every round."""
    flights = [int(number) for number in options.in_flight.split(",")]
    for part in ("ca", "ldap"):
        (folder / part).mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        mail_port = probe.getsockname()[1]
    with Directory(folder / "ldap", Authority(folder / "ca"), people(USERS)) as directory:
        text = configuration(directory, mail_port, REST, tls=options.tls)
        with ExitStack() as stack:
            if options.store == "valkey":
                Daemon.valkey = stack.enter_context(Redis(folder / "redis")).url
            daemon = stack.enter_context(started(stack, folder, text, journal=options.log == "journal"))
            run(daemon, mail_port, max(flights), min(2.0, options.seconds))  # warm
            rows: dict[int, list[Row]] = {flight: [] for flight in flights}
            for number in range(options.rounds):
                for flight in flights:
                    tally, used = run(daemon, mail_port, flight, options.seconds)
                    rows[flight].append(row(tally, used))
                    print(f"round {number + 1}, {flight} in flight: {rows[flight][-1]}", flush=True)
            peak = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{daemon.child.pid}/status").read_text())
    table(rows)
    print(f"\npeak memory of the daemon: {int(peak[1]) / 1024 if peak else 0:.0f} MiB")
    return 0


@dataclass(frozen=True)
class Row:
    """One run in figures."""

    per_second: float
    cpu_ms: float
    challenge: tuple[float, float]
    accept: tuple[float, float]
    lost: int

    @property
    def figures(self) -> tuple[float, ...]:
        """Return them in the order of the table's columns."""
        return (self.per_second, self.cpu_ms, *self.challenge, *self.accept, self.lost)


def row(tally: Tally, used: float) -> Row:
    """Work out the figures of one run."""

    def quantiles(times: list[float]) -> tuple[float, float]:
        cuts = statistics.quantiles(times, n=100) if len(times) > 1 else [0.0] * 99
        return cuts[49], cuts[98]

    accepted = max(1, tally.accepted)
    return Row(
        tally.accepted / tally.seconds,
        used * 1000 / accepted,
        quantiles(tally.challenge),
        quantiles(tally.accept),
        tally.lost,
    )


def table(rows: dict[int, list[Row]]) -> None:
    """Print the medians."""
    print("\n| in flight | logins/s | CPU ms per login | challenge p50 / p99 ms | accept p50 / p99 ms | lost |")
    print("| --- | --- | --- | --- | --- | --- |")
    for flight, runs in rows.items():
        median = [statistics.median(column) for column in zip(*(one.figures for one in runs), strict=True)]
        print("| {} | {:.0f} | {:.2f} | {:.1f} / {:.1f} | {:.1f} / {:.1f} | {:.0f} |".format(flight, *median))


if __name__ == "__main__":
    raise SystemExit(main())
