"""A connected socket in the event loop: a request goes out, messages come in until one is the last.

ldap3 has opened it in a thread, maybe with TLS; from then on no thread and no lock is needed. The socket stays with
the event loop between the requests, so that it is known at once when the server closes.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable

from aad.repositories.ldap_answers import whole

_CHUNK = 65536  # octets
_MOST = 1 << 24  # octets of an answer; a thousand groups have less than a hundredth
_AGAIN = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Wire:
    """One request at a time. `heard` is given each message that comes and says whether it is the last; it may raise."""

    def __init__(self, sock: socket.socket, heard: Callable[[bytes], bool]) -> None:
        """Take the socket over, in the event loop that will use it."""
        self._sock = sock
        self._heard = heard
        self._octets = bytearray()
        self._asked: asyncio.Future[None] | None = None
        self._end: Exception | None = None
        self._loop = asyncio.get_running_loop()
        sock.setblocking(False)
        self._loop.add_reader(sock, self._readable)

    async def ask(self, request: bytes) -> None:
        """Send a request and wait until the last message is heard. Else: what ended it, now and for all times."""
        if self._end:
            raise self._end
        self._asked = self._loop.create_future()
        try:
            self._send(request)
            await self._asked
        except BaseException:  # the answer may come yet, and would be taken for that to the next request
            self.end(ConnectionAbortedError("given up"))
            raise
        finally:
            self._asked = None

    def end(self, why: Exception) -> None:
        """Close the socket; whoever waits is told `why`."""
        if self._end:
            return
        self._end = why
        self._loop.remove_reader(self._sock)
        self._sock.close()
        if self._asked and not self._asked.done():
            self._asked.set_exception(why)

    def _send(self, request: bytes) -> None:
        """Send it at once: it is small and nothing else is on its way. OSError, or if the server reads no more."""
        try:
            if self._sock.send(request) == len(request):
                return
        except _AGAIN:
            pass
        message = "takes nothing more"
        raise ConnectionAbortedError(message)

    def _readable(self) -> None:
        try:
            octets = self._sock.recv(_CHUNK)
            while isinstance(self._sock, ssl.SSLSocket) and (more := self._sock.pending()):
                octets += self._sock.recv(more)
            if not octets or len(self._octets) > _MOST:
                message = "an answer without end" if octets else "closed the connection"
                raise ConnectionAbortedError(message)  # noqa: TRY301 - it ends as what the system raises does
            self._octets += octets
            self._split()
        except _AGAIN:
            pass
        except Exception as error:  # noqa: BLE001 - what a server can make a decoder raise has no end
            self.end(error)

    def _split(self) -> None:
        while 0 < (size := whole(self._octets)) <= len(self._octets):
            message = bytes(self._octets[:size])
            del self._octets[:size]
            if self._heard(message) and self._asked and not self._asked.done():
                self._asked.set_result(None)
