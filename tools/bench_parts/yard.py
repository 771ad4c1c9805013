"""The parts of a measurement: slapd, the load with its mail server, a daemon for each checkout; and one run of one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.parts.authority import Authority
from tests.parts.daemon import HEAD, Daemon
from tests.parts.directory import Directory
from tests.parts.journald import Journald, JournalDaemon
from tests.parts.part import Part
from tests.parts.ports import free_port
from tests.parts.redis import Redis
from tools.bench_parts.checkouts import HERE, CannotMeasureError, Checkout, without
from tools.bench_parts.driver import Driver
from tools.bench_parts.figures import Cost, Run, Tally, run_of
from tools.bench_parts.load import Order
from tools.bench_parts.options import Options
from tools.parts.readings import busy, cpu, peak, shared_once
from tools.parts.site import configuration, people

REST = """
[methods.email_otp]
resend_after = "0s"
"""
CLIENT = 'deadline = "30s"'
AT_WORK = 10_000
PATIENCE = 120.0  # seconds until a daemon must have started: it may have thousands of clients
TAIL = 12  # lines of a daemon's output that say why it ended


class Yard(Part):
    """All of them, in a folder of their own. `more` is TOML at the end of every aad.toml."""

    def __init__(self, folder: Path, options: Options, users: int) -> None:
        """Prepare nothing yet; the directory will have so many users."""
        self._folder, self._options, self.users = folder, options, users
        self.seconds = options.seconds
        self.strangers = 0.0  # the most of any run
        self._stack = ExitStack()
        self._mail_port = free_port()
        self._directory: Directory
        self._driver: Driver

    def start(self) -> None:
        """Start what all daemons share."""
        enter = self._stack.enter_context
        authority = Authority(self._folder / "ca")
        self._directory = enter(Directory(self._folder / "ldap", authority, people(self.users)))
        self._driver = enter(Driver(self._mail_port, self._options.mail_ms))
        if self._options.store == "valkey":
            self._stack.callback(setattr, Daemon, "valkey", Daemon.valkey)
            Daemon.valkey = enter(Redis(self._folder / "redis")).url

    def stop(self) -> None:
        """End everything, in reverse."""
        self._stack.close()

    def text(self, limits: str = "unlimited") -> str:
        """Return aad.toml but for its head; `limits`: of a user's mails."""
        text = configuration(self._directory, self._mail_port, REST, tls=self._options.tls)
        if self._options.connections:
            text = text.replace("[limits]", f"connections = {self._options.connections}\n[limits]")
        # One client stands for many: its limit of requests in progress must not be what is measured.
        text = text.replace("[limits]", f"[limits]\nat_work_per_client = {AT_WORK}")
        return text.replace('mails_per_user = "unlimited"', f'mails_per_user = "{limits}"')

    def daemon(self, checkout: Checkout, text: str, folder: str = "") -> Daemon:
        """Prepare the daemon of a checkout; with a journald of its own, if its records are to go there."""
        place = self._folder / (folder or f"aad-{checkout.name.replace('/', '-')}")
        more: dict[str, Any] = {"client": CLIENT, "head": HEAD.replace('level = "debug"', 'level = "info"')}
        if self._options.log == "journal":
            journald = self._stack.enter_context(Journald(place / "journal", HERE / "systemd" / "aad.catalog"))
            daemon: Daemon = JournalDaemon(place, text, journald, **more)
            daemon.within = [*journald.within([]), *checkout.command]
        else:
            daemon = Daemon(place, text, within=checkout.command, **more)
        daemon.patience = PATIENCE
        daemon.options = ("--workers", str(self._options.workers)) if self._options.workers > 1 else ()
        return daemon

    def started(self, daemon: Daemon, checkout: Checkout) -> float:
        """Start it; return the seconds until it served. CannotMeasureError: it ended instead, and with which words."""
        began = time.monotonic()
        try:
            self._stack.enter_context(daemon)
        except AssertionError as error:
            said = "\n".join([*str(error).splitlines(), *getattr(error, "__notes__", ())][-TAIL:])
            message = f"the daemon of {checkout.name} doesn't start with these options:\n{said}"
            raise CannotMeasureError(message) from None
        return time.monotonic() - began

    def both(self, checkouts: Sequence[Checkout], say: Callable[[str], None]) -> dict[str, Daemon]:
        """Start the daemons of all checkouts, with what every one of them knows."""
        daemons = {each.name: self.daemon(each, self.text()) for each in checkouts}
        if len(checkouts) > 1:
            strange = {key: each.name for each in checkouts for key in each.unknown(daemons[each.name].file)}
            for key, name in strange.items():
                say(f"{name} doesn't know {key}: left out for all")
            for daemon in daemons.values():
                daemon.file.write_text(without(daemon.file.read_text(), strange))
        for each in checkouts:
            self.started(daemons[each.name], each)
        return daemons

    def run(self, daemon: Daemon, order: Order, passing: Callable[[int], None]) -> tuple[Run, Tally]:
        """Let the load run against a daemon; return the figures and what they are from. CannotMeasureError: it died."""
        pids = (daemon.child.pid, self._directory.pid, self._driver.pid)
        before, began = [cpu(pid) for pid in pids], self._strangers()
        tally = self._driver.run(order, passing)
        strangers = [now - earlier for now, earlier in zip(self._strangers(), began, strict=True)]
        aad, slapd, load = (cpu(pid) - earlier for pid, earlier in zip(pids, before, strict=True))
        if not daemon.child.alive:
            message = f"the daemon ended with {daemon.child.returncode}:\n" + daemon.child.output()[-2000:]
            raise CannotMeasureError(message)
        share = max(0.0, strangers[0] / strangers[1])
        self.strangers = max(self.strangers, share)
        memory = (peak(daemon.child.pid) / 2**20, shared_once(daemon.child.pid) / 2**20)
        cost = Cost(aad, slapd, load, *memory, share)
        return run_of(tally, cost), tally

    @staticmethod
    def _strangers() -> tuple[float, float]:
        """Return what all cores did for others, and could have done, in seconds; all parts are children of the tool."""
        return busy() - cpu(os.getpid()), time.monotonic() * (os.cpu_count() or 1)
