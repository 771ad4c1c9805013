"""From an LDAP server's URL to a connected socket, with TLS if it is wanted.

A thread connects and begins TLS, in which sockets block. Their timeouts are per receive, so a server that drips an
octet a second would hold the thread for ever: when the time is up, the event loop shuts the socket down.
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
from urllib.parse import urlsplit

from aad.repositories.ldap.decode import EXTENDED_DONE, NotLdapError, Question, UnreadableAnswerError, head
from aad.repositories.ldap.encode import extended
from aad.repositories.ldap.result_codes import SUCCESS

_PORTS = {"ldap": 389, "ldaps": 636}
_KEEPALIVE = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 15), (socket.TCP_KEEPCNT, 4))  # seconds, seconds, times
_GRACE = 1.0  # seconds that the thread waits longer than the event loop does
_STARTTLS = "1.3.6.1.4.1.1466.20037"  # RFC 4511 4.14.1
_PREFIX = re.compile(r"^.*?\[[^]]*\] ?")
_SUFFIX = re.compile(r" \(_ssl\.c:\d+\)$")


class BrokenConnectionError(Exception):
    """The connection could not be made, or is of no use any more: what happened."""


class SlowServerError(BrokenConnectionError):
    """The time was up first, however much or little it was."""


class ServerUnavailableError(BrokenConnectionError):
    """The server said itself that it can't serve us, and would say so again."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where a connection leads. `security`: "none", "starttls" or "tls"; `tls` verifies the last two."""

    host: str
    port: int
    security: str
    tls: ssl.SSLContext | None


def host_and_port(url: str) -> tuple[str, str, int]:
    """Split "ldaps://host[:port]" into scheme, host and port. ValueError: it isn't of this form."""
    parts = urlsplit(url)
    bare = f"{parts.scheme}://{parts.netloc}"
    if parts.scheme not in _PORTS or not parts.hostname or url.removesuffix("/") != bare or "@" in url:
        raise ValueError(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme]


def target(url: str, tls: ssl.SSLContext | None, *, starttls: bool) -> Target:
    """Return where `url` leads. ValueError: see `host_and_port`."""
    scheme, host, port = host_and_port(url)
    security = "tls" if scheme == "ldaps" else "starttls" if starttls else "none"
    return Target(host=host, port=port, security=security, tls=tls if security != "none" else None)


class Opening:
    """One connection that is being made. Its socket is the thread's until `open` returns it."""

    def __init__(self, target: Target, address: str, seconds: float) -> None:
        """Prepare a connection to one IP `address` of the target, which gets `seconds` to take it."""
        self._target = target
        self._until = time.monotonic() + seconds
        self._seconds = seconds
        self._aborted = False
        self._thread: threading.Thread | None = None
        self._thread_ended = False
        self._address = address
        self._socket: socket.socket | None = None

    async def open(self) -> socket.socket:
        """Connect, and begin TLS if it is wanted; never without it then. BrokenConnectionError."""
        loop = asyncio.get_running_loop()
        opened: asyncio.Future[socket.socket] = loop.create_future()
        # A daemon: one that hangs in the system must not keep the program from ending.
        arguments = (loop, opened)
        name = f"ldap {self._target.host}"
        self._thread = threading.Thread(target=self._run, args=arguments, name=name, daemon=True)
        self._thread.start()
        try:
            async with asyncio.timeout_at(self._until):
                return await opened
        except TimeoutError:
            message = f"no answer within {self._seconds:.1f} s"
            raise SlowServerError(message) from None

    def abort(self) -> None:
        """Make the thread end, which closes the socket; no effect once `open` has returned it."""
        self._aborted = True
        if self._thread_ended:
            self._close()
        elif (sock := self._socket) is not None:
            # Danger: an SSLSocket's own shutdown() first forgets its TLS, so that what the thread sends in this moment
            # leaves in the clear.
            with suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def _run(self, loop: asyncio.AbstractEventLoop, opened: asyncio.Future[socket.socket]) -> None:
        """Connect, in the thread, and hand the socket over."""
        broken: BrokenConnectionError | None = None
        try:
            self._connect()
        except Exception as error:  # noqa: BLE001 - whatever it is, there is no connection
            self._close()
            broken = error if isinstance(error, BrokenConnectionError) else BrokenConnectionError(described(error))
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
            self._address, self._target.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
        )
        sock = self._socket = socket.socket(family, kind, protocol)  # before it connects, so that it can be aborted
        sock.settimeout(self._seconds + _GRACE)
        self._go_on()
        sock.connect(address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # or a firewall forgets an idle connection
        for option, value in _KEEPALIVE:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
        if self._target.security == "starttls":
            self._go_on()
            _starttls(sock)
        if self._target.tls:
            self._begin_tls(sock, self._target.tls)

    def _begin_tls(self, sock: socket.socket, tls: ssl.SSLContext) -> None:
        """Shake hands; chain and name are verified by the context."""
        wrapped = tls.wrap_socket(sock, server_hostname=self._target.host, do_handshake_on_connect=False)
        self._socket = wrapped  # before the handshake, so that it can be aborted
        self._go_on()
        wrapped.do_handshake()

    def _go_on(self) -> None:
        """Stop the thread before its next wait, if the connection isn't wanted any more. BrokenConnectionError."""
        if self._aborted:
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
        question.add(octets, found)
    except (NotLdapError, UnreadableAnswerError) as error:
        raise BrokenConnectionError(str(error)) from None
    if question.result is None or question.result.code != SUCCESS:
        message = f"TLS did not begin: {question.result or 'no result'}"
        raise BrokenConnectionError(message)


def described(error: Exception) -> str:
    """Say what happened. Only our own texts and the system's are passed on: another could quote what was sent."""
    if isinstance(error, NotLdapError):
        return str(error)
    text = str(error) if isinstance(error, OSError) else ""
    return _SUFFIX.sub("", _PREFIX.sub("", text)) or f"an answer that is no LDAP ({type(error).__name__})"
