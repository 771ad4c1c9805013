"""A daemon under observation: what it holds at most, and how long its event loop stands at most.

A process of its own sends each of the daemon's processes a Status-Server every 20 ms: a test that lies by the megabyte
would hold up a thread. What a busy machine takes is no stall: the time in which the system ran neither the daemon,
though it was ready to run, nor the observer is taken off, measured at the same moments.
"""

from __future__ import annotations

import json
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from aad.radius.protocol.constants import USER_NAME
from aad.radius.worker_relay import turn
from tests.parts.daemon import Daemon
from tests.parts.part import Part
from tests.parts.raw import status_server
from tests.parts.waiting import PATIENCE, NotInTimeError
from tools.parts.readings import family, memory, peak, shared_once

EVERY = 0.02  # seconds
_WAKE = 0.002  # seconds that the observer sleeps at most
_ROOT = Path(__file__).parents[2]


@dataclass
class Seen:
    """What became of the status requests. Seconds; `stall`: without what the machine took."""

    stall: float = 0.0
    latency: float = 0.0
    asked: int = 0
    answered: int = 0


class Watched(Part):
    """Watches a running daemon from start to stop; then `peak`, `stall` and `latency` are known."""

    def __init__(self, daemon: Daemon, source: str = "127.0.0.1") -> None:
        """Ask from the address `source`, which is a client's with the usual secret."""
        self._daemon, self._source = daemon, source
        self._process: subprocess.Popen[bytes] | None = None
        self.before = 0
        """Octets that all its processes held at the start, a page of several of them counted once."""
        self.peak = 0
        """Octets that they held at most."""
        self.seen = Seen()

    def start(self) -> None:
        """Note what it holds, and wait for the first reply of each process."""
        daemon = self._daemon
        self.before = shared_once(daemon.child.pid)
        for pid in family(daemon.child.pid):
            with suppress(OSError):  # not allowed everywhere: then the peak is that since its start
                Path(f"/proc/{pid}/clear_refs").write_text("5")
        self._resident = sum(map(memory, family(daemon.child.pid)))
        command = [sys.executable, "-m", "tests.parts.watched", daemon.host, str(daemon.port), self._source]
        command += [str(daemon.child.pid), str(daemon.workers)]
        self._process = subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        if (
            not select.select([self._process.stdout], [], [], PATIENCE)[0]
            or self._process.stdout.readline() != b"begun\n"
        ):
            what = "the first reply to a Status-Server"
            raise NotInTimeError(what, PATIENCE)

    def stop(self) -> None:
        """Take in what was seen; it may have been stopped already."""
        process, self._process = self._process, None
        if process is None:
            return
        said, _ = process.communicate(timeout=PATIENCE)
        if said.strip():
            self.seen = Seen(**json.loads(said))
        self.peak = self.before + max(0, peak(self._daemon.child.pid) - self._resident)

    @property
    def stall(self) -> float:
        """Seconds that its loop stood at most."""
        return self.seen.stall

    def now(self) -> int:
        """Return the octets that all its processes hold now; not while somebody counts milliseconds: it stops them."""
        return shared_once(self._daemon.child.pid)


@dataclass
class _Observer:
    host: str
    port: int
    source: str
    pid: int
    workers: int
    seen: Seen = field(default_factory=Seen)
    late: float = 0.0

    def run(self) -> Seen:
        """Ask until standard input ends."""
        asking = [_Asking(self, name) for name in self._names()]
        due = woken = time.monotonic()
        while True:
            wait = max(0.0, min(_WAKE, due - woken))
            readable, _, _ = select.select([sys.stdin, *(each.socket for each in asking)], [], [], wait)
            now = time.monotonic()
            self.late += max(0.0, now - woken - wait - _WAKE / 2)
            woken = now
            for each in asking:
                each.hear(now, over=sys.stdin in readable)
            if sys.stdin in readable:
                return self.seen
            if now >= due:
                due = max(due + EVERY, now)
                for each in asking:
                    each.ask(now)

    def _names(self) -> Sequence[str]:
        """Return a User-Name for each of the processes, which hands it the request."""
        found: dict[int, str] = {}
        number = 0
        while len(found) < self.workers:
            octets, _ = status_server((USER_NAME, str(number).encode()))
            found.setdefault(turn(octets, self.source, self.workers), str(number))
            number += 1
        return list(found.values())

    def taken(self) -> float:
        """Return for how long, in all, the daemon's threads were ready and the system ran somebody else, or nobody.

        All threads: one that holds Python's lock while the system lets it wait makes the loop wait too.
        """
        waited = 0
        for pid in family(self.pid):
            for file in Path(f"/proc/{pid}/task").glob("*/schedstat"):
                with suppress(OSError):  # it has ended
                    waited += int(file.read_text().split()[1])
        return max(waited / 1e9, self.late)


class _Asking:
    """The requests to one process; one is under way at a time, so that each reply is its own request's."""

    def __init__(self, observer: _Observer, name: str) -> None:
        self._observer, self._name = observer, name
        self.socket = socket.socket(type=socket.SOCK_DGRAM)
        self.socket.bind((observer.source, 0))
        self.socket.connect((observer.host, observer.port))
        self.socket.setblocking(False)
        self._since: tuple[float, float, Callable[[bytes], object]] | None = None

    def ask(self, now: float) -> None:
        """Send a request, unless one is under way."""
        if self._since is None:
            octets, check = status_server((USER_NAME, self._name.encode()))
            self._since = now, self._observer.taken(), check
            self._observer.seen.asked += 1
            self.socket.send(octets)

    def hear(self, now: float, *, over: bool) -> None:
        """Take the reply, or at the end what is still waited for."""
        if self._since is None:
            return
        seen, (sent, taken, check) = self._observer.seen, self._since
        replied = False
        with suppress(BlockingIOError, ConnectionRefusedError):
            check(self.socket.recv(4096))
            replied = True
        if not (replied or over):
            return
        seen.latency = max(seen.latency, now - sent)
        seen.stall = max(seen.stall, now - sent - (self._observer.taken() - taken))
        seen.answered += replied
        self._since = None
        if replied and seen.answered == self._observer.workers:
            print("begun", flush=True)  # noqa: T201 - the parent waits for it


if __name__ == "__main__":
    host, port, source, pid, workers = sys.argv[1:]
    print(json.dumps(asdict(_Observer(host, int(port), source, int(pid), int(workers)).run())))  # noqa: T201
