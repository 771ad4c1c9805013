"""A long, seeded, mutating run against the live daemon, whose mail server tells a lie a second.

The same seed gives the same datagrams and lies, but for the States that the daemon drew. What must never happen: a
fault, a word on stderr that is no record, an answer that isn't signed, an Access-Accept, growing memory or descriptors.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import secrets
import socket
import tempfile
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from aad.core.secret import Secret
from aad.radius.protocol import client_packets, constants
from aad.radius.protocol.wire import PacketError
from tests.parts.authority import Authority
from tests.parts.daemon import HEAD, SECRET, Daemon
from tests.parts.directory import Directory, Person
from tests.parts.lies.liar import Liar
from tests.parts.lies.smtp import LIES
from tools.fuzz_parts import refusals
from tools.fuzz_parts.mutations import Mutations
from tools.fuzz_parts.options import parser
from tools.parts.probes import Complaints, distinct_names, queued
from tools.parts.readings import descriptors, memory
from tools.parts.site import configuration

USERS = 300
BURST = 40  # datagrams sent before the daemon's queue is waited for
GROWTH = 16 * 1024 * 1024  # octets that memory may still grow in the second half of a run
SPARE = 20  # descriptors: connections to directory and mail server come and go
CODES = {constants.ACCESS_ACCEPT: "accept", constants.ACCESS_REJECT: "reject", constants.ACCESS_CHALLENGE: "challenge"}


@dataclass
class Summary:
    """The result of a run."""

    seed: int
    seconds: float = 0.0
    sent: int = 0
    replies: Counter[str] = field(default_factory=Counter)
    memory: list[int] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """Write it for people."""
        came = ", ".join(f"{count} {kind}" for kind, count in sorted(self.replies.items()))
        mib = [f"{octets / 1024 / 1024:.1f}" for octets in (self.memory[0], self._middle, self.memory[-1])]
        return (
            f"seed {self.seed}: {self.sent} datagrams in {self.seconds:.0f} s ({self.sent / self.seconds:.0f}/s); "
            f"replies: {came or 'none'}\nmemory {' -> '.join(mib)} MiB, descriptors "
            f"{self.descriptors[0]} -> {self.descriptors[-1]} (most {max(self.descriptors)})\n"
            + ("\n".join(self.complaints) or "no complaint")
        )

    def judge(self) -> None:
        """Complain of memory and descriptors that grew in the second half."""
        if self.memory[-1] - self._middle > GROWTH:
            self.complaints.append(f"memory grew by {(self.memory[-1] - self._middle) / 1024 / 1024:.1f} MiB")
        more = self.descriptors[-1] - self.descriptors[len(self.descriptors) // 2]
        if more > SPARE:
            self.complaints.append(f"{more} more descriptors are open")

    @property
    def _middle(self) -> int:
        return self.memory[len(self.memory) // 2]


class Fuzzer:
    """One run against one daemon."""

    def __init__(self, daemon: Daemon, seed: int, mails: Liar | None = None) -> None:
        """Prepare a run; `mails`, if it is given, lies now and then."""
        self._daemon = daemon
        self._mails = mails
        self._lies = random.Random(seed)  # noqa: S311 - to be repeated
        self._mutations = Mutations(seed, USERS)
        self._sent: defaultdict[int, deque[bytes]] = defaultdict(lambda: deque(maxlen=100))
        self._complaints = Complaints(daemon)
        self.last: deque[bytes] = deque(maxlen=2 * BURST)
        self.summary = Summary(seed)

    def run(self, seconds: float, say: Callable[[str], None]) -> Summary:
        """Send for so long; `say` progress every second."""
        began = told = time.monotonic()
        with socket.socket(type=socket.SOCK_DGRAM) as client:
            client.connect((self._daemon.host, self._daemon.port))
            client.setblocking(False)
            self._look()
            while (now := time.monotonic()) < began + seconds and not self.summary.complaints:
                self._burst(client)
                if now >= told + 1:
                    told = now
                    self._look()
                    if self._mails:
                        self._mails.lie(self._lies.choice(("", *LIES)))
                    say(f"{now - began:5.0f} s: {self._progress()}")
            self.summary.seconds = time.monotonic() - began
            time.sleep(1.0)  # answers that are due
            self._read(client)
        self._look()
        self.summary.judge()
        return self.summary

    def _burst(self, client: socket.socket) -> None:
        for _ in range(BURST):
            datagram = self._mutations.next()
            self.last.append(datagram)
            if len(datagram) >= 20:  # noqa: PLR2004 - a header
                self._sent[datagram[1]].append(datagram[:20])
            client.send(datagram)
            self.summary.sent += 1
        self._read(client)
        if not queued(self._daemon.port):
            self.summary.complaints.append("the daemon reads no more")

    def _read(self, client: socket.socket) -> None:
        with suppress(BlockingIOError, ConnectionRefusedError):
            while True:
                self._reply(client.recv(4096))

    def _reply(self, octets: bytes) -> None:
        for header in reversed(self._sent[octets[1]]):
            with suppress(PacketError):
                reply = client_packets.check_reply(octets, header[4:], header[1], Secret(SECRET))
                status = header[0] == constants.STATUS_SERVER
                self.summary.replies["status" if status else CODES[reply.code]] += 1
                if reply.code == constants.ACCESS_ACCEPT and not status:
                    self.summary.complaints.append(f"a login was accepted: {header.hex()}")
                if state := reply.first(constants.STATE):
                    self._mutations.states.append(state)
                return
        self.summary.complaints.append(f"an answer to nothing that was asked: {octets.hex()}")

    def _look(self) -> None:
        if not self._daemon.child.alive:
            self.summary.complaints.append("the daemon has ended")
            return
        pids = self._daemon.pids
        self.summary.memory.append(sum(map(memory, pids)))
        self.summary.descriptors.append(sum(map(descriptors, pids)))
        self.summary.complaints += self._complaints.new()

    def _progress(self) -> str:
        now = self.summary
        return (
            f"{now.sent} sent, {now.replies.total()} replies, "
            f"{now.memory[-1] / 1024 / 1024:.1f} MiB, {now.descriptors[-1]} descriptors"
        )


@contextmanager
def target(folder: Path, delay: str = "50ms") -> Iterator[tuple[Daemon, Liar]]:
    """Start a directory, a mail server that may lie, and the daemon between them."""
    people = [Person(f"user{n:04}", "right", mail=(f"user{n:04}@example.com",)) for n in range(USERS)]
    (folder / "ldap").mkdir(parents=True)
    head = HEAD.replace('"50ms"', f'"{delay}"').replace('"debug"', '"info"')
    authority = Authority(folder / "ca")
    shown = authority.certificate()
    mails = Liar("smtp", shown.cert_file, shown.key_file)
    with Directory(folder / "ldap", authority, people) as directory, mails:
        text = configuration(directory, mails.port)
        text = text.replace('mails_per_client = "unlimited"', "") + "[lockout]\nattempts = 1000\n"
        with Daemon(folder / "aad", text, head=head) as daemon:
            yield daemon, mails


def names_run(daemon: Daemon, count: int) -> None:
    """Let so many distinct names try to log in; print the daemon's memory ten times."""
    for share in itertools.pairwise(count * tenth // 10 for tenth in range(11)):
        answered = distinct_names(daemon, share[0], share[1] - share[0])
        print(f"{share[0] + answered} names: {memory(daemon.child.pid) / 1024 / 1024:.1f} MiB", flush=True)


def main() -> int:
    """Run; 1: there is something to complain of."""
    options = parser().parse_args()
    with tempfile.TemporaryDirectory(prefix="aad-fuzz-") as name:
        if options.refusals:
            with refusals.daemon_for(Path(name), options.refusals) as daemon:
                return 0 if refusals.report(asyncio.run(refusals.refusals(daemon, options.refusals))) else 1
        with target(Path(name), "0s" if options.names else "50ms") as (daemon, mails):
            if options.names:
                names_run(daemon, options.names)
                return 0
            seed = secrets.randbits(32) if options.seed is None else options.seed
            print(f"seed {seed}", flush=True)
            fuzzer = Fuzzer(daemon, seed, mails)
            summary = fuzzer.run(options.seconds, lambda line: print(line, flush=True))
    print(summary)
    if summary.complaints:
        print("the last datagrams:", *(datagram.hex() for datagram in fuzzer.last), sep="\n")
    return 1 if summary.complaints else 0


if __name__ == "__main__":
    raise SystemExit(main())
