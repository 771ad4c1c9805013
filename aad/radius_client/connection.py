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
    """There is no valid reply to a request: why, in words for the log."""


class AllIdentifiersUsedError(UnansweredError):
    """All identifiers are in use by requests that wait; the server needn't be down."""


class Connection(asyncio.DatagramProtocol):
    """Asks, and waits for the reply; a datagram that isn't authentic, or answers no request, is passed over.

    If nothing else comes, the socket is closed. An attacker who guesses its port to have it closed needs a thousand
    datagrams for each port there is, all between two replies of the server.

    `last_reply`: when the last authentic reply came, in `time.monotonic()` seconds. `flaw`: what was wrong with the
    last datagram that was none.
    """

    def __init__(self, secret: Secret) -> None:
        """Begin without a socket. `secret`: shared with the server."""
        self._secret = secret
        self._waiting: dict[int, tuple[bytes, asyncio.Future[Reply]]] = {}
        self._transport: asyncio.DatagramTransport | None = None
        self.last_reply = 0.0
        self.flaw = ""
        self._flawed = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket; called by the event loop."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def connection_lost(self, error: Exception | None) -> None:
        """End all requests that wait with UnansweredError; called by the event loop."""
        self._transport = None
        self._give_up(f"the socket was closed: {error}" if error else "the socket was closed")

    def error_received(self, error: Exception) -> None:
        """End all requests that wait: the network says that nothing listens there. Called by the event loop."""
        self._give_up((error.strerror if isinstance(error, OSError) else "") or str(error))

    def datagram_received(self, datagram: bytes, _from: object) -> None:
        """Match a reply with its request; called by the event loop."""
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
        self.last_reply, self._flawed = time.monotonic(), 0
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
        """Whether any request waits for its reply."""
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
        """Return an identifier that is free, and can't be guessed. AllIdentifiersUsedError: there is none."""
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
                answer.exception()  # the caller may have left: then it's no "exception was never retrieved"
