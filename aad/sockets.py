"""The sockets of the daemon: those of aad.toml, or those that systemd has handed over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aad.config import Config
from aad.config.sections import host_and_port
from aad.radius.relay import Relayed
from aad.radius.udp import UdpSocket
from aad.service import Service

Socket = UdpSocket | Relayed
KINDS = {"radius": "listen", "accounting": "accounting_listen"}
"""What a socket is for, and the key of [radius] that names its address."""


@dataclass(frozen=True)
class Worker:
    """One of `count` processes that share the work: it reads what its parent hands to it."""

    number: int
    count: int
    sockets: Mapping[str, Sequence[Socket]]
    service: Service

    @property
    def words(self) -> str:
        """Say which, for the log."""
        return f" (worker {self.number + 1} of {self.count})"


@dataclass
class Opened:
    """Sockets by what they are for; `words` and `warnings` are for the log."""

    sockets: dict[str, Sequence[Socket]] = field(default_factory=dict)
    words: str = ""
    warnings: list[str] = field(default_factory=list)


def opened(config: Config, service: Service) -> Opened:
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
    return found


def _bound(listen: tuple[str, ...]) -> list[UdpSocket]:
    addresses = [host_and_port(address) for address in listen]
    ipv4 = {port for host, port in addresses if ":" not in host}
    # Alone on its port, [::] serves IPv4 too, as people expect of it.
    return [UdpSocket.opened(host, port, dual=port not in ipv4) for host, port in addresses]
