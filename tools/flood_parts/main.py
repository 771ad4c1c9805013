"""A flood from addresses that are no client, and with wrong authenticators from a client's own, while it logs in.

The attackers, the known client and the daemon share the machine's cores: the figures are this machine's.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import secrets
import socket
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aad.core.secret import Secret
from aad.radius.protocol import client_packets, constants
from tests.parts.authority import Authority
from tests.parts.daemon import HEAD, SECRET, Daemon
from tests.parts.directory import Directory
from tests.parts.ports import free_port
from tests.parts.raw import Request
from tools.flood_parts.options import parser
from tools.parts.mail_sink import CODE, Sink
from tools.parts.nas import Slot
from tools.parts.readings import cpu, memory
from tools.parts.site import configuration, people

KNOWN = "127.0.0.1"
DEADLINE = 2.5  # seconds that the known client waits
USERS = 50
TICK = 0.002
LATE = 1.5  # seconds that attackers go on listening: any answer would be due by then
KINDS = ("unknown", "wrong")


@dataclass(kw_only=True)
class Figures:
    """The figures of one flood."""

    seconds: float = 0.0
    sent: int = 0
    replies: int = 0
    asked: int = 0
    in_time: int = 0
    slowest: float = 0.0
    cpu: float = 0.0
    lines: int = 0
    workers: int = 1
    memory: tuple[int, int] = (0, 0)

    def __str__(self) -> str:
        """Write them for people."""
        before, after = (octets / 1024 / 1024 for octets in self.memory)
        return (
            f"sent to the daemon      {self.sent} in {self.seconds:.1f} s, {self.sent / self.seconds:.0f}/s\n"
            f"replies to attackers    {self.replies}\n"
            f"known client            {self.in_time} of {self.asked} answered within {DEADLINE:g} s, "
            f"{100 * self.in_time / max(1, self.asked):.1f} %; slowest {self.slowest * 1000:.0f} ms\n"
            f"the daemon's CPU        {100 * self.cpu / self.seconds:.0f} % of a core\n"
            f"log lines for the flood {self.lines}\n"
            f"memory                  {before:.1f} -> {after:.1f} MiB"
        )


def attack(kind: str, port: int, rate: float, seconds: float, queue: Any) -> None:
    """Send, as evenly as can be; then listen; put how many were sent and how many answers came."""
    sockets = [socket.socket(type=socket.SOCK_DGRAM) for _ in range(100)]
    for number, each in enumerate(sockets):
        each.bind((KNOWN if kind == "wrong" else f"127.{1 + number}.{secrets.randbelow(256)}.9", 0))
        each.setblocking(False)
        each.connect((KNOWN, port))
    secret = Secret("not what the client has" if kind == "wrong" else SECRET)
    datagrams = [_request("user0001", b"pw-0001", secret) for _ in range(997)]
    sent, began = 0, time.monotonic()
    while (now := time.monotonic()) < began + seconds:
        for number in range(sent, int((now - began) * rate)):
            with contextlib.suppress(OSError):
                sockets[number % 100].send(datagrams[number % 997])
                sent += 1
        time.sleep(TICK)
    time.sleep(LATE)
    replies = 0
    for each in sockets:
        with contextlib.suppress(OSError):
            while each.recv(4096):
                replies += 1
    queue.put((sent, replies))


def _request(name: str, typed: bytes, secret: Secret) -> bytes:
    authenticator = secrets.token_bytes(16)
    given = [(constants.USER_NAME, name.encode()), *client_packets.pap(Secret(typed), authenticator, secret)]
    return client_packets.request(secrets.randbelow(256), authenticator, given, secret)


class Ending(Sink):
    """A sink's connection that can be ended from this side."""

    def end(self) -> None:
        """Cut it."""
        self._transport.abort()


class Known:
    """The client who has the secret: so many logins a second, whatever became of those before; asks each time once."""

    def __init__(self, port: int, mail_port: int, figures: Figures) -> None:
        """Count into `figures`."""
        self._port, self._mail_port, self._figures = port, mail_port, figures
        self._codes: dict[bytes, asyncio.Future[bytes]] = {}
        self._connections: list[Ending] = []

    async def work(self, rate: float, seconds: float) -> None:
        """Log in."""
        loop = asyncio.get_running_loop()
        sink = await loop.create_server(self._connected, KNOWN, self._mail_port)
        began, logins = loop.time(), []
        for number in range(int(rate * seconds)):
            await asyncio.sleep(began + number / rate - loop.time())
            logins.append(asyncio.create_task(self._login(number % USERS)))
        await asyncio.gather(*logins)
        sink.close()
        for each in self._connections:
            each.end()
        await asyncio.sleep(0)

    def _connected(self) -> Ending:
        self._connections.append(Ending(self._taken))
        return self._connections[-1]

    def _taken(self, recipient: bytes, octets: bytes) -> None:
        code, waiting = CODE.search(octets), self._codes.get(recipient)
        if code and waiting and not waiting.done():
            waiting.set_result(code[1])

    async def _login(self, number: int) -> None:
        loop = asyncio.get_running_loop()
        transport, slot = await loop.create_datagram_endpoint(Slot, remote_addr=(KNOWN, self._port))
        code = self._codes[f"user{number:04}@example.com".encode()] = loop.create_future()
        challenge = await self._ask(slot, number, f"pw-{number:04}".encode(), None)
        if challenge is not None:
            typed = await asyncio.wait_for(code, DEADLINE)
            await self._ask(slot, number, typed, challenge)
        transport.close()

    async def _ask(self, slot: Slot, number: int, typed: bytes, state: bytes | None) -> bytes | None:
        """Ask once; return the State of the answer, None: there was no good one in time."""
        figures, began = self._figures, time.monotonic()
        figures.asked += 1
        try:
            given = [(constants.STATE, state)] if state else []
            reply = await slot.ask(Request(f"user{number:04}", typed, *given), wait=DEADLINE)
        except TimeoutError:
            return None
        figures.slowest = max(figures.slowest, time.monotonic() - began)
        figures.in_time += reply.code == (constants.ACCESS_ACCEPT if state else constants.ACCESS_CHALLENGE)
        return reply.first(constants.STATE)


@contextlib.contextmanager
def victim(folder: Path) -> Iterator[tuple[Daemon, int]]:
    """Start a directory and a daemon that has one client; give the daemon, and the port where its mail should go."""
    mail_port = free_port()
    (folder / "ldap").mkdir(parents=True)
    head = HEAD.replace('["127.0.0.0/8", "::1"]', f'["{KNOWN}"]')
    with Directory(folder / "ldap", Authority(folder / "ca"), people(USERS)) as directory:
        text = configuration(directory, mail_port)
        with Daemon(folder / "aad", text, head=head) as daemon:
            yield daemon, mail_port


def flood(folder: Path, *, rate: float, seconds: float, logins: float = 10.0) -> Figures:
    """Flood with `rate` datagrams a second, half of each kind, while a known client logs in."""
    figures, spawn = Figures(seconds=seconds), multiprocessing.get_context("spawn")
    with victim(folder) as (daemon, mail_port):
        asyncio.run(Known(daemon.port, mail_port, Figures()).work(logins, 1.0))  # warm
        queue = spawn.Queue()
        figures.workers = daemon.workers
        before, lines, resident = _cpu(daemon), _discards(daemon), _memory(daemon)
        attackers = [spawn.Process(target=attack, args=(kind, daemon.port, rate / 2, seconds, queue)) for kind in KINDS]
        for each in attackers:
            each.start()
        while not _discards(daemon):  # they have begun
            time.sleep(TICK)
        asyncio.run(Known(daemon.port, mail_port, figures).work(logins, seconds))
        for sent, replies in [queue.get(timeout=seconds + 30) for _ in attackers]:
            figures.sent += sent
            figures.replies += replies
        for each in attackers:
            each.join()
        figures.cpu, figures.lines = _cpu(daemon) - before, _discards(daemon) - lines
        figures.memory = resident, _memory(daemon)
        if daemon.records("fault") or daemon.strays():
            raise AssertionError(daemon.records("fault"), daemon.strays())
    return figures


def _cpu(daemon: Daemon) -> float:
    return sum(map(cpu, daemon.pids))


def _memory(daemon: Daemon) -> int:
    return sum(map(memory, daemon.pids))


def _discards(daemon: Daemon) -> int:
    return len(daemon.records("request.discarded"))


def main() -> int:
    """Flood, and print the figures; 1: an octet went out, the known client starved, or the log grew."""
    options = parser().parse_args()
    with tempfile.TemporaryDirectory(prefix="aad-flood-") as name:
        figures = flood(Path(name), rate=options.rate, seconds=options.seconds, logins=options.logins)
    print(figures)
    return 0 if withstood(figures) else 1


def withstood(figures: Figures) -> bool:
    """Say whether the daemon kept requirement 26."""
    return (
        not figures.replies
        and figures.in_time >= 0.95 * figures.asked
        and figures.lines <= 2 * len(KINDS) * figures.workers
    )


if __name__ == "__main__":
    raise SystemExit(main())
