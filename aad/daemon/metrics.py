"""[metrics] as a front of the daemon: GET /metrics, out of counters and gauges, and GET /-/healthy."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

from aad.config import Config, Plugin
from aad.config.sections import metrics_place
from aad.daemon import plugin_registry
from aad.daemon.assembly import Assembled
from aad.daemon.front import Front
from aad.daemon.radius import RadiusFront
from aad.logs.log import Log
from aad.metrics.counters import Counters, Names
from aad.metrics.exposition import CONTENT_TYPE
from aad.metrics.families import families
from aad.metrics.gauges import Gauges, Reloads
from aad.metrics.http_server import HttpServer, Response
from aad.metrics.listen_address import ListenAddress
from aad.ports import Queueing, Sender, Unavailable, UsesServers

FRESH = 1.0  # seconds for which a page is served from the cache
AT_A_TIME = 200  # lines of a page, a third of a millisecond; then it is the logins' turn
STORE = 2.0  # seconds that the store gets to show that it works


@dataclass(frozen=True, kw_only=True)
class Sources:
    """The sources of the numbers. `radius`: the front for logins; `fronts`: all but the metrics themselves."""

    counters: Counters
    log: Log
    reloads: Reloads
    radius: RadiusFront
    fronts: Sequence[Front]


class MetricsFront:
    """Serves the metrics of this process. It ends after the other fronts, so that their last requests can be seen."""

    def __init__(self, assembled: Assembled, sources: Sources, number: int) -> None:
        """Show `sources`. `number`: of several processes, each of which has an address of its own."""
        self._sources = sources
        self._store = assembled.lasting.store
        self._senders: Mapping[str, Sender] = {}
        address = ListenAddress(**metrics_place(assembled.config.metrics.listen)).of(number)
        pages = {"/metrics": Cached(self._metrics), "/-/healthy": Cached(self._healthy)}
        self._server = HttpServer(address, pages, assembled.lasting.record)
        self.follow(assembled)()

    async def listen(self) -> None:
        """Begin to serve. OSError: the address isn't available, and why."""
        await self._server.listen()

    def follow(self, assembled: Assembled) -> Callable[[], None]:
        """Take the names and senders of a configuration."""
        return partial(self._take, _names(assembled.config), assembled.plugins.senders)

    def at_work(self) -> set[asyncio.Task[Any]]:
        """Return none: no request for metrics holds up a reload."""
        return set()

    async def drain(self, patience: float) -> None:
        """Serve on while the other fronts have requests in progress, for `patience` seconds at most, then close."""
        if requests := {task for front in self._sources.fronts for task in front.at_work()}:
            await asyncio.wait(requests, timeout=patience)
        await self._server.close()

    def _take(self, names: Names, senders: Mapping[str, Sender]) -> None:
        self._sources.counters.follow(names)
        self._senders = senders

    async def _metrics(self) -> Response:
        lines: list[str] = []
        for family in families(self._sources.counters, await self._gauges()):
            for line in family.lines():
                lines.append(line)
                if len(lines) % AT_A_TIME == 0:
                    await asyncio.sleep(0)
        return Response(body="".join(lines).encode(), kind=CONTENT_TYPE)

    async def _healthy(self) -> Response:
        try:
            async with asyncio.timeout(STORE):
                await self._store.probe()
        except (Unavailable, TimeoutError):  # why is in the log
            return Response(status=HTTPStatus.SERVICE_UNAVAILABLE, body=b"the store is out of order\n")
        return Response(body=b"fine\n")

    async def _gauges(self) -> Gauges:
        try:
            waiting: int | None = await self._store.count_logins()
        except Unavailable:
            waiting = None
        server = self._sources.radius.server
        return Gauges(
            waiting=waiting,
            queued={name: each.queued for name, each in self._senders.items() if isinstance(each, Queueing)},
            at_work=len(server.at_work()),
            discarded=server.discarded,
            answered_again=server.answered_again,
            passed_over=server.passed_over,
            records_dropped=self._sources.log.dropped,
            records_queued=self._sources.log.queued,
            reloads=self._sources.reloads,
        )


class Cached:
    """A page that is made at most once in `FRESH` seconds."""

    def __init__(self, make: Callable[[], Awaitable[Response]]) -> None:
        """Make it with `make()`."""
        self._make = make
        self._until = 0.0
        self._page: Response
        self._lock = asyncio.Lock()

    async def __call__(self) -> Response:
        """Return the page."""
        async with self._lock:
            if time.monotonic() >= self._until:
                self._page = await self._make()
                self._until = time.monotonic() + FRESH
            return self._page


def _servers(plugin: Plugin) -> tuple[str, ...]:
    return plugin.settings.servers if isinstance(plugin.settings, UsesServers) else ()


def _names(config: Config) -> Names:
    back_ends = [("store", "store"), *(("sender", name) for name in config.senders)]
    for name, plugin in config.repositories.items():
        back_ends.append(("repository", name))
        back_ends += [("server", server) for server in _servers(plugin)]
    for plugin in config.methods.values():
        back_ends += [("server", server) for server in _servers(plugin)]
    return Names(
        clients={name: events[0] for name, events in config.events_by_client.items()},
        senders=tuple(config.senders),
        proofs=frozenset(
            plugin_registry.plugin_class("methods", plugin.type).proves for plugin in config.methods.values()
        ),
        back_ends=tuple(back_ends),
    )
