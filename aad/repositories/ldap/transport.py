"""A connected socket in the event loop: a request goes out, messages come in until one is the last.

A thread has opened it, maybe with TLS (connect.py); from then on no thread and no lock is needed. The socket stays with
the event loop between the requests, so that it is known at once when the server closes, or speaks without being asked.

This replaces ldap3's strategies, which ask in threads, by locks. Measured for the change (7ca12a4): 4461 thousand
instructions a login before, 3952 after (callgrind, 200 logins), and 14 % less CPU; `tools/bench --against REV
--in-flight 16` compares CPU a login with another revision.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Callable

from aad.repositories.ldap.decode import Question, head, unsolicited

_CHUNK = 4096  # octets, as many as almost any answer has; longer ones wait for their turn
_AGAIN = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Turns:
    """Long answers are read one piece each turn of the event loop: between them, others are served."""

    def __init__(self) -> None:
        """Begin with nothing to do."""
        self._waiting: deque[Callable[[], None]] = deque()

    def wait(self, work: Callable[[], None]) -> None:
        """Do `work` when it is its turn."""
        self._waiting.append(work)
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        try:
            self._waiting[0]()
        finally:
            self._waiting.popleft()
            if self._waiting:
                asyncio.get_running_loop().call_soon(self._next)


class Transport:
    """Asks one question at a time."""

    def __init__(self, sock: socket.socket, turns: Turns) -> None:
        """Take the socket over, in the event loop that will use it."""
        self._turns = turns
        self._sock = sock
        self._octets = bytearray()
        self._question: Question | None = None
        self._answered: asyncio.Future[None] | None = None
        self._ended = False
        self._loop = asyncio.get_running_loop()
        sock.setblocking(False)
        self._loop.add_reader(sock, self._readable)

    async def ask(self, request: bytes, question: Question) -> None:
        """Send a request and wait until its question has its last answer. Exception: what ended the connection."""
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
        """Close the socket; the question in progress fails with `why`."""
        if self._ended:
            return
        self._ended = True
        self._loop.remove_reader(self._sock)
        self._sock.close()
        self._octets.clear()
        if self._question and self._answered and not self._answered.done():
            # What was read so far goes now, not when the garbage collector comes by: tracebacks hold on to it.
            self._question.entries.clear()
            why.__context__ = None
            self._answered.set_exception(why.with_traceback(None))

    def _send(self, request: bytes) -> None:
        """Send it at once: it is small and nothing else is on its way. OSError, also if the server reads no more."""
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
        except _AGAIN:
            return
        except Exception as error:  # noqa: BLE001 - what a socket can raise is the system's and OpenSSL's
            self.end(error)
            return
        self._octets += octets
        if len(self._octets) < _CHUNK:
            self._take()
        else:  # no more is read till then, so the server waits too
            self._loop.remove_reader(self._sock)
            self._turns.wait(self._take_and_go_on)

    def _take_and_go_on(self) -> None:
        self._take()
        if not self._ended:
            self._loop.add_reader(self._sock, self._readable)

    def _take(self) -> None:
        """Give the question the messages that have come."""
        try:
            while not self._ended and (found := head(self._octets)):
                if self._question is None or self._answered is None or self._answered.done():
                    raise unsolicited(found)  # noqa: TRY301 - it ends as the others do
                self._question.expects(found)
                if len(self._octets) < found.size:
                    return
                message = bytes(self._octets[: found.size])
                del self._octets[: found.size]
                if self._question.add(message, found):
                    self._answered.set_result(None)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing can be read any more
            self.end(error)
