"""The sockets: who asks, is it well formed, was it asked before; one task a request; replies, delayed where refused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from aad.ports import Record
from aad.radius import packet
from aad.radius.clients import Clients
from aad.radius.discards import Discards
from aad.radius.duplicates import Duplicates
from aad.radius.front import Front
from aad.radius.packet import PacketError
from aad.radius.socket import Origin, UdpSocket

AT_A_TIME = 64  # datagrams read before the event loop does something else
AT_WORK = 10_000  # requests at work, at most
JITTER = 0.25  # of the reject delay, added at random


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What a reload exchanges as a whole. `reject_delay`: seconds."""

    clients: Clients
    front: Front
    reject_delay: float


class Server:
    """Serves Access-Request and Status-Server on some UDP sockets."""

    def __init__(self, setup: Setup, record: Record, jitter: Callable[[], float]) -> None:
        """`jitter()` gives random numbers from 0 to 1."""
        self.setup = setup
        self._discards = Discards(record)
        self._duplicates = Duplicates()
        self._jitter = jitter
        self._tasks: set[asyncio.Task[None]] = set()
        self._sockets: list[UdpSocket] = []

    def listen(self, sockets: list[UdpSocket]) -> None:
        """Begin to serve these sockets."""
        self._sockets = sockets
        for each in sockets:
            asyncio.get_running_loop().add_reader(each.fileno(), self._readable, each)

    def at_work(self) -> set[asyncio.Task[None]]:
        """Return the requests that are at work now."""
        return set(self._tasks)

    async def drain(self, patience: float) -> None:
        """Take no more requests, and wait up to `patience` seconds for the replies that are due."""
        for each in self._sockets:
            asyncio.get_running_loop().remove_reader(each.fileno())
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=patience)
        for each in self._sockets:
            each.close()

    def _readable(self, udp: UdpSocket) -> None:
        for _ in range(AT_A_TIME):
            received = udp.receive()
            if received is None:
                return
            self._received(udp, *received)

    def _received(self, udp: UdpSocket, datagram: bytes, origin: Origin) -> None:
        now = time.monotonic()
        client = self.setup.clients.find(origin.host)
        if client is None:
            return self._discards.discard("no [clients.*] has its address", now, source=origin.host)
        try:
            request = packet.decode(datagram)
            secret = _secret(request, client)
        except PacketError as error:
            return self._discards.discard(str(error), now, client=client.name, source=origin.host)
        if request.code == packet.STATUS_SERVER:  # RFC 5997: "MUST NOT be cached"
            return udp.send(packet.reply(request, packet.ACCESS_ACCEPT, (), secret), origin)
        key = self._duplicates.key(origin.host, request)
        return None
