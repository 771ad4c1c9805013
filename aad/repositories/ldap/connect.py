"""From an LDAP server's address to a connected socket, with TLS if it is wanted.

A thread connects and begins TLS, in which sockets block. Their timeouts are per receive, so a server that drips an
octet a second would hold the thread for ever: who has waited long enough shuts the socket down.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import threading
import time
from contextlib import suppress
from dataclasses import dataclass

from aad.repositories.ldap.decode import EXTENDED_DONE, NotLdapError, Question, UnreadableAnswerError, head
from aad.repositories.ldap.encode import extended
from aad.repositories.ldap.result_codes import SUCCESS

_KEEPALIVE = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 15), (socket.TCP_KEEPCNT, 4))  # seconds, seconds, times
_GRACE = 1.0  # seconds that the thread waits longer than whoever watches it
_STARTTLS = "1.3.6.1.4.1.1466.20037"  # RFC 4511 4.14.1
_PREFIX = re.compile(r"^.*?\[[^]]*\] ?")
_SUFFIX = re.compile(r" \(_ssl\.c:\d+\)$")


class BrokenConnectionError(Exception):
    """The connection could not be made, or is of no use any more: what happened."""


class SlowServerError(BrokenConnectionError):
    """The time was up first, however much or little it was."""


class OutOfOrderError(BrokenConnectionError):
    """The server said itself that it can't serve us, and would say so again."""


@dataclass(frozen=True, kw_only=True)
class Peer:
    """Where a line leads. `security`: "none", "starttls" or "tls"; `tls` verifies chain and name of the other two."""

    host: str
    port: int
    security: str
    tls: ssl.SSLContext | None


class Dial:
    """One connection on its way. Its socket is the thread's until `sock` returns it."""

    def __init__(self, peer: Peer, address: str, seconds: float) -> None:
        """Prepare a connection to one `address` of the peer, which gets `seconds` to take it."""
        self._peer = peer
        self._until = time.monotonic() + seconds
        self._seconds = seconds
        self._given_up = False
        self._thread: threading.Thread | None = None
        self._thread_ended = False
        self._address = address
        self._socket: socket.socket | None = None

    async def sock(self) -> socket.socket:
        """Connect, and begin TLS if it is wanted: it is never done without. BrokenConnectionError."""
        loop = asyncio.get_running_loop()
        opened: asyncio.Future[socket.socket] = loop.create_future()
        # A daemon: one that hangs in the system must not keep the program from ending.
        ours = (loop, opened)
        self._thread = threading.Thread(target=self._open, args=ours, name=f"ldap {self._peer.host}", daemon=True)
        self._thread.start()
        try:
            async with asyncio.timeout_at(self._until):
                return await opened
        except TimeoutError:
            message = f"no answer within {self._seconds:.1f} s"
            raise SlowServerError(message) from None

    def give_up(self) -> None:
        """Make the thread end, which closes the socket; unless `sock` has returned it."""
        self._given_up = True
        if self._thread_ended:
            self._close()
        elif (sock := self._socket) is not None:
            # Danger: an SSLSocket's own shutdown() first forgets its TLS, so that what the thread sends in this moment
            # leaves in the clear.
            with suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def _open(self, loop: asyncio.AbstractEventLoop, opened: asyncio.Future[socket.socket]) -> None:
        broken: BrokenConnectionError | None = None
        try:
            self._connect()
        except Exception as error:  # noqa: BLE001 - whatever it is, there is no connection
            self._close()
            broken = error if isinstance(error, BrokenConnectionError) else BrokenConnectionError(words(error))
        try:
            loop.call_soon_threadsafe(self._opened, opened, broken)
        except RuntimeError:  # the loop was closed meanwhile
            self._close()

    def _opened(self, opened: asyncio.Future[socket.socket], broken: BrokenConnectionError | None) -> None:
        self._thread_ended = True
        if self._thread:
            self._thread.join()  # a matter of microseconds
        if opened.done():
            self._close()
        elif broken:
            opened.set_exception(broken)
        elif self._socket:
            opened.set_result(self._socket)

    def _connect(self) -> None:
        ((family, kind, protocol, _, address), *_) = socket.getaddrinfo(
            self._address, self._peer.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
        )
        sock = self._socket = socket.socket(family, kind, protocol)  # before it connects, so that it can be cut
        sock.settimeout(self._seconds + _GRACE)
        self._go_on()
        sock.connect(address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # or a firewall forgets an idle connection
        for option, value in _KEEPALIVE:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
        if self._peer.security == "starttls":
            self._go_on()
            _starttls(sock)
        if self._peer.tls:
            self._begin_tls(sock, self._peer.tls)

    def _begin_tls(self, sock: socket.socket, tls: ssl.SSLContext) -> None:
        """Shake hands; chain and name are verified by the context."""
        wrapped = tls.wrap_socket(sock, server_hostname=self._peer.host, do_handshake_on_connect=False)
        self._socket = wrapped  # before the handshake, so that it can be cut
        self._go_on()
        wrapped.do_handshake()

    def _go_on(self) -> None:
        """Say in the thread whether it is still wanted; asked before each wait. BrokenConnectionError."""
        if self._given_up:
            message = "given up"
            raise BrokenConnectionError(message)

    def _close(self) -> None:
        """Close the socket, also that of a connection which never came about."""
        sock, self._socket = self._socket, None
        if sock is not None:
            sock.close()


def _starttls(sock: socket.socket) -> None:
    """Ask for TLS, and read the answer: the octets of one message, and none behind it. BrokenConnectionError."""
    question, octets = Question(1, EXTENDED_DONE), b""
    sock.sendall(extended(1, _STARTTLS))
    try:
        while (found := head(octets)) is None or len(octets) < found.size:
            if found:
                question.expects(found)
            if not (more := sock.recv(4096)):
                message = "closed the connection"
                raise BrokenConnectionError(message)
            octets += more
        question.expects(found)
        if len(octets) > found.size:  # it would be taken for what came within TLS
            message = "an answer before TLS that belongs behind it"
            raise BrokenConnectionError(message)
        question.hear(octets, found)
    except (NotLdapError, UnreadableAnswerError) as error:
        raise BrokenConnectionError(str(error)) from None
    if question.result is None or question.result.code != SUCCESS:
        message = f"TLS did not begin: {question.result or 'no result'}"
        raise BrokenConnectionError(message)


def words(error: Exception) -> str:
    """Say what happened. Only our own texts and the system's are passed on: another could quote what was sent."""
    if isinstance(error, NotLdapError):
        return str(error)
    text = str(error) if isinstance(error, OSError) else ""
    return _SUFFIX.sub("", _PREFIX.sub("", text)) or f"an answer that is no LDAP ({type(error).__name__})"
