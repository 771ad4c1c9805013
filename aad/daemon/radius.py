"""[radius] as two fronts of the daemon: one for logins, one for accounting."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any

from aad.daemon import radius_clients
from aad.daemon.assembly import Assembled
from aad.daemon.front import no_change
from aad.daemon.sockets import Socket
from aad.ports import Record
from aad.radius.accountant import Accountant
from aad.radius.front import Front
from aad.radius.server import Server, Setup


class RadiusFront:
    """Serves logins (Access-Request). Its `server` lasts; a reload exchanges clients and engine."""

    def __init__(self, assembled: Assembled, sockets: Sequence[Socket], *, workers: int) -> None:
        """Serve on `sockets`, which are bound. `workers`: processes that share the logins of each client."""
        self._sockets = sockets
        self._workers = workers
        self.server = Server(self._setup(assembled), assembled.lasting.record, random.SystemRandom().random)

    async def listen(self) -> None:
        """Begin to serve."""
        self.server.listen(self._sockets)

    def follow(self, assembled: Assembled) -> Callable[[], None]:
        """Make clients and engine of a configuration ready."""
        setup = self._setup(assembled)

        def exchange() -> None:
            self.server.setup = setup

        return exchange

    def at_work(self) -> set[asyncio.Task[Any]]:
        """Return the requests in progress."""
        return {*self.server.at_work()}

    async def drain(self, patience: float) -> None:
        """Take no more requests, and wait up to `patience` seconds for the replies that are due."""
        await self.server.drain(patience)

    def _setup(self, assembled: Assembled) -> Setup:
        config = assembled.config
        front = Front(
            engine=assembled.engine,
            record=assembled.lasting.record,
            reject_message=config.radius.reject_message,
            on_unavailable=config.radius.on_unavailable,
            telling=assembled.telling,
            accounting=bool(config.radius.accounting_listen),
        )
        return Setup(
            clients=radius_clients.clients(config),
            front=front,
            reject_delay=config.radius.reject_delay,
            at_work=max(1, config.limits.at_work_per_client // self._workers),
        )


class AccountingFront:
    """Serves accounting (Accounting-Request), for the clients that logins are served for."""

    def __init__(self, radius: RadiusFront, sockets: Sequence[Socket], record: Record, lost: Callable[[], int]) -> None:
        """Serve on `sockets`, which are bound. `lost()`: how many records were lost since the start."""
        self._sockets = sockets
        self._accountant = Accountant(
            clients=lambda: radius.server.setup.clients,
            record=record,
            lost=lost,
            discards=radius.server.discards,
        )

    async def listen(self) -> None:
        """Begin to serve."""
        self._accountant.listen(self._sockets)

    def follow(self, _assembled: Assembled) -> Callable[[], None]:
        """Change nothing: the clients are those of the front for logins."""
        return no_change

    def at_work(self) -> set[asyncio.Task[Any]]:
        """Return none: writing a record never waits."""
        return set()

    async def drain(self, _patience: float) -> None:
        """Take no more."""
        self._accountant.close()
