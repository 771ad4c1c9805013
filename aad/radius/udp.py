"""A UDP socket whose replies leave from the address that was asked."""

from __future__ import annotations

import contextlib
import socket
import struct
from dataclasses import dataclass
from typing import Any

LARGEST = 4096  # RFC 2865 3; what comes behind that is padding
_RECEIVE_BUFFER = 4 * 1024 * 1024
_IP_PKTINFO = 8  # linux/in.h; the socket module has no name for it
_Ancillary = list[tuple[int, int, bytes]]


@dataclass(frozen=True)
class Origin:
    """Where a datagram came from, and what a reply needs to go back the way it came."""

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

    def __init__(self, host: str, port: int, *, dual: bool) -> None:
        """Bind. `dual`: an IPv6 wildcard takes IPv4 too. OSError: the port is taken, or not ours to open."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._wildcard = host in {"0.0.0.0", "::"}  # noqa: S104
        try:
            self._socket.setblocking(False)
            with contextlib.suppress(OSError):  # the kernel's limit may be lower
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
            if family == socket.AF_INET6:
                self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not dual)
                self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            else:
                self._socket.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
            self._socket.bind((host, port))
        except OSError as error:
            self._socket.close()
            message = f"can't listen on {host} port {port}: {error.strerror}"
            raise OSError(error.errno, message) from None

    def fileno(self) -> int:
        """Return the descriptor, for the event loop."""
        return self._socket.fileno()

    @property
    def name(self) -> str:
        """Return ADDRESS:PORT as it is bound."""
        host, port, *_ = self._socket.getsockname()
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def receive(self) -> tuple[bytes, Origin] | None:
        """Return the next datagram, or None: there is none, or an error of an earlier reply was reported."""
        try:
            if self._wildcard:
                datagram, ancillary, _, address = self._socket.recvmsg(LARGEST, 64)
                return datagram, Origin(address, _return_path(ancillary))
            datagram, address = self._socket.recvfrom(LARGEST)
        except OSError:
            return None
        return datagram, Origin(address, [])

    def send(self, reply: bytes, origin: Origin) -> None:
        """Send back; what can't leave now is lost, as datagrams are, and the client asks again."""
        with contextlib.suppress(OSError):
            if origin.ancillary:
                self._socket.sendmsg([reply], origin.ancillary, 0, origin.address)
            else:
                self._socket.sendto(reply, origin.address)

    def close(self) -> None:
        """Close."""
        self._socket.close()


def _return_path(ancillary: list[tuple[int, int, bytes]]) -> _Ancillary:
    """Turn what the kernel told of the way in into what it needs for the way out."""
    for level, kind, octets in ancillary:
        if (level, kind) == (socket.IPPROTO_IP, _IP_PKTINFO):
            _, local = struct.unpack_from("=I4s", octets)
            return [(level, kind, struct.pack("=I4s4s", 0, local, bytes(4)))]
        if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
            return [(level, kind, octets)]
    return []
