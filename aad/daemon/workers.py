"""Several processes behind the same sockets (`aad serve --workers N`): one reads and hands out, N serve, one store.

The parent knows nothing of logins. It hands each datagram to the worker of its user, passes signals on, starts a worker
anew that has died or hangs, and speaks with systemd for all of them.
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
RETRY = 1.0  # seconds until a worker that has died is started anew
PATIENCE = 10.0  # seconds that workers get to end; and, without a watchdog, until one counts as hanging
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


@dataclass
class Child:
    """One worker: its process, where its datagrams go in, and what it last said of itself."""

    pid: int
    pipes: dict[str, socket.socket]
    said: socket.socket
    heard: float = field(default_factory=time.monotonic)
    ready: bool = False
    status: str = ""
    missed: bool = False


class Workers:
    """The parent of `count` workers."""

    def __init__(self, config: Config, count: int) -> None:
        """Keep the configuration; nothing is opened yet."""
        self._config = config
        self._count = count
        self._service = Notifier(os.environ, os.getpid())
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
        found = opened(self._config, self._service)
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
                self._selector.register(each, selectors.EVENT_READ, lambda k=kind, b=by: self._hand_out(k, b))
        for worker in range(self._count):
            self._start(worker)
        while self._children or (self._dead and not self._ending):
            for key, _ in self._selector.select(timeout=RETRY / 2):
                key.data()
            self._obey()
            self._look_after()
        self._service.close()
        return self._code

    async def _prepare(self) -> None:
        """Make the store and the installation's key, where there are none yet: afterwards all come at once."""
        async with assembly.opened_store(self._config):
            assembly.installation_key(self._config)

    def _hand_out(self, kind: str, by: int) -> None:
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
                    end.close()  # or it would never see that the parent is gone
                code = self._work(number, {kind: ends[1] for kind, ends in pipes.items()}, theirs)
            finally:
                os._exit(code)
        theirs.close()
        ours.setblocking(False)
        for _, end in pipes.values():
            end.close()
        child = Child(pid, {kind: ends[0] for kind, ends in pipes.items()}, ours)
        self._children[number] = child
        self._selector.register(ours, selectors.EVENT_READ, lambda: self._hear(child))

    def _work(self, number: int, pipes: dict[str, socket.socket], said: socket.socket) -> int:
        """Be a worker."""
        signal.set_wakeup_fd(-1)
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        self._selector.close()
        for child in self._children.values():
            for end in (*child.pipes.values(), child.said):
                end.close()
        faulthandler.enable()
        sockets = {
            kind: [worker_relay.Relayed(pipes[kind], those)] if those else [] for kind, those in self._sockets.items()
        }
        # The first one serves HTTPS: nobody hands out a user's connections to the worker that has his other logins.
        streams = () if number else self._streams
        worker = Worker(number, self._count, sockets, Notifier.of(said, self._patience), streams)
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
        return self._service.patience or 3 * PATIENCE

    def _hear(self, child: Child) -> None:
        """Take in what a worker says of itself, as it would say it to systemd."""
        with contextlib.suppress(OSError):
            while said := WorkerStatus.of(child.said.recv(4096)):
                child.heard = time.monotonic()
                child.ready = (child.ready or said.ready) and not said.reloading
                child.status = said.status or child.status
                if said.ready and all(each.ready for each in self._children.values()):
                    self._service.ready(f"{self._count} workers; {child.status}")

    def _obey(self) -> None:
        """Do what signals say."""
        while self._signals:
            caught = self._signals.pop(0)
            if caught == signal.SIGHUP:
                self._service.reloading()
                with contextlib.suppress(ConfigError):  # the workers say what is wrong with it
                    self._config = load(self._config.file, plugin_registry)
            if caught in (signal.SIGTERM, signal.SIGINT) and not self._ending:
                self._ending = time.monotonic() + PATIENCE
                self._service.stopping()
                for sockets in self._sockets.values():
                    for each in sockets:
                        self._selector.unregister(each)
            if caught != signal.SIGCHLD:
                for child in self._children.values():
                    os.kill(child.pid, signal.SIGTERM if caught == signal.SIGINT else caught)

    def _look_after(self) -> None:
        """Bury workers, start others, and tell systemd that all is well, if it is."""
        now = time.monotonic()
        for number, child in list(self._children.items()):
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if pid:
                self._bury(number, child, os.waitstatus_to_exitcode(status), now)
            elif (self._ending and now > self._ending) or now > child.heard + self._patience + RETRY:
                os.kill(child.pid, signal.SIGKILL)
            elif now > child.heard + self._patience and not child.missed:
                child.missed = True
                os.kill(child.pid, signal.SIGABRT)  # it hangs, and says where
        for number in [number for number, when in self._dead.items() if now >= when and not self._ending]:
            del self._dead[number]
            self._start(number)
        self._service.alive()

    def _bury(self, number: int, child: Child, code: int, now: float) -> None:
        self._selector.unregister(child.said)
        for end in (*child.pipes.values(), child.said):
            end.close()
        del self._children[number]
        if not child.ready and not self._ending:  # it never served: neither would the next one
            self._code = self._code or (code if code > 0 else os.EX_SOFTWARE)
            self._signals.append(signal.SIGTERM)
        self._dead[number] = now + RETRY
