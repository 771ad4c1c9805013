"""The sockets of the daemon: those of aad.toml, or those that systemd has handed over."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aad.config import Config
from aad.config.sections import host_and_port
from aad.daemon.systemd import Notifier
from aad.radius.udp import UdpSocket
from aad.radius.worker_relay import Relayed

Socket = UdpSocket | Relayed
BACKLOG = 128  # connections that wait to be taken
KINDS = {"radius": "listen", "accounting": "accounting_listen"}
"""What a socket is for, and the key of [radius] that names its address."""


@dataclass(frozen=True)
class Worker:
    """One of `count` processes that share the work: it reads what its parent hands to it."""

    number: int
    count: int
    sockets: Mapping[str, Sequence[Socket]]
    notifier: Notifier
    streams: Sequence[socket.socket] = ()

    @property
    def words(self) -> str:
        """Say which, for the log."""
        return f" (worker {self.number + 1} of {self.count})"

    def opened(self) -> Opened:
        """Return what it reads."""
        return Opened(dict(self.sockets), self.streams, self.words)


@dataclass
class Opened:
    """Sockets by what they are for; `streams`: those of HTTPS; `words` and `warnings` are for the log."""

    sockets: dict[str, Sequence[Socket]] = field(default_factory=dict)
    streams: Sequence[socket.socket] = ()
    words: str = ""
    warnings: list[str] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """Return the addresses."""
        datagrams = [each.name for those in self.sockets.values() for each in those]
        return [*datagrams, *(f"{named(each)} (HTTPS)" for each in self.streams)]


def opened(config: Config, service: Notifier) -> Opened:
    """Take what systemd has handed over, else open what is to be listened on. OSError, BadSocket: it can't be had."""
    found = Opened()
    for kind, key in KINDS.items():
        listen: tuple[str, ...] = getattr(config.radius, key)
        handed = [UdpSocket(each) for each in service.sockets(kind)]
        if handed:
            found.words = " (handed over by systemd)"
            if {each.name for each in handed} != set(listen):
                found.warnings.append(f"radius.{key} is not used: systemd hands the sockets over")
        found.sockets[kind] = handed or _bound(listen)
    if config.https is not None:
        streams = service.sockets("https")
        if streams:
            found.words = " (handed over by systemd)"
        if streams and {named(each) for each in streams} != set(config.https.listen):
            found.warnings.append("https.listen is not used: systemd hands the sockets over")
        found.streams = streams or _listening(config.https.listen)
        for each in found.streams:
            each.setblocking(False)
    return found


def named(stream: socket.socket) -> str:
    """Return ADDRESS:PORT as a socket is bound."""
    host, port, *_ = stream.getsockname()
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _listening(listen: tuple[str, ...]) -> list[socket.socket]:
    addresses = [host_and_port(address) for address in listen]
    ipv4 = {port for host, port in addresses if ":" not in host}
    return [_listener(host, port, dual=port not in ipv4) for host, port in addresses]


def _listener(host: str, port: int, *, dual: bool) -> socket.socket:
    """Return a TCP socket that listens; `dual`: "::" takes IPv4 too. OSError: it can't be had, and why."""
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        # What a restart leaves behind (TIME_WAIT) doesn't hold the port; a second daemon still can't have it.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if made.family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not dual)
        made.bind((host, port))
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        message = f"can't listen on {host} port {port} for HTTPS: {os.strerror(error.errno or 0)}"
        raise OSError(error.errno, message) from None
    return made


def _bound(listen: tuple[str, ...]) -> list[UdpSocket]:
    addresses = [host_and_port(address) for address in listen]
    ipv4 = {port for host, port in addresses if ":" not in host}
    # Alone on its port, [::] serves IPv4 too, as people expect of it.
    return [UdpSocket.opened(host, port, dual=port not in ipv4) for host, port in addresses]
