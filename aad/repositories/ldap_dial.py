"""From an LDAP server's address to a connected socket. The only door to ldap3: its types and errors stop here.

ldap3 blocks while it connects and begins TLS, so a thread does that. Its timeouts are per receive, so a server that
drips an octet a second would hold the thread for ever: who has waited long enough shuts the socket down.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aad.repositories.ldap_answers import Answer, entry
from aad.repositories.ldap_reasons import Result

with warnings.catch_warnings():  # ldap3 2.9.1 calls pyasn1 by names of long ago
    warnings.simplefilter("ignore", DeprecationWarning)
    import ldap3
    from ldap3.core.exceptions import LDAPException
    from ldap3.operation.search import compile_filter, parse_filter
    from ldap3.utils.asn1 import decode_message_fast, encode
    from pyasn1.error import PyAsn1Error

_KEEPALIVE = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 15), (socket.TCP_KEEPCNT, 4))  # seconds, seconds, times
_RECEIVE_TIMEOUT = 60  # seconds, whole ones, or struct.error; only if nobody watches
_READER = ldap3.Connection(
    ldap3.Server("", get_info=ldap3.NONE), client_strategy=ldap3.SYNC, check_names=False
).strategy
_PREFIX = re.compile(r"^.*?\[[^]]*\] ?|^(socket|error|wrap)[^:]*: ?")
_SUFFIX = re.compile(r" \(_ssl\.c:\d+\)$")


class Broken(Exception):  # noqa: N818 - a line breaks, it is no error of ours
    """The connection could not be made, or is of no use any more: what happened."""


class Slow(Broken):
    """The time was up first, however much or little it was."""


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
        self._connection = ldap3.Connection(
            ldap3.Server(
                address,
                port=peer.port,
                use_ssl=peer.security == "tls",
                tls=_VerifiedTls(peer.tls, peer.host, self._go_on) if peer.tls else None,
                get_info=ldap3.NONE,
                connect_timeout=seconds,
            ),
            client_strategy=ldap3.SYNC,  # the least there is: nothing is asked by ldap3
            auto_referrals=False,  # they would be followed with our credentials
            auto_range=False,
            auto_escape=False,
            check_names=False,
            return_empty_attributes=False,
            receive_timeout=_RECEIVE_TIMEOUT,
        )

    async def sock(self) -> socket.socket:
        """Connect, and begin TLS if it is wanted: it is never done without. Broken."""
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
            raise Slow(message) from None

    def give_up(self) -> None:
        """Make the thread end, which closes the socket; unless `sock` has returned it."""
        self._given_up = True
        if self._thread_ended:
            self._close()
        elif (sock := self._connection.socket) is not None:
            # Danger: an SSLSocket's own shutdown() first forgets its TLS, so that what the thread sends in this moment
            # leaves in the clear.
            with suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def _open(self, loop: asyncio.AbstractEventLoop, opened: asyncio.Future[socket.socket]) -> None:
        broken: Broken | None = None
        try:
            self._connect()
        except Exception as error:  # noqa: BLE001 - what a server can make ldap3 raise has no end
            self._close()
            broken = error if isinstance(error, Broken) else Broken(words(error))
        try:
            loop.call_soon_threadsafe(self._opened, opened, broken)
        except RuntimeError:  # the loop was closed meanwhile
            self._close()

    def _opened(self, opened: asyncio.Future[socket.socket], broken: Broken | None) -> None:
        self._thread_ended = True
        if self._thread:
            self._thread.join()  # a matter of microseconds
        if opened.done():
            self._close()
        elif broken:
            opened.set_exception(broken)
        else:
            opened.set_result(self._connection.socket)

    def _connect(self) -> None:
        self._connection.open(read_server_info=False)
        sock = self._connection.socket
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # or a firewall forgets an idle connection
        for option, value in _KEEPALIVE:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
        self._go_on()
        if self._peer.security == "starttls":
            self._connection.start_tls(read_server_info=False)
        if self._peer.security != "none" and not isinstance(self._connection.socket, ssl.SSLSocket):
            message = "TLS did not begin"
            raise Broken(message)

    def _go_on(self) -> None:
        """Say in the thread whether it is still wanted; asked before it waits on a new socket. Broken."""
        if self._given_up:
            message = "given up"
            raise Broken(message)

    def _close(self) -> None:
        """Close the socket, also that of a connection which never came about."""
        sock, self._connection.socket = self._connection.socket, None
        if sock is not None:
            sock.close()


class _VerifiedTls(ldap3.Tls):  # type: ignore[misc]  # untyped
    """TLS by one shared context: ldap3 makes a new one for each connection (25 ms), and looks at the name afterwards.

    The context checks chain and name within the handshake.
    """

    def __init__(self, context: ssl.SSLContext, host: str, go_on: Callable[[], None]) -> None:
        super().__init__(validate=ssl.CERT_REQUIRED)
        self._go_on = go_on
        self._context = context
        self._host = host

    def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - ldap3's
        wrapped = self._context.wrap_socket(
            connection.socket, server_hostname=self._host, do_handshake_on_connect=False
        )
        connection.socket = wrapped  # before the handshake, so that it can be cut
        self._go_on()
        wrapped.do_handshake()


def read_anything(message: bytes) -> Answer:
    """Read a message that ldap_answers.py finds odd. Broken: it is no LDAP."""
    try:
        return _read(message)
    except Exception as error:  # a KeyError, an IndexError ...
        raise Broken(words(error)) from error


def _read(message: bytes) -> Answer:
    decoded = decode_message_fast(message)
    said = _READER.decode_response_fast(decoded)
    number, kind = decoded["messageID"], said["type"]
    if kind == "searchResEntry":
        raw = said["raw_attributes"]
        found = entry(said["raw_dn"], {name.encode(): tuple(values) for name, values in raw.items()})
        return Answer(number, kind, entry=found)
    if kind in {"searchResRef", "intermediateResponse"}:
        return Answer(number, kind)
    controls = {oid: control["value"] or b"" for oid, control in said.get("controls", {}).items()}
    return Answer(number, kind, result=Result(said["result"], said["description"], said["message"], controls))


def compiled(filter_: str) -> bytes:
    """Return a search filter (RFC 4515) as octets (BER). ValueError: it is none."""
    try:
        root = parse_filter(filter_, None, False, False, None, False).elements[0]
        octets: bytes = encode(compile_filter(root))
    except (LDAPException, AttributeError, IndexError, PyAsn1Error) as error:
        message = "no search filter"
        raise ValueError(message) from error
    return octets


def words(error: Exception) -> str:
    """Say what happened. Only texts of ldap3 and the system are passed on: another could quote what was sent."""
    text = str(error) if isinstance(error, LDAPException | OSError) else ""
    if "terminated by server" in text or "abruptly closed" in text:
        return "closed the connection"
    return _SUFFIX.sub("", _PREFIX.sub("", text)) or f"an answer that is no LDAP ({type(error).__name__})"
