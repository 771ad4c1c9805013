"""Growth with the number of names in the store, and of clients in aad.toml: memory, disk, start, speed."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_network
from pathlib import Path

from aad.core.secret import Secret
from aad.login import lockout, messenger
from aad.ports import Wiring
from aad.radius.clients import Client, Clients
from aad.stores.sqlite import MOST_COUNTERS, Sqlite, SqliteSettings, statements
from aad.stores.sqlite.file import checkpoint, opened, restart_log
from tests.parts.daemon import Daemon
from tools.bench_parts.checkouts import this
from tools.bench_parts.figures import Run
from tools.bench_parts.load import Order
from tools.bench_parts.options import Options
from tools.bench_parts.progress import Progress
from tools.bench_parts.table import aligned, disturbed
from tools.bench_parts.yard import Yard
from tools.parts.readings import cpu, memory, peak

MOST_REAL = 20_000  # users of the directory that log in; the other names are seeded
AGAIN = 500  # users whose speed is measured, before and after the others
IN_FLIGHT = 64
IDLE = 5.0  # seconds
MOST_KNOWN = MOST_COUNTERS - 5000  # a full store refuses logins, which need counters of their own
DAY = 86400.0
LIMIT = "1000000 per 1d"  # of mails: a counter for each user that logs in, which lasts
SEEDED_AT_ONCE = 10_000  # counters in one transaction
LOOKUPS = 20_000
NAMES = ("names", "of them logged in or refused by it", "octets each", "store MiB")
COMMON = (
    *("start s", "resident MiB at start", "after", "most", "idle CPU %"),
    *("logins/s before", "after", "CPU ms", "after"),
)
NOTE_NAMES = """\
names: users with a counter in the store, half of them for mails, half for a failed login. As many as {real} of them
came by real logins (half right, half with a wrong password); the others were written by the store's own statement.
The store takes {most} counters and refuses new names then, so a few thousand are left free."""
NOTE_CLIENTS = """\
clients: [clients.NAME] tables, each with a network and a secret of its own. lookup: by an address not asked before."""


def measured(folder: Path, options: Options, progress: Progress) -> str:
    """Measure one after the other, each with a fresh daemon; return the table."""
    real = min(MOST_REAL, max(options.names)) if options.names else 0
    progress.passing("starting slapd and load ...")
    with Yard(folder, options, max(AGAIN, real)) as yard:
        if options.names:
            rows: list[list[str]] = [[*NAMES, *COMMON]]
            rows += [_names(yard, folder, count, progress) for count in options.names]
            note = NOTE_NAMES.format(real=real, most=MOST_COUNTERS)
        else:
            rows = [["clients", "lookup µs", *COMMON]]
            rows += [_clients(yard, count, progress) for count in options.clients]
            note = NOTE_CLIENTS
    progress.clear()
    return "\n".join((aligned(rows), "", note, *disturbed(yard.strangers)))


def _names(yard: Yard, folder: Path, count: int, progress: Progress) -> list[str]:
    """Measure one daemon whose store gets to know so many names."""
    daemon = yard.daemon(this(), yard.text(LIMIT), f"names-{count}")
    daemon.file.write_text(daemon.file.read_text() + '[lockout]\nattempts = 1000\nperiod = "86400s"\n')
    real = min(count, yard.users)
    file = daemon.folder / "state.db"
    _seed(file, min(count, MOST_KNOWN) - real, progress)
    common = _Common(yard, daemon, progress, f"{count} names").measure(real)
    daemon.stop()
    octets = sum(each.stat().st_size for each in folder.glob(f"{daemon.folder.name}/state.db*"))
    known = asyncio.run(_counted(file))
    return [f"{known}", f"{real}", f"{octets / known:.0f}", f"{octets / 2**20:.0f}", *common]


def _clients(yard: Yard, count: int, progress: Progress) -> list[str]:
    """Measure one daemon that has so many clients."""
    more = "".join(
        f'[clients.c{number}]\nnetworks = ["{network}"]\nsecret = "a secret of number {number}"\nevent = "vpn"\n'
        for number, network in enumerate(networks(count - 1))
    )
    daemon = yard.daemon(this(), yard.text() + more, f"clients-{count}")
    common = _Common(yard, daemon, progress, f"{count} clients").measure(0)
    daemon.stop()
    return [f"{count}", f"{lookup(count) * 1e6:.1f}", *common]


@dataclasses.dataclass
class _Common:
    """The measurements of one daemon."""

    yard: Yard
    daemon: Daemon
    progress: Progress
    what: str

    def measure(self, real: int) -> list[str]:
        """Start it, measure its speed, let `real` users come, measure again; return the cells of COMMON."""
        self.progress.passing(f"{self.what}: starting ...")
        started = self.yard.started(self.daemon, this())
        self._run(AGAIN, seconds=1.0)  # the first connections
        at_start, idle = memory(self.daemon.child.pid), self._idle()
        before = self._run(AGAIN)
        if real:
            self._run(real // 2, first=0, logins=real // 2)
            self._run(real - real // 2, first=real // 2, logins=real - real // 2, wrong=True)
        after = self._run(AGAIN)
        pid = self.daemon.child.pid
        mib = [f"{octets / 2**20:.0f}" for octets in (at_start, memory(pid), peak(pid))]
        speeds = [f"{run.per_second:.0f}" for run in (before, after)]
        costs = [f"{run.cpu_ms:.2f}" for run in (before, after)]
        self.progress.say(f"{self.what}: {mib[1]} MiB, {speeds[1]} logins/s")
        return [f"{started:.1f}", *mib, f"{idle:.1f}", *speeds, *costs]

    def _run(
        self, users: int, *, first: int = 0, seconds: float = 0.0, logins: int = 10**9, wrong: bool = False
    ) -> Run:
        ends = seconds or (1e9 if logins < 10**9 else self.yard.seconds)
        order = Order(
            port=self.daemon.port,
            users=users,
            first=first,
            in_flight=IN_FLIGHT,
            seconds=ends,
            logins=logins,
            wrong=wrong,
        )
        doing = "wrong passwords" if wrong else "logins"
        run, tally = self.yard.run(
            self.daemon, order, lambda accepted: self.progress.passing(f"{self.what}: {accepted} {doing}")
        )
        for why, lost in tally.losses.items():
            self.progress.say(f"{self.what}: {lost} {doing} lost: {why}")
        return run

    def _idle(self) -> float:
        """Return the load of an idle daemon, in percent of a core."""
        self.progress.passing(f"{self.what}: idle for {IDLE:g} s")
        before, began = cpu(self.daemon.child.pid), time.monotonic()
        time.sleep(IDLE)
        return 100 * (cpu(self.daemon.child.pid) - before) / (time.monotonic() - began)


def _store(file: Path) -> Sqlite:
    return Sqlite(SqliteSettings(path=file), Wiring(name="store", key=Secret(b"")))


def _seed(file: Path, count: int, progress: Progress) -> None:
    """Count something for so many names, by the store's own statement, many in one transaction."""
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    common = {"now": now, "until": now + DAY, "limit": 10, "extend": True}
    with contextlib.closing(opened(file, now)[0]) as connection:
        for first in range(0, count, SEEDED_AT_ONCE):
            progress.passing(f"{first} of {count} names seeded")
            with connection:
                connection.execute("BEGIN")
                connection.executemany(
                    statements.INCREMENT,
                    (
                        {**common, "kind": kind, "scope": scope, "name": f"corp\nsomebody{number:08}"}
                        for number in range(first, min(first + SEEDED_AT_ONCE, count))
                        for kind, scope in ((lockout.UNKNOWN, "vpn") if number % 2 else (messenger.KIND, "user"),)
                    ),
                )
            checkpoint(file)
        restart_log(file, now)


async def _counted(file: Path) -> int:
    """Return how many names count in a store."""
    async with _store(file) as store:
        return len({tally.name for kind in (lockout.UNKNOWN, messenger.KIND) for tally in await store.counters(kind)})


def networks(count: int) -> Iterator[str]:
    """Give so many networks of several lengths, none within another."""
    for number in range(count):
        yield str(ip_network((0x0A000000 + (number << 8), (32, 29, 28, 24)[number % 4])))


def lookup(count: int, clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the seconds that it takes to find the client at an address that hasn't been asked for of late."""
    theirs: Sequence[str] = ["127.0.0.0/8", *networks(count - 1)]
    secret = (Secret("a secret of theirs"),)
    clients = Clients(Client(f"c{number}", (each,), secret, "vpn") for number, each in enumerate(theirs))
    addresses = [str(ip_network(each)[0]) for each in theirs]
    if count < LOOKUPS:  # then each would be remembered: ask for others in 127.0.0.0/8
        addresses = [f"127.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}" for number in range(LOOKUPS)]
    began = clock()
    for address in addresses:
        clients.find(address)
    return (clock() - began) / len(addresses)
