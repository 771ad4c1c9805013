"""Keeps a connection to the server: made anew when it is lost, after a pause that grows while that fails.

While there is none, whoever asks is told at once; only the task here waits for the server.
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

STEADY = 1.0  # seconds that a connection lasts, or it was none: the next one is made after a pause
_SHA = {script: sha1(script.encode(), usedforsecurity=False).hexdigest().encode() for script in scripts.ALL}


class PersistentConnection:
    """The way to the server. `opened` is awaited with each new line, before anybody else uses it."""

    def __init__(
        self, route: Target, timeout: float, key: bytes, opened: Callable[[Connection], Awaitable[None]]
    ) -> None:
        """Prepare it; `key` may be written to try it.

        `told(what)` hears that the server is out of order, and that it works again (""); `returned` is awaited then.
        """
        self.place, self.where = str(route), f"store {route}"
        self._route, self._timeout, self._key, self._opened = route, timeout, key, opened
        self.told: Callable[[str], None] = lambda _what: None
        self.returned: Callable[[], Awaitable[None]] | None = None
        self._down = False
        self._line: Connection | None = None
        self._since = 0.0
        self._trouble = f"{route}: not connected yet"
        self._lost = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None

    @property
    def up(self) -> bool:
        """Whether there is a connection."""
        return self._line is not None

    async def open(self, *, patient: bool) -> None:
        """Connect, and stay so, in a task. Unavailable, unless `patient`: then it goes on trying."""
        try:
            await self._connect()
        except Unavailable as error:
            if not patient:
                raise
            self._failed(error.what)
            self._lost.set()
        self._keeping = asyncio.create_task(self._keep(), name="store: keep connected")

    async def _connect(self) -> None:
        line = await connected(self._route, self.where, self._timeout, self._key)
        try:
            await asyncio.gather(*(line.ask(octets, b"SCRIPT", b"LOAD", script.encode()) for script in scripts.ALL))
            await self._opened(line)
        except BaseException:
            line.end("not in use")
            raise
        if line.trouble:
            raise line.unavailable(line.trouble)
        self._line, self._trouble, self._since = line, "", time.monotonic()
        line.lost = self._gone
        self._lost.clear()

    async def close(self) -> None:
        """End the connection."""
        if self._keeping is not None:
            self._keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeping
        if self._line is not None:
            self._line.lost = lambda _what: None
            self._line.end("closed")
            self._line = None

    def run(self, script: str, keys: tuple[bytes, ...], *values: bytes) -> asyncio.Future[Answer]:
        """Have the server run a script. Unavailable."""
        return self.ask(scripts.ALL[script], b"EVALSHA", _SHA[script], b"%d" % len(keys), *keys, *values)

    def ask(self, shape: Shape, *words: bytes) -> asyncio.Future[Answer]:
        """Ask the server. Unavailable."""
        if self._line is None:
            raise Unavailable(self._trouble, where=self.where)
        return self._line.ask(shape, *words)

    def _gone(self, what: str) -> None:
        self._line, self._trouble = None, f"{self._route}: {what}"
        self._lost.set()

    def missed(self) -> None:
        """Tell that it is out of order: somebody goes on without it."""
        self._failed(self._trouble)

    def _failed(self, what: str) -> None:
        self._trouble = what
        if not self._down:
            self._down = True
            self.told(what)

    async def _keep(self) -> None:
        """Connect whenever there is no connection. One that is back at once (an idle one was closed) is no news."""
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
            self.told("")  # it is news if anybody was told that it was down, by this or by who asked
            if self.returned is not None:
                with contextlib.suppress(Unavailable):
                    await self.returned()


def run_on(line: Connection, script: str, keys: tuple[bytes, ...], *values: bytes) -> asyncio.Future[Answer]:
    """Have the server run a script on a line that isn't in general use yet."""
    return line.ask(scripts.ALL[script], b"EVALSHA", _SHA[script], b"%d" % len(keys), *keys, *values)
