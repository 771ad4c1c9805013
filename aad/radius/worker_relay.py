"""Datagrams between the process that reads the sockets and its workers; replies leave by the same sockets.

All requests of one user reach the same worker: a retransmission, the login begun again, the answer to a challenge. So a
worker's memory (duplicates, logins in progress) is complete for its users.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import select
import signal
import socket
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from aad.radius.protocol.constants import USER_NAME
from aad.radius.protocol.wire import HEADER
from aad.radius.udp import Origin, UdpSocket

_ROOM = 64 * 1024  # octets of one message: 4096 of a datagram, and its origin
_BUFFER = 4 * 1024 * 1024


def turn(datagram: bytes, host: str, count: int) -> int:
    """Return which of `count` workers serves a datagram, from 0: by the client's address and the User-Name."""
    return zlib.crc32(name_of(datagram), zlib.crc32(host.encode())) % count


def name_of(datagram: bytes) -> bytes:
    """Return the first User-Name, unchecked: the worker checks the packet."""
    at = HEADER
    while at + 2 <= len(datagram):
        kind, length = datagram[at], datagram[at + 1]
        if kind == USER_NAME:
            return datagram[at + 2 : at + length]
        at += max(length, 2)
    return b""


@dataclass(frozen=True)
class _Way(Origin):
    """An origin, and the number of the socket that it came by."""

    by: int


class Relayed:
    """A worker's end: datagrams come by a pipe, replies leave by the sockets themselves."""

    def __init__(self, pipe: socket.socket, sockets: Sequence[UdpSocket]) -> None:
        """`pipe`: the worker's end; `sockets`: in the reader's order."""
        self._pipe, self._sockets = pipe, sockets
        self._waited = False
        pipe.setblocking(False)

    def fileno(self) -> int:
        """Return the descriptor, for the event loop."""
        return self._pipe.fileno()

    @property
    def name(self) -> str:
        """Return the addresses of all the sockets."""
        return ", ".join(each.name for each in self._sockets)

    def receive(self) -> tuple[bytes, Origin] | None:
        """Return the next datagram, or None: there is none."""
        self._waited = False
        try:
            handed = self._pipe.recv(_ROOM)
        except OSError:
            return None
        if not handed:
            os.kill(os.getpid(), signal.SIGTERM)  # the parent is gone, and with it all datagrams
            return None
        # marshal is safe here: only our own parent holds the other end.
        by, address, ancillary, datagram = marshal.loads(handed)  # noqa: S302
        return datagram, _Way(address, ancillary, by)

    def send(self, reply: bytes, origin: Origin) -> None:
        """Send a reply by the socket that the request came by."""
        if isinstance(origin, _Way):
            self._sockets[origin.by].send(reply, origin)

    def neglected(self) -> bool:
        """Return whether a datagram waits and none was read since the last call."""
        poll = select.poll()
        poll.register(self._pipe, select.POLLIN)
        waited, self._waited = self._waited, bool(poll.poll(0))
        return waited and self._waited

    def close(self) -> None:
        """Close the pipe and the sockets."""
        self._pipe.close()
        for each in self._sockets:
            each.close()


def pipe() -> tuple[socket.socket, socket.socket]:
    """Return both ends: the reader's, and the one for a `Relayed`."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in ends:
        end.setblocking(False)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
    return ends


def hand(pipe: socket.socket, datagram: bytes, origin: Origin, by: int) -> None:
    """Send a datagram that came by socket number `by` to a worker; without room it is lost, as datagrams are."""
    with contextlib.suppress(OSError):
        pipe.send(marshal.dumps((by, origin.address, origin.ancillary, datagram)))
