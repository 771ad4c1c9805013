"""A UDP socket whose replies leave from the address that the request came to."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
from dataclasses import dataclass
from typing import Any, Self

LARGEST = 4096  # octets, RFC 2865 3; the rest is padding
_RECEIVE_BUFFER = 4 * 1024 * 1024
_IP_PKTINFO = 8  # linux/in.h; the socket module has no name for it
_Ancillary = list[tuple[int, int, bytes]]


@dataclass(frozen=True)
class Origin:
    """The sender's address of a datagram, and the ancillary data for a reply on the same path."""

    address: tuple[Any, ...]
    ancillary: _Ancillary

    @property
    def host(self) -> str:
        """Return the sender's address, without the port."""
        return str(self.address[0])


class UdpSocket:
    """A bound, non-blocking socket. On a wildcard address the kernel would choose which address a reply leaves from.

    A client discards a reply from another address than the one it asked, so the reply names it (IP_PKTINFO).
    """

    def __init__(self, bound: socket.socket) -> None:
        """Take a bound socket that was handed over, with the receive buffer that it has."""
        self._socket = bound
        self._waited = False
        bound.setblocking(False)
        _report_destination(bound)
        self._wildcard = bound.getsockname()[0] in {"0.0.0.0", "::"}  # noqa: S104

    @classmethod
    def opened(cls, host: str, port: int, *, dual: bool) -> Self:
        """Bind a socket. `dual`: an IPv6 wildcard takes IPv4 too. OSError: the port is taken, or not permitted."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        made = socket.socket(family, socket.SOCK_DGRAM)
        try:
            with contextlib.suppress(OSError):  # the kernel's limit may be lower
                made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
            if family == socket.AF_INET6:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not dual)
            _report_destination(made)  # before the first datagram: the kernel records its destination when it arrives
            made.bind((host, port))
        except OSError as error:
            made.close()
            message = f"can't listen on {host} port {port}: {error.strerror}"
            raise OSError(error.errno, message) from None
        return cls(made)

    def fileno(self) -> int:
        """Return the descriptor, for the event loop."""
        return self._socket.fileno()

    @property
    def name(self) -> str:
        """Return ADDRESS:PORT as it is bound."""
        host, port, *_ = self._socket.getsockname()
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def receive(self) -> tuple[bytes, Origin] | None:
        """Return the next datagram; None: there is none, or the kernel reported an error of an earlier reply."""
        self._waited = False
        try:
            if self._wildcard:
                datagram, ancillary, _, address = self._socket.recvmsg(LARGEST, 64)
                return datagram, Origin(address, _return_path(ancillary))
            datagram, address = self._socket.recvfrom(LARGEST)
        except OSError:
            return None
        return datagram, Origin(address, [])

    def send(self, reply: bytes, origin: Origin) -> None:
        """Send a reply; one that can't leave now is lost, as datagrams are, and the client sends its request again."""
        with contextlib.suppress(OSError):
            if origin.ancillary:
                self._socket.sendmsg([reply], origin.ancillary, 0, origin.address)
            else:
                self._socket.sendto(reply, origin.address)

    def neglected(self) -> bool:
        """Return whether it is closed, or a datagram waits and none was read since the last call."""
        if self._socket.fileno() < 0:
            return True
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        waited, events = self._waited, [event for _, event in poll.poll(0)]
        self._waited = bool(events)
        return (waited and self._waited) or bool(events and events[0] & select.POLLNVAL)

    def close(self) -> None:
        """Close."""
        self._socket.close()


def _report_destination(udp: socket.socket) -> None:
    """Have the kernel report for each datagram which of our addresses it came to."""
    if udp.family == socket.AF_INET6:
        udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    else:
        udp.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)


def _return_path(ancillary: list[tuple[int, int, bytes]]) -> _Ancillary:
    """Turn the ancillary data of a request into that of its reply."""
    for level, kind, octets in ancillary:
        if (level, kind) == (socket.IPPROTO_IP, _IP_PKTINFO):
            _, local = struct.unpack_from("=I4s", octets)
            return [(level, kind, struct.pack("=I4s4s", 0, local, bytes(4)))]
        if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
            return [(level, kind, octets)]
    return []
