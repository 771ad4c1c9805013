"""The HTTPS server: accepts connections, does TLS, limits them by address, and lets the router in force answer."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from aad.core.turns import share
from aad.core.user_address import Address, Networks, literal, place_of
from aad.https.connection import HEAD_OCTETS, Connection
from aad.https.messages import Request, Response
from aad.https.problems import ProblemError
from aad.https.router import Router

HANDSHAKE = 5.0  # seconds for TLS
PAUSE = 0.2  # seconds, when no more files may be opened
_GOODBYE = 1.0  # seconds to close TLS


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Exchanged as a whole by a reload. `connections`: at the same time, at most."""

    router: Router
    tls: ssl.SSLContext
    trusted: Networks
    connections: int


class Server:
    """Serves HTTPS on some listening sockets, in the event loop of the daemon: one task a connection."""

    def __init__(self, setup: Setup) -> None:
        """Accept nothing before `listen`."""
        self.setup = setup
        self._accepting: list[asyncio.Task[None]] = []
        self._sockets: Sequence[socket.socket] = []
        self._connections: dict[asyncio.Task[None], Connection | None] = {}  # the oldest first; None: no TLS yet
        self._held: Counter[str] = Counter()
        self._at_work: set[asyncio.Task[Response]] = set()

    def listen(self, sockets: Sequence[socket.socket]) -> None:
        """Begin to serve these sockets, which are bound and non-blocking."""
        self._sockets = sockets
        self._accepting = [asyncio.create_task(self._accept(each), name="https: accept") for each in sockets]

    def at_work(self) -> set[asyncio.Task[Response]]:
        """Return the requests in progress."""
        return set(self._at_work)

    async def drain(self, patience: float) -> None:
        """Take no more requests, and wait up to `patience` seconds for the responses that are due."""
        for task in self._accepting:
            task.cancel()
        for each in self._sockets:
            each.close()
        for task, connection in list(self._connections.items()):
            if connection is not None and connection.at_work:
                connection.ending = True
            else:
                task.cancel()
        if self._connections:
            await asyncio.wait(list(self._connections), timeout=patience)
        for task in list(self._connections):
            task.cancel()
        if self._connections:
            await asyncio.wait(list(self._connections), timeout=_GOODBYE)

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, peer = await loop.sock_accept(listening)
            except OSError:  # no more files may be opened, or the client was gone already
                await asyncio.sleep(PAUSE)
                continue
            address = literal(peer[0])
            place = place_of(address)
            if self._greedy(address, place) or not self._room():
                accepted.close()
                continue
            self._held[place] += 1
            task = loop.create_task(self._serve(accepted), name="https: connection")
            self._connections[task] = None
            task.add_done_callback(partial(self._gone, accepted, place))
            await asyncio.sleep(0)  # many connections at once don't keep logins from their turn

    def _gone(self, accepted: socket.socket, place: str, task: asyncio.Task[None]) -> None:
        """Forget a connection, also one that was closed before it was served."""
        self._connections.pop(task, None)
        self._held[place] -= 1
        if not self._held[place]:
            del self._held[place]
        accepted.close()

    def _greedy(self, address: Address, place: str) -> bool:
        """Return whether so many come from the source of an address that others would find no room."""
        held = self._held.get(place, 0)
        return held >= share(self.setup.connections) and address not in self.setup.trusted

    def _room(self) -> bool:
        """Return whether there is room for one more. If not, the oldest one without a request in progress is closed."""
        if len(self._connections) < self.setup.connections:
            return True
        for task, connection in self._connections.items():
            if connection is None or not connection.at_work:
                del self._connections[task]
                task.cancel()
                return True
        return False

    async def _answer(self, request: Request) -> Response:
        """Let the router in force answer, to the end, even if the client is gone: a mail may be on its way."""
        task = asyncio.get_running_loop().create_task(self.setup.router.answer(request), name="https: request")
        self._at_work.add(task)
        task.add_done_callback(self._at_work.discard)
        return await asyncio.shield(task)

    def _problem(self, problem: ProblemError) -> Response:
        return self.setup.router.problem(problem)

    async def _serve(self, accepted: socket.socket) -> None:
        """Do TLS, and serve the connection."""
        loop, transport = asyncio.get_running_loop(), None
        reader = asyncio.StreamReader(limit=HEAD_OCTETS)
        protocol = asyncio.StreamReaderProtocol(reader)
        try:
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            transport, _ = await loop.connect_accepted_socket(
                lambda: protocol,
                accepted,
                ssl=self.setup.tls,
                ssl_handshake_timeout=HANDSHAKE,
                ssl_shutdown_timeout=_GOODBYE,
            )
            connection = Connection(reader, asyncio.StreamWriter(transport, protocol, reader, loop), self.setup.trusted)
            me = asyncio.current_task()
            if me in self._connections:
                self._connections[me] = connection
            await connection.serve(self._answer, self._problem)
        except (OSError, asyncio.CancelledError):
            pass  # no TLS, or none that we speak; or it was closed to make room
        finally:
            if transport is not None:
                transport.abort()
