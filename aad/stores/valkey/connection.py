"""One connection to a Valkey or Redis server, shared by all tasks.

1. Commands of one turn of the event loop leave in one piece, and answers come in the order of the commands: a login
   storm needs few system calls, and no pool.
2. A command that isn't answered in time ends the connection, and with it all commands that wait: the server hangs, or
   the network is cut. The next command fails at once.
3. So does an answer of another type than the command's, one without a command, and octets of another protocol.

It replaces redis-py 8.1, whose asyncio client was measured beside it (python -m tools.bench_parts.codecs valkey;
20,000 GETs of one connection, CPython 3.11). A GET alone costs 55 to 85 us of CPU here and 155 to 260 us there, and
of 100 at once each costs 10 us here and 21 to 37 us there: in a pipeline, which belongs to one task there, while
logins are tasks of their own. The reason is not speed alone: there an answer has no bound (requirement 40). A server
that sent 200 MB of one value made it hold 190 MB; one that announced 2^31 values stopped the event loop for 1.3 to
2.3 s; an array where a string was asked for was handed to the caller. With hiredis as its parser the second costs
less, and a line without an end more. Here each of these ends the connection, before anything is held.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import Callable
from typing import cast

from aad.core.secret import Secret
from aad.core.settings import spoken
from aad.ports import Unavailable
from aad.stores.valkey.reply import (
    Answer,
    ErrorReply,
    MalformedReplyError,
    ReplyReader,
    Shape,
    maybe,
    number,
    octets,
    several,
)
from aad.stores.valkey.settings import Target

_ENDS = ("READONLY", "LATE", "NOSCRIPT", "LOADING", "MASTERDOWN", "NOAUTH")
"""Errors that end the connection, so that it is made again: to another server, with the scripts, at the right time."""
_PLACE = maybe(several(octets, octets))


class Connection(asyncio.Protocol):
    """A connection made by `connected`. `where`: the name of the store in each Unavailable.

    `lost(why)` is called once, when the connection has ended; `trouble` holds the same words from then on.
    """

    def __init__(self, where: str, place: str, timeout: float) -> None:
        """`place`: the server, for messages; `timeout`: seconds that each answer may take."""
        self._reader = ReplyReader()
        self._where, self._place, self._timeout = where, place, timeout
        self._loop = asyncio.get_running_loop()
        self._pending: deque[tuple[asyncio.Future[Answer], float, Shape]] = deque()  # future, deadline, shape
        self._out: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None
        self.trouble = ""
        self.lost: Callable[[str], None] = lambda _what: None

    def ask(self, shape: Shape, *words: bytes) -> asyncio.Future[Answer]:
        """Send one command, and return the future of its answer, which must have this `shape`.

        Unavailable, raised here or by the future: the connection has ended, or the server answered with an error.
        """
        if self.trouble:
            raise self.unavailable(self.trouble)
        future, now = self._loop.create_future(), self._loop.time()
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(b"*%d\r\n" % len(words))
        self._out += [b"$%d\r\n%b\r\n" % (len(word), word) for word in words]
        self._pending.append((future, now + self._timeout, shape))
        if self._timer is None:
            self._timer = self._loop.call_at(now + self._timeout, self._check_deadline)
        return future

    def unavailable(self, what: str) -> Unavailable:
        """Return the exception for a reason, with the server's name before it."""
        return Unavailable(f"{self._place}: {what}", where=self._where)

    def end(self, what: str) -> None:
        """End the connection: every command that waits fails with Unavailable."""
        if self.trouble:
            return
        self.trouble = what
        if self._transport is not None:
            self._transport.abort()
        if self._timer is not None:
            self._timer.cancel()
        for future, _, _ in self._pending:
            if not future.done():
                future.set_exception(self.unavailable(what))
                future.exception()  # fetched, as its task may be gone: asyncio would log it
        self._pending.clear()
        self.lost(what)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport (asyncio.Protocol)."""
        self._transport = cast("asyncio.Transport", transport)  # a stream; uvloop's is no subclass of asyncio's

    def data_received(self, data: bytes) -> None:
        """Give each complete answer to the command that it belongs to (asyncio.Protocol)."""
        try:
            for answer in self._reader.read(data):
                self._deliver(answer)
                if self.trouble:
                    return
        except MalformedReplyError as error:
            self.end(f"it doesn't speak the protocol: {error}")

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail all commands that wait (asyncio.Protocol)."""
        self.end(_words(exc) if exc else "it closed the connection")

    def _deliver(self, answer: Answer) -> None:
        if not self._pending:
            self.end("it answered without a question")
            return
        future, _, shape = self._pending[0]
        refused = type(answer) is ErrorReply
        if not refused and not shape(answer):
            self.end("its answer is of another kind than was asked for")
            return
        self._pending.popleft()
        if not future.done():
            if refused:
                future.set_exception(Unavailable(f"{self._place}: {answer}", where="store"))
            else:
                future.set_result(answer)
        if refused and any(word in str(answer) for word in _ENDS):
            self.end(str(answer))

    def _flush(self) -> None:
        if self._transport is not None and not self.trouble:
            self._transport.write(b"".join(self._out))
        self._out.clear()

    def _check_deadline(self) -> None:
        """Check the deadline of the command that has waited longest."""
        self._timer = None
        if self._pending:
            if self._pending[0][1] <= self._loop.time():
                self.end(f"no answer within {spoken(self._timeout)}")
            else:
                self._timer = self._loop.call_at(self._pending[0][1], self._check_deadline)


async def connected(route: Target, where: str, patience: float, key: bytes) -> Connection:
    """Connect, log in, choose the database, and try whether `key` may be written: a replica is refused.

    `patience`: seconds for the connection, and for each answer. Unavailable: no server of the route can be used.
    """
    if not route.sentinels:
        return await _connected(route, where, patience, key)
    why = "none is there"
    for host, port in route.sentinels:
        sentinel = Target(host=host, port=port, tls=route.tls, ca_file=route.ca_file, password=route.sentinel_password)
        try:
            return await _connected(await _primary(sentinel, route, where, patience), where, patience, key)
        except Unavailable as error:
            why = error.what
    message = f"{route}: {why}"
    raise Unavailable(message, where=where)


async def _primary(sentinel: Target, route: Target, where: str, patience: float) -> Target:
    """Ask a sentinel for the primary's address. Unavailable: it doesn't know, or its answer can't be read."""
    connection = await _connected(sentinel, where, patience)
    try:
        found = await connection.ask(_PLACE, b"SENTINEL", b"GET-MASTER-ADDR-BY-NAME", route.host.encode())
    finally:
        connection.end("asked")
    if not found:
        message = f"sentinel {sentinel} knows no service {route.host}"
        raise Unavailable(message, where=where)
    host, port = found
    if not (host.isascii() and port.isdigit() and 0 < int(port[:6]) < 1 << 16):
        message = f"sentinel {sentinel} says where {route.host} is in words that can't be read"
        raise Unavailable(message, where=where)
    return Target(
        host=host.decode(),
        port=int(port),
        database=route.database,
        tls=route.tls,
        ca_file=route.ca_file,
        username=route.username,
        password=route.password,
    )


async def _connected(route: Target, where: str, patience: float, key: bytes = b"") -> Connection:
    loop, connection = asyncio.get_running_loop(), Connection(where, str(route), patience)
    try:
        async with asyncio.timeout(patience):
            if route.path:
                await loop.create_unix_connection(lambda: connection, route.path)
            else:
                tls = ssl.create_default_context(cafile=route.ca_file) if route.tls else None
                await loop.create_connection(lambda: connection, route.host, route.port, ssl=tls)
    except TimeoutError:
        what = f"no connection within {spoken(patience)}"
        raise connection.unavailable(what) from None
    except OSError as error:
        raise connection.unavailable(_words(error)) from None
    try:
        await _greet(connection, route, key)
    except BaseException as error:
        connection.end("not logged in")
        if isinstance(error, Unavailable):
            raise Unavailable(error.what, where=where) from None
        raise
    return connection


async def _greet(connection: Connection, route: Target, key: bytes) -> None:
    """Log in, choose the database, and write, in one piece: a DEL, which a full server takes too."""
    greetings = []
    if route.password is not None:
        name = [route.username.encode()] if route.username else []
        greetings.append(connection.ask(octets, b"AUTH", *name, route.password.reveal()))
    if route.database:
        greetings.append(connection.ask(octets, b"SELECT", b"%d" % route.database))
    if key:
        greetings.append(connection.ask(number, b"DEL", key))
    for each in await asyncio.gather(*greetings, return_exceptions=True):
        if isinstance(each, Unavailable) and _quotes(each, route.password):
            what = "it refuses the login, and quotes the password"
            raise connection.unavailable(what)
        if isinstance(each, BaseException):
            raise each


def _quotes(error: Unavailable, password: Secret | None) -> bool:
    return password is not None and password.reveal() in error.what.encode()


def _words(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not good: {error.verify_message}"
    with contextlib.suppress(AttributeError):
        return error.strerror or str(error)  # type: ignore[attr-defined]
    return str(error)
