"""One UDP socket to one RADIUS server: at most 256 requests at a time, each matched with its own, authentic reply."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import cast

from aad.core.secret import Secret
from aad.radius.protocol import client_packets
from aad.radius.protocol.client_packets import Reply
from aad.radius.protocol.wire import PacketError
from aad.radius_client.request import PasswordCheck

MOST = 256  # RFC 2865 3: an Identifier is one octet
MOST_FLAWED = 1000  # datagrams one after the other that are no replies, until the socket is closed


class UnansweredError(Exception):
    """There is no reply to a request, and why, in words for the log."""


class AllIdentifiersUsedError(UnansweredError):
    """So many wait for the server that nobody else may: it needn't be out of order."""


class Connection(asyncio.DatagramProtocol):
    """Asks, and waits for the reply; what isn't authentic, or answers nothing that was asked, is passed over.

    Of a server that sends nothing else the socket is closed. Who guesses its port to have it closed needs a thousand
    datagrams for each port there is, all between two replies of the server.

    `heard`: when the last authentic reply came, in `time.monotonic()` seconds. `flaw`: what was wrong with the last
    datagram that was none.
    """

    def __init__(self, secret: Secret) -> None:
        """Share `secret` with the server."""
        self._secret = secret
        self._waiting: dict[int, tuple[bytes, asyncio.Future[Reply]]] = {}
        self._transport: asyncio.DatagramTransport | None = None
        self.heard = 0.0
        self.flaw = ""
        self._flawed = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def connection_lost(self, error: Exception | None) -> None:
        """End; nobody is answered any more."""
        self._transport = None
        self._give_up(f"the socket was closed: {error}" if error else "the socket was closed")

    def error_received(self, error: Exception) -> None:
        """Hear from the network that nobody listens there."""
        self._give_up(getattr(error, "strerror", None) or str(error))

    def datagram_received(self, datagram: bytes, _from: object) -> None:
        """Give a reply to whom it is for."""
        identifier = datagram[1] if len(datagram) > 1 else -1
        authenticator, answer = self._waiting.get(identifier, (b"", None))
        if answer is None:  # of a request that was given up
            self._passed_over()
            return
        try:
            reply = client_packets.check_reply(datagram, authenticator, identifier, self._secret)
        except PacketError as error:  # a forgery, or another secret; the right one may still come
            self.flaw = str(error)
            self._passed_over()
            return
        self.heard, self._flawed = time.monotonic(), 0
        if not answer.done():
            answer.set_result(reply)

    def _passed_over(self) -> None:
        self._flawed += 1
        if self._flawed > MOST_FLAWED:
            flaw = f"; the last had: {self.flaw}" if self.flaw else ""
            self._give_up(f"{MOST_FLAWED} datagrams came, and none was a valid reply{flaw}")
            self.close()

    async def ask(self, question: PasswordCheck, again: float, until: float) -> Reply:
        """Send a request, once more after each `again` seconds; return its reply. UnansweredError: none by `until`."""
        identifier, authenticator = self._free(), secrets.token_bytes(16)
        attributes = question.attributes(authenticator, self._secret)
        datagram = client_packets.request(identifier, authenticator, attributes, self._secret)
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[identifier] = authenticator, answer
        self.flaw = ""
        try:
            while (left := until - time.monotonic()) > 0:
                self._send(datagram)
                await asyncio.wait({answer}, timeout=min(again, left))
                if answer.done():
                    return answer.result()
        finally:
            del self._waiting[identifier]
            answer.cancel()
        flaw = f"; the last datagram had: {self.flaw}" if self.flaw else ", as from one with another secret"
        message = f"no valid reply in time{flaw}"
        raise UnansweredError(message)

    @property
    def busy(self) -> bool:
        """Whether anybody waits for a reply."""
        return bool(self._waiting)

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._transport is None

    def close(self) -> None:
        """Close the socket."""
        if self._transport is not None:
            self._transport.abort()

    def _free(self) -> int:
        """Return an identifier that no request has; a stranger can't guess it."""
        start = secrets.randbelow(MOST)
        found = next((each % MOST for each in range(start, start + MOST) if each % MOST not in self._waiting), None)
        if found is None:
            message = f"{MOST} requests wait for it already"
            raise AllIdentifiersUsedError(message)
        return found

    def _send(self, datagram: bytes) -> None:
        if self._transport is None:
            message = "the socket was closed"
            raise UnansweredError(message)
        self._transport.sendto(datagram)

    def _give_up(self, why: str) -> None:
        for _, answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(UnansweredError(why))
                answer.exception()  # maybe nobody asks any more
