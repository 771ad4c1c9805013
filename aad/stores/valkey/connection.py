"""One connection to a Valkey or Redis server, shared by all tasks.

1. What is asked in one turn of the loop leaves in one piece, and answers come in the order of the questions: a login
   storm needs few system calls, and no pool.
2. A question that isn't answered in time ends the connection, and with it all that wait: the server hangs, or the link
   is cut. Whoever asks next is told at once.
3. So does an answer of another kind than the question's, one that nobody asked for, and what is no answer at all.
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
"""Errors after which the connection is made anew: to another server, with the scripts, at the right time."""
_PLACE = maybe(several(octets, octets))


class Connection(asyncio.Protocol):
    """A connection, once `connected` has made it. `where` names the store in what is raised."""

    def __init__(self, where: str, place: str, timeout: float) -> None:
        """Prepare it; each answer may take `timeout` seconds."""
        self._reader = ReplyReader()
        self._where, self._place, self._timeout = where, place, timeout
        self._loop = asyncio.get_running_loop()
        self._asked: deque[tuple[asyncio.Future[Answer], float, Shape]] = deque()
        self._out: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None
        self.trouble = ""
        self.lost: Callable[[str], None] = lambda _what: None

    def ask(self, shape: Shape, *words: bytes) -> asyncio.Future[Answer]:
        """Ask, and return what will hold the answer, which has this `shape`. Unavailable: there won't be any."""
        if self.trouble:
            raise self.unavailable(self.trouble)
        future, now = self._loop.create_future(), self._loop.time()
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(b"*%d\r\n" % len(words))
        self._out += [b"$%d\r\n%b\r\n" % (len(word), word) for word in words]
        self._asked.append((future, now + self._timeout, shape))
        if self._timer is None:
            self._timer = self._loop.call_at(now + self._timeout, self._look)
        return future

    def unavailable(self, what: str) -> Unavailable:
        """Return what to raise."""
        return Unavailable(f"{self._place}: {what}", where=self._where)

    def end(self, what: str) -> None:
        """End the connection; nobody who waits gets an answer any more."""
        if self.trouble:
            return
        self.trouble = what
        if self._transport is not None:
            self._transport.abort()
        if self._timer is not None:
            self._timer.cancel()
        for future, _, _ in self._asked:
            if not future.done():
                future.set_exception(self.unavailable(what))
                future.exception()  # maybe nobody waits for it any more
        self._asked.clear()
        self.lost(what)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)  # a stream; uvloop's is no heir of asyncio's

    def data_received(self, data: bytes) -> None:
        """Hand out answers."""
        try:
            for answer in self._reader.read(data):
                self._answered(answer)
                if self.trouble:
                    return
        except MalformedReplyError as error:
            self.end(f"it doesn't speak the protocol: {error}")

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self.end(_words(exc) if exc else "it closed the connection")

    def _answered(self, answer: Answer) -> None:
        if not self._asked:
            self.end("it says what nobody asked for")
            return
        future, _, shape = self._asked[0]
        refused = type(answer) is ErrorReply
        if not refused and not shape(answer):
            self.end("its answer is of another kind than was asked for")
            return
        self._asked.popleft()
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

    def _look(self) -> None:
        """Look after the question that has waited longest."""
        self._timer = None
        if self._asked:
            if self._asked[0][1] <= self._loop.time():
                self.end(f"no answer within {spoken(self._timeout)}")
            else:
                self._timer = self._loop.call_at(self._asked[0][1], self._look)


async def connected(route: Target, where: str, patience: float, key: bytes) -> Connection:
    """Connect, log in, choose the database, and try whether `key` may be written: a replica won't do. Unavailable."""
    if not route.sentinels:
        return await _connected(route, where, patience, key)
    said = "none is there"
    for host, port in route.sentinels:
        sentinel = Target(host=host, port=port, tls=route.tls, ca_file=route.ca_file, password=route.sentinel_password)
        try:
            return await _connected(await _primary(sentinel, route, where, patience), where, patience, key)
        except Unavailable as error:
            said = error.what
    message = f"{route}: {said}"
    raise Unavailable(message, where=where)


async def _primary(sentinel: Target, route: Target, where: str, patience: float) -> Target:
    """Ask a sentinel where the primary is."""
    line = await _connected(sentinel, where, patience)
    try:
        found = await line.ask(_PLACE, b"SENTINEL", b"GET-MASTER-ADDR-BY-NAME", route.host.encode())
    finally:
        line.end("asked")
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
    loop, line = asyncio.get_running_loop(), Connection(where, str(route), patience)
    try:
        async with asyncio.timeout(patience):
            if route.path:
                await loop.create_unix_connection(lambda: line, route.path)
            else:
                tls = ssl.create_default_context(cafile=route.ca_file) if route.tls else None
                await loop.create_connection(lambda: line, route.host, route.port, ssl=tls)
    except TimeoutError:
        what = f"no connection within {spoken(patience)}"
        raise line.unavailable(what) from None
    except OSError as error:
        raise line.unavailable(_words(error)) from None
    try:
        await _greet(line, route, key)
    except BaseException as error:
        line.end("not logged in")
        if isinstance(error, Unavailable):
            raise Unavailable(error.what, where=where) from None
        raise
    return line


async def _greet(line: Connection, route: Target, key: bytes) -> None:
    """Log in, choose the database, and write, in one piece; what is removed may be removed from a full server, too."""
    greetings = []
    if route.password is not None:
        name = [route.username.encode()] if route.username else []
        greetings.append(line.ask(octets, b"AUTH", *name, route.password.reveal()))
    if route.database:
        greetings.append(line.ask(octets, b"SELECT", b"%d" % route.database))
    if key:
        greetings.append(line.ask(number, b"DEL", key))
    for each in await asyncio.gather(*greetings, return_exceptions=True):
        if isinstance(each, Unavailable) and _quotes(each, route.password):
            what = "it refuses the login, and quotes the password"
            raise line.unavailable(what)
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
