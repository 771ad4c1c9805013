"""`aad serve --workers N`: a parent that reads the sockets, and N workers that serve, all with one store.

The parent knows nothing of logins. It passes each datagram on to the worker of its user, passes signals on, restarts a
worker that has died or hangs, and talks to systemd for all of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from aad.config import Config, ConfigError, load
from aad.daemon import assembly, plugin_registry
from aad.daemon.daemon import Daemon
from aad.daemon.sockets import Worker, opened
from aad.daemon.systemd import Notifier, WorkerStatus
from aad.ports import Unavailable
from aad.radius import worker_relay
from aad.radius.udp import UdpSocket

AT_A_TIME = 64  # datagrams read from one socket before the others have their turn
RETRY = 1.0  # seconds until a worker that has died is restarted
PATIENCE = 10.0  # seconds that workers get to end; and, without a watchdog, until one counts as hanging
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


@dataclass
class Child:
    """One worker: its process, the pipes for its datagrams, and the socket of its reports, which are sd_notify's.

    `last_report`: `time.monotonic()` seconds. `missed`: it was told to abort, since it hangs.
    """

    pid: int
    pipes: dict[str, socket.socket]
    reports: socket.socket
    last_report: float = field(default_factory=time.monotonic)
    ready: bool = False
    status: str = ""
    missed: bool = False


class Workers:
    """The parent process."""

    def __init__(self, config: Config, count: int) -> None:
        """Run `count` workers; nothing is opened yet."""
        self._config = config
        self._count = count
        self._notifier = Notifier(os.environ, os.getpid())
        self._sockets: dict[str, Sequence[UdpSocket]] = {}
        self._streams: Sequence[socket.socket] = ()
        self._children: dict[int, Child] = {}
        self._dead: dict[int, float] = {}  # worker -> when it may be started again
        self._selector = selectors.DefaultSelector()
        self._signals: list[int] = []
        self._ending = 0.0
        self._code = 0

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT; return the exit code. OSError, BadSocket: no port. Unavailable: no store."""
        asyncio.run(self._prepare())
        found = opened(self._config, self._notifier)
        self._streams = found.streams
        self._sockets = {
            kind: [each for each in those if isinstance(each, UdpSocket)] for kind, those in found.sockets.items()
        }
        woken, wake = socket.socketpair()
        for end in (woken, wake):
            end.setblocking(False)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        for number in _SIGNALS:
            signal.signal(number, lambda caught, _frame: self._signals.append(caught))
        self._selector.register(woken, selectors.EVENT_READ, lambda: woken.recv(4096))
        for kind, sockets in self._sockets.items():
            for by, each in enumerate(sockets):
                self._selector.register(each, selectors.EVENT_READ, lambda k=kind, b=by: self._distribute(k, b))
        for worker in range(self._count):
            self._start(worker)
        while self._children or (self._dead and not self._ending):
            for key, _ in self._selector.select(timeout=RETRY / 2):
                key.data()
            self._act_on_signals()
            self._supervise()
        self._notifier.close()
        return self._code

    async def _prepare(self) -> None:
        """Make the store and the installation's key, if there are none yet: later all workers open them at once."""
        async with assembly.opened_store(self._config):
            assembly.installation_key(self._config)

    def _distribute(self, kind: str, by: int) -> None:
        sockets = self._sockets[kind]
        for _ in range(AT_A_TIME):
            received = sockets[by].receive()
            if received is None:
                return
            datagram, origin = received
            child = self._children.get(worker_relay.turn(datagram, origin.host, self._count))
            if child is not None:
                worker_relay.hand(child.pipes[kind], datagram, origin, by)

    def _start(self, number: int) -> None:
        """Fork a worker."""
        pipes = {kind: worker_relay.pipe() for kind in self._sockets}
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        pid = os.fork()
        if pid == 0:
            code = os.EX_SOFTWARE
            try:
                for end in (ours, *(ends[0] for ends in pipes.values())):
                    end.close()  # or it would never notice that the parent is gone
                code = self._run_worker(number, {kind: ends[1] for kind, ends in pipes.items()}, theirs)
            finally:
                os._exit(code)
        theirs.close()
        ours.setblocking(False)
        for _, end in pipes.values():
            end.close()
        child = Child(pid, {kind: ends[0] for kind, ends in pipes.items()}, ours)
        self._children[number] = child
        self._selector.register(ours, selectors.EVENT_READ, lambda: self._receive_report(child))

    def _run_worker(self, number: int, pipes: dict[str, socket.socket], reports: socket.socket) -> int:
        """Serve as a worker, in the forked process, to its end; return its exit code."""
        signal.set_wakeup_fd(-1)
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        self._selector.close()
        for child in self._children.values():
            for end in (*child.pipes.values(), child.reports):
                end.close()
        faulthandler.enable()
        sockets = {
            kind: [worker_relay.Relayed(pipes[kind], those)] if those else [] for kind, those in self._sockets.items()
        }
        # The first one serves HTTPS: a connection can't be passed on to the worker that has its user's other logins.
        streams = () if number else self._streams
        worker = Worker(number, self._count, sockets, Notifier.of(reports, self._patience), streams)
        try:
            Daemon(self._config, worker).serve()
        except ConfigError as error:
            print(error, file=sys.stderr, flush=True)  # noqa: T201 - there is no log yet
            return os.EX_CONFIG
        except (Unavailable, OSError) as error:
            print(f"aad: worker {number + 1}: {error}", flush=True)  # noqa: T201 - there is no log yet
            return os.EX_UNAVAILABLE
        return os.EX_OK

    @property
    def _patience(self) -> float:
        return self._notifier.patience or 3 * PATIENCE

    def _receive_report(self, child: Child) -> None:
        """Take a worker's reports, and report readiness to systemd once all workers are ready."""
        with contextlib.suppress(OSError):
            while report := WorkerStatus.of(child.reports.recv(4096)):
                child.last_report = time.monotonic()
                child.ready = (child.ready or report.ready) and not report.reloading
                child.status = report.status or child.status
                if report.ready and all(each.ready for each in self._children.values()):
                    self._notifier.ready(f"{self._count} workers; {child.status}")

    def _act_on_signals(self) -> None:
        """Reload or end, and pass the signals on."""
        while self._signals:
            caught = self._signals.pop(0)
            if caught == signal.SIGHUP:
                self._notifier.reloading()
                with contextlib.suppress(ConfigError):  # the workers log what is wrong with it
                    self._config = load(self._config.file, plugin_registry)
            if caught in (signal.SIGTERM, signal.SIGINT) and not self._ending:
                self._ending = time.monotonic() + PATIENCE
                self._notifier.stopping()
                for sockets in self._sockets.values():
                    for each in sockets:
                        self._selector.unregister(each)
            if caught != signal.SIGCHLD:
                for child in self._children.values():
                    os.kill(child.pid, signal.SIGTERM if caught == signal.SIGINT else caught)

    def _supervise(self) -> None:
        """Reap dead workers, abort those that hang, start others, and send systemd's watchdog a keep-alive."""
        now = time.monotonic()
        for number, child in list(self._children.items()):
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if pid:
                self._reap(number, child, os.waitstatus_to_exitcode(status), now)
            elif (self._ending and now > self._ending) or now > child.last_report + self._patience + RETRY:
                os.kill(child.pid, signal.SIGKILL)
            elif now > child.last_report + self._patience and not child.missed:
                child.missed = True
                os.kill(child.pid, signal.SIGABRT)  # it hangs: its faulthandler prints where
        for number in [number for number, when in self._dead.items() if now >= when and not self._ending]:
            del self._dead[number]
            self._start(number)
        self._notifier.alive()

    def _reap(self, number: int, child: Child, code: int, now: float) -> None:
        self._selector.unregister(child.reports)
        for end in (*child.pipes.values(), child.reports):
            end.close()
        del self._children[number]
        if not child.ready and not self._ending:  # it never served: a next one wouldn't either
            self._code = self._code or (code if code > 0 else os.EX_SOFTWARE)
            self._signals.append(signal.SIGTERM)
        self._dead[number] = now + RETRY
