"""Around a daemon whose server lies: what it holds, how long it stands, and that all others are served meanwhile."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from aad.radius.protocol.constants import ACCESS_CHALLENGE
from tests.parts.daemon import Daemon
from tests.parts.part import Part
from tests.parts.raw import Raw
from tests.parts.waiting import until
from tests.parts.watched import EVERY, Watched
from tests.requirements.events import OTHER

MEGABYTE = 1024 * 1024
MOST, GROWTH, STALL = 100 * MEGABYTE, 16 * MEGABYTE, 0.05
"""Octets for each of its processes, in all and more than before; and seconds beyond the control."""
TRIES = 3
REPORT = os.environ.get("AAD_LIES", "")
"""A file in which a line is written for each lie, for who wants a table."""


class Lying(Protocol):
    """A server that lies when it is told to."""

    def lie(self, name: str) -> None:
        """Tell this lie from now on."""

    def behave(self) -> None:
        """Be honest again."""


class Others(Part):
    """Users of the event "other" who log in, one after the other, from start to stop."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self.codes: list[int] = []
        self.slowest = 0.0

    def start(self) -> None:
        """Begin; it may have been done before."""
        self._over.clear()
        self._thread = threading.Thread(target=self._log_in)
        self._thread.start()

    def stop(self) -> None:
        """End, once the last one is settled."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(30)
            self._thread = None

    def _log_in(self) -> None:
        with Raw(self._daemon.host, self._daemon.port, source=OTHER) as client:
            while not self._over.is_set():
                number = len(self.codes) % 5 + 10
                began = time.monotonic()
                try:
                    self.codes.append(client.ask(f"user{number:02}", f"pw-{number:02}").code)
                except TimeoutError:
                    self.codes.append(0)
                self.slowest = max(self.slowest, time.monotonic() - began)
                self._over.wait(EVERY)


def unharmed(daemon: Daemon, liar: Lying, name: str, act: Callable[[bool], None], *, others: bool = True) -> None:
    """Hold that the daemon bears this lie while `act(True)` is done, as it bears `act(False)` from an honest server.

    `others`: and serves the event "other" meanwhile. A stall is one only if it is seen each time of three: the machine
    may be busy.
    """
    crowd = Others(daemon) if others else None
    control = _seen(daemon, lambda: act(False), crowd)
    before = peak = 0
    bound = stall = control.stall + STALL
    for _ in range(TRIES):
        liar.lie(name)
        lying = _seen(daemon, lambda: act(True), crowd)
        liar.behave()
        before, peak, stall = before or lying.before, max(peak, lying.peak), lying.stall
        if stall < bound:
            break
    _report(daemon, name, before=before, peak=peak, stall=stall, control=control.stall, others=crowd)
    assert peak < min(MOST * daemon.workers, before + GROWTH * daemon.workers)
    assert stall < bound
    assert crowd is None or set(crowd.codes) == {ACCESS_CHALLENGE}
    until(lambda: control.now() < 1.1 * before, 30, "memory given back")
    assert not daemon.records("fault")
    assert not daemon.strays()


def _seen(daemon: Daemon, act: Callable[[], None], crowd: Others | None) -> Watched:
    with Watched(daemon) as seen, crowd or Part():
        act()
    assert seen.seen.answered >= seen.seen.asked - daemon.workers
    return seen


def _report(daemon: Daemon, name: str, *, others: Others | None, **measured: float) -> None:
    if REPORT:
        failed = (each for each in daemon.records() if each["event"].endswith(("down", "failed", "unavailable")))
        reasons = sorted({str(each.get("reason")) for each in failed})
        line = {"lie": name, **measured, "slowest": others.slowest if others else 0.0, "reasons": reasons}
        with Path(REPORT).open("a") as report:
            report.write(json.dumps(line) + "\n")
