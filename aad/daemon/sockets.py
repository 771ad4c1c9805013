"""The sockets of the daemon: bound as in aad.toml, or handed over by systemd."""

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
"""The use of a UDP socket -> the key of [radius] that holds its addresses."""


@dataclass(frozen=True)
class Worker:
    """One of `count` processes that share the work. It reads from `sockets` what its parent passes on."""

    number: int
    count: int
    sockets: Mapping[str, Sequence[Socket]]
    notifier: Notifier
    streams: Sequence[socket.socket] = ()

    @property
    def words(self) -> str:
        """Its number, for the log."""
        return f" (worker {self.number + 1} of {self.count})"

    def opened(self) -> Opened:
        """Return its sockets."""
        return Opened(dict(self.sockets), self.streams, self.words)


@dataclass
class Opened:
    """UDP sockets by their use, see KINDS; `streams`: the listening ones of HTTPS; `words`, `warnings`: for the log."""

    sockets: dict[str, Sequence[Socket]] = field(default_factory=dict)
    streams: Sequence[socket.socket] = ()
    words: str = ""
    warnings: list[str] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """The addresses, for the log."""
        datagrams = [each.name for those in self.sockets.values() for each in those]
        return [*datagrams, *(f"{named(each)} (HTTPS)" for each in self.streams)]


def opened(config: Config, notifier: Notifier) -> Opened:
    """Take the sockets that systemd has handed over, else bind those of the configuration.

    OSError: an address isn't available. BadSocketError: a socket of systemd's can't be used.
    """
    found = Opened()
    for kind, key in KINDS.items():
        listen: tuple[str, ...] = getattr(config.radius, key)
        handed = [UdpSocket(each) for each in notifier.sockets(kind)]
        if handed:
            found.words = " (handed over by systemd)"
            if {each.name for each in handed} != set(listen):
                found.warnings.append(f"radius.{key} is not used: systemd hands the sockets over")
        found.sockets[kind] = handed or _bound(listen)
    if config.https is not None:
        streams = notifier.sockets("https")
        if streams:
            found.words = " (handed over by systemd)"
        if streams and {named(each) for each in streams} != set(config.https.listen):
            found.warnings.append("https.listen is not used: systemd hands the sockets over")
        found.streams = streams or _listening(config.https.listen)
        for each in found.streams:
            each.setblocking(False)
    return found


def named(stream: socket.socket) -> str:
    """Return the ADDRESS:PORT that a socket is bound to."""
    host, port, *_ = stream.getsockname()
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _listening(listen: tuple[str, ...]) -> list[socket.socket]:
    addresses = [host_and_port(address) for address in listen]
    ipv4 = {port for host, port in addresses if ":" not in host}
    return [_listener(host, port, dual=port not in ipv4) for host, port in addresses]


def _listener(host: str, port: int, *, dual: bool) -> socket.socket:
    """Return a TCP socket that listens; `dual`: "::" takes IPv4 too. OSError: it isn't available, and why."""
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        # Connections left by a restart (TIME_WAIT) don't hold the port; a second daemon still can't have it.
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
