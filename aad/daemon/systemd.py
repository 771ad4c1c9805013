"""sd_notify and sd_listen_fds: sockets from systemd; readiness, reloads and the watchdog's keep-alives to it.

The protocol, sd_notify(3) and sd_listen_fds(3), is variables and one datagram of NAME=VALUE lines: that takes no
library. If the daemon is started by hand, nothing is sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

FIRST = 3  # SD_LISTEN_FDS_START
_EVERY = 10.0  # seconds between two reports of the status
_VARIABLES = (
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_PID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
)


class BadSocketError(ValueError):
    """systemd handed over a socket that can't be used; the message says which, and what would be right."""


class Notifier:
    """Talks to systemd. `patience`: the watchdog's time in seconds; 0: there is no watchdog."""

    def __init__(self, environment: MutableMapping[str, str], pid: int) -> None:
        """Read systemd's variables for the process `pid`, and remove them: they aren't meant for its children."""
        given = {name: environment.pop(name, "") for name in _VARIABLES}
        address = given["NOTIFY_SOCKET"]
        # "@" stands for the zero octet of an abstract address.
        self._address: str | None = f"\0{address[1:]}" if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) if address else None
        ours = given["WATCHDOG_PID"] in {"", str(pid)}
        self.patience = _number(given["WATCHDOG_USEC"]) / 1e6 if ours else 0.0
        count = _number(given["LISTEN_FDS"]) if given["LISTEN_PID"] == str(pid) else 0
        names = given["LISTEN_FDNAMES"].split(":")
        self._handed = [(FIRST + n, names[n] if n < len(names) else "") for n in range(count)]
        for descriptor, _ in self._handed:
            os.set_inheritable(descriptor, False)

    @classmethod
    def of(cls, parent: socket.socket, patience: float) -> Self:
        """Return a worker's notifier, which sends to its parent; that takes the worker for hung after `patience`."""
        notifier = cls({}, 0)
        notifier._socket, notifier._address, notifier.patience = parent, None, patience
        return notifier

    def sockets(self, name: str) -> list[socket.socket]:
        """Return the UDP sockets handed over under this name, the listening ones for "https". BadSocketError.

        Sockets of any other name are for logins: "radius".
        """
        taken = _listening if name == "https" else _udp
        return [taken(descriptor) for descriptor, called in self._handed if name == _kind(called)]

    def ready(self, status: str) -> None:
        """Report that the daemon serves: for the first time, or again after `reloading`."""
        self._send("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """Report that a reload begins."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Report that the daemon ends."""
        self._send("STOPPING=1", "STATUS=sending the replies that are due")

    def alive(self) -> None:
        """Send the watchdog a keep-alive."""
        self._send("WATCHDOG=1")

    @asynccontextmanager
    async def serving(self, status: Callable[[], Awaitable[str]], ailing: Callable[[], str]) -> AsyncIterator[None]:
        """Report readiness, then keep-alives and status, and at the end that the daemon ends."""
        self.ready(await status())
        tasks = [asyncio.create_task(each) for each in (self.watch(ailing), self.report(status))]
        try:
            yield
        finally:
            self.stopping()
            for each in tasks:
                each.cancel()

    async def watch(self, ailing: Callable[[], str]) -> None:
        """Send a keep-alive twice in the watchdog's time, as long as the event loop turns and nothing is `ailing`.

        A late turn alone is no fault: the machine may have slept, and a loop that hangs for the whole time sends
        nothing anyway.
        """
        while self.patience:
            await asyncio.sleep(self.patience / 2)
            if what := ailing():
                self._send(f"STATUS={what}")
            else:
                self.alive()

    async def report(self, status: Callable[[], Awaitable[str]]) -> None:
        """Send the status now and then, for `systemctl status`."""
        while self._socket:
            await asyncio.sleep(_EVERY)
            self._send(f"STATUS={await status()}")

    def close(self) -> None:
        """Send no more."""
        if self._socket:
            self._socket.close()

    def _send(self, *lines: str) -> None:
        if self._socket:
            with contextlib.suppress(OSError):  # it is full, or gone: logins don't wait for that
                message = "\n".join(lines).encode()
                if self._address is None:
                    self._socket.send(message)
                else:
                    self._socket.sendto(message, self._address)


@dataclass(frozen=True)
class WorkerStatus:
    """A message from a worker to its parent, as sd_notify has it."""

    ready: bool = False
    reloading: bool = False
    status: str = ""

    @classmethod
    def of(cls, message: bytes) -> Self:
        """Decode a message; unknown lines are ignored."""
        lines = dict(line.partition("=")[::2] for line in message.decode(errors="replace").splitlines())
        return cls(ready="READY" in lines, reloading="RELOADING" in lines, status=lines.get("STATUS", ""))


def _kind(called: str) -> str:
    return called if called in {"accounting", "https"} else "radius"


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() else 0


def _udp(descriptor: int) -> socket.socket:
    return _handed(descriptor, socket.SOCK_DGRAM, "no UDP socket: aad.socket should have ListenDatagram=ADDRESS:PORT")


def _listening(descriptor: int) -> socket.socket:
    right = "no TCP socket: aad-https.socket should have ListenStream=ADDRESS:PORT"
    return _handed(descriptor, socket.SOCK_STREAM, right)


def _handed(descriptor: int, kind: socket.SocketKind, right: str) -> socket.socket:
    with contextlib.suppress(OSError):  # it is no socket at all
        handed = socket.socket(fileno=descriptor)
        if handed.family in {socket.AF_INET, socket.AF_INET6} and handed.type == kind:
            return handed
        handed.detach()
    message = f"systemd hands over descriptor {descriptor}, which is {right}"
    raise BadSocketError(message)
