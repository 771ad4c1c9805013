"""A NAS with one pending request, for load."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from aad.radius.protocol import client_packets
from aad.radius.protocol.wire import PacketError
from tests.parts.raw import Request

LOST = 10.0  # seconds until an unanswered request counts as lost


class Slot(asyncio.DatagramProtocol):
    """One NAS with at most one pending request."""

    def __init__(self) -> None:
        """Begin without a request."""
        self._request: Request | None = None
        self._reply: asyncio.Future[client_packets.Reply] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport: Any = transport

    def datagram_received(self, data: bytes, _address: object) -> None:
        """Hand the reply over; a datagram that is no reply to the pending request is ignored."""
        if self._request and self._reply and not self._reply.done():
            with contextlib.suppress(PacketError):
                self._reply.set_result(self._request.reply(data))

    async def ask(self, request: Request, *, sends: int = 1, wait: float = LOST) -> client_packets.Reply:
        """Send the same octets up to `sends` times, `wait` seconds apart, until there is a reply. TimeoutError."""
        self._request, self._reply = request, asyncio.get_running_loop().create_future()
        for _ in range(sends):
            self._transport.sendto(request.octets)
            await asyncio.wait((self._reply,), timeout=wait)
            if self._reply.done():
                return self._reply.result()
        raise TimeoutError
