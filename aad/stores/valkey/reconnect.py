"""Keeps a connection to the server: made again when it is lost, after a pause that grows while that fails.

Without a connection each command fails at once; only the task here waits for the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from hashlib import sha1

from aad.core.backoff import longer
from aad.ports import Unavailable
from aad.stores.valkey import scripts
from aad.stores.valkey.connection import Connection, connected
from aad.stores.valkey.reply import Answer, Shape, octets
from aad.stores.valkey.settings import Target

STEADY = 1.0  # seconds; after a connection that lasted less, the next one is made after a pause
_SHA = {script: sha1(script.encode(), usedforsecurity=False).hexdigest().encode() for script in scripts.ALL}


class ReconnectingConnection:
    """A connection to the server that is made again when it is lost.

    `opened` is awaited with each new connection, before commands use it. `on_change(why)` is called when the server
    has become unavailable, and with "" when it works again; then `on_return` is awaited.
    """

    def __init__(
        self, route: Target, timeout: float, key: bytes, opened: Callable[[Connection], Awaitable[None]]
    ) -> None:
        """`timeout`: seconds for connecting, and for an answer; `key`: written to try whether the server can be."""
        self.place, self.where = str(route), f"store {route}"
        self._route, self._timeout, self._key, self._opened = route, timeout, key, opened
        self.on_change: Callable[[str], None] = lambda _why: None
        self.on_return: Callable[[], Awaitable[None]] | None = None
        self._down = False
        self._connection: Connection | None = None
        self._since = 0.0
        self._trouble = f"{route}: not connected yet"
        self._lost = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None

    @property
    def up(self) -> bool:
        """Whether there is a connection."""
        return self._connection is not None

    async def open(self, *, patient: bool) -> None:
        """Connect, and stay connected by a task. Unavailable, unless `patient`: then the task goes on trying."""
        try:
            await self._connect()
        except Unavailable as error:
            if not patient:
                raise
            self._failed(error.what)
            self._lost.set()
        self._keeping = asyncio.create_task(self._keep(), name="store: keep connected")

    async def _connect(self) -> None:
        connection = await connected(self._route, self.where, self._timeout, self._key)
        try:
            await asyncio.gather(
                *(connection.ask(octets, b"SCRIPT", b"LOAD", script.encode()) for script in scripts.ALL)
            )
            await self._opened(connection)
        except BaseException:
            connection.end("not in use")
            raise
        if connection.trouble:
            raise connection.unavailable(connection.trouble)
        self._connection, self._trouble, self._since = connection, "", time.monotonic()
        connection.lost = self._gone
        self._lost.clear()

    async def close(self) -> None:
        """End the task and the connection."""
        if self._keeping is not None:
            self._keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeping
        if self._connection is not None:
            self._connection.lost = lambda _what: None
            self._connection.end("closed")
            self._connection = None

    def run(self, script: str, keys: tuple[bytes, ...], *values: bytes) -> asyncio.Future[Answer]:
        """Have the server run one of `scripts.ALL` in one atomic step. Unavailable."""
        return self.ask(scripts.ALL[script], b"EVALSHA", _SHA[script], b"%d" % len(keys), *keys, *values)

    def ask(self, shape: Shape, *words: bytes) -> asyncio.Future[Answer]:
        """Send one command, as `Connection.ask`. Unavailable: also where there is no connection now."""
        if self._connection is None:
            raise Unavailable(self._trouble, where=self.where)
        return self._connection.ask(shape, *words)

    def _gone(self, what: str) -> None:
        self._connection, self._trouble = None, f"{self._route}: {what}"
        self._lost.set()

    def missed(self) -> None:
        """Report the server as unavailable, if that isn't known yet: the store goes on without it."""
        self._failed(self._trouble)

    def _failed(self, what: str) -> None:
        self._trouble = what
        if not self._down:
            self._down = True
            self.on_change(what)

    async def _keep(self) -> None:
        """Connect whenever there is no connection. One that is back at once (an idle one was closed) isn't reported."""
        pause = 0.0
        while True:
            await self._lost.wait()
            pause = longer(pause) if time.monotonic() < self._since + STEADY else 0.0
            await asyncio.sleep(pause)
            while not self.up:
                try:
                    await self._connect()
                except Unavailable as error:
                    self._failed(error.what)
                    pause = longer(pause)
                    await asyncio.sleep(pause)
            self._down = False
            self.on_change("")  # the receiver reports it only if the server was reported as down before
            if self.on_return is not None:
                with contextlib.suppress(Unavailable):
                    await self.on_return()


def run_on(connection: Connection, script: str, keys: tuple[bytes, ...], *values: bytes) -> asyncio.Future[Answer]:
    """Have the server run a script on a connection that isn't in general use yet."""
    return connection.ask(scripts.ALL[script], b"EVALSHA", _SHA[script], b"%d" % len(keys), *keys, *values)
