"""A connected socket in the event loop: a request goes out, messages come in until one is the last.

A thread has opened it, maybe with TLS; from then on no thread and no lock is needed. The socket stays with the event
loop between the requests, so that it is known at once when the server closes, or speaks without being asked.
"""

from __future__ import annotations

import asyncio
import socket
import ssl

from aad.repositories.ldap_answers import Question, head, unasked

_CHUNK = 65536  # octets
_AGAIN = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Wire:
    """One question at a time."""

    def __init__(self, sock: socket.socket) -> None:
        """Take the socket over, in the event loop that will use it."""
        self._sock = sock
        self._octets = bytearray()
        self._question: Question | None = None
        self._answered: asyncio.Future[None] | None = None
        self._ended = False
        self._loop = asyncio.get_running_loop()
        sock.setblocking(False)
        self._loop.add_reader(sock, self._readable)

    async def ask(self, request: bytes, question: Question) -> None:
        """Send a request and wait until its question has its last answer. Else: what ended the connection."""
        if self._ended:
            message = "closed the connection"
            raise ConnectionAbortedError(message)
        self._question, self._answered = question, self._loop.create_future()
        try:
            self._send(request)
            await self._answered
        except BaseException:  # the answer may come yet, and would be taken for that to the next request
            self.end(ConnectionAbortedError("given up"))
            raise
        finally:
            self._question = self._answered = None

    def end(self, why: Exception) -> None:
        """Close the socket; whoever waits is told `why`."""
        if self._ended:
            return
        self._ended = True
        self._loop.remove_reader(self._sock)
        self._sock.close()
        self._octets.clear()
        if self._question and self._answered and not self._answered.done():
            # What was read so far goes now, not when the garbage collector comes by: tracebacks hold on to it.
            self._question.entries.clear()
            self._answered.set_exception(why.with_traceback(None))

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
            if not octets:
                message = "closed the connection"
                raise ConnectionAbortedError(message)  # noqa: TRY301 - it ends as what the system raises does
            self._octets += octets
            self._split()
        except _AGAIN:
            pass
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing can be read any more
            self.end(error)

    def _split(self) -> None:
        while found := head(self._octets):
            if self._question is None or self._answered is None or self._answered.done():
                raise unasked(found)
            self._question.expects(found)
            if len(self._octets) < found.size:
                return
            message = bytes(self._octets[: found.size])
            del self._octets[: found.size]
            if self._question.hear(message, found):
                self._answered.set_result(None)
