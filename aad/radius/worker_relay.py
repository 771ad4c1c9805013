"""One reader, several servers: datagrams go to the process that serves their user, replies leave by the same sockets.

Whatever a user does reaches the same process: a retransmission, the login begun again, the answer to a challenge. So
what a process remembers (duplicates, logins at work) is all there is to know of him.
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

_ROOM = 64 * 1024  # octets of one handed datagram: 4096 and what is known of its way
_BUFFER = 4 * 1024 * 1024


def turn(datagram: bytes, host: str, count: int) -> int:
    """Return which of `count` processes serves a datagram: by the NAS and the User-Name, whatever else is in it."""
    return zlib.crc32(name_of(datagram), zlib.crc32(host.encode())) % count


def name_of(datagram: bytes) -> bytes:
    """Return the first User-Name as it stands there; nothing is checked: whoever serves it does that."""
    at = HEADER
    while at + 2 <= len(datagram):
        kind, length = datagram[at], datagram[at + 1]
        if kind == USER_NAME:
            return datagram[at + 2 : at + length]
        at += max(length, 2)
    return b""


@dataclass(frozen=True)
class _Way(Origin):
    """An origin, and which of the sockets it came by."""

    by: int


class Relayed:
    """The server's end: it reads what was handed to it, and replies by the sockets themselves."""

    def __init__(self, pipe: socket.socket, sockets: Sequence[UdpSocket]) -> None:
        """Read from `pipe`."""
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
            os.kill(os.getpid(), signal.SIGTERM)  # the parent is gone, and nobody hands over anything any more
            return None
        # marshal may be trusted here: nobody but our own parent holds the other end.
        by, address, ancillary, datagram = marshal.loads(handed)  # noqa: S302
        return datagram, _Way(address, ancillary, by)

    def send(self, reply: bytes, origin: Origin) -> None:
        """Send back the way it came."""
        if isinstance(origin, _Way):
            self._sockets[origin.by].send(reply, origin)

    def neglected(self) -> bool:
        """Say whether a datagram waits and nobody has read since this was last asked."""
        poll = select.poll()
        poll.register(self._pipe, select.POLLIN)
        waited, self._waited = self._waited, bool(poll.poll(0))
        return waited and self._waited

    def close(self) -> None:
        """Close."""
        self._pipe.close()
        for each in self._sockets:
            each.close()


def pipe() -> tuple[socket.socket, socket.socket]:
    """Return both ends: where datagrams are handed in, and where a `Relayed` gets them."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in ends:
        end.setblocking(False)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
    return ends


def hand(pipe: socket.socket, datagram: bytes, origin: Origin, by: int) -> None:
    """Hand over a datagram that came by socket number `by`; where there is no room it is lost, as datagrams are."""
    with contextlib.suppress(OSError):
        pipe.send(marshal.dumps((by, origin.address, origin.ancillary, datagram)))
