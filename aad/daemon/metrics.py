"""[metrics] at work: counts every record of the daemon, and says how it stands to whoever asks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus

from aad.config import Config, Plugin
from aad.config.sections import metrics_place
from aad.daemon import plugin_registry
from aad.logs.log import Log
from aad.metrics.counters import Counters, Names
from aad.metrics.exposition import CONTENT_TYPE
from aad.metrics.families import families
from aad.metrics.gauges import Gauges, Reloads
from aad.metrics.http_server import HttpServer, Response
from aad.metrics.listen_address import ListenAddress
from aad.ports import Queueing, Sender, Store, Unavailable, UsesServers
from aad.radius.server import Server

FRESH = 1.0  # seconds that a page is good for: who asks more often gets it again
AT_A_TIME = 200  # lines of a page, a third of a millisecond; then it is the logins' turn
STORE = 2.0  # seconds that the store gets to show that it works


class MetricsService:
    """Counts from the first record on; `record` is the port `Record`."""

    def __init__(self, config: Config, log: Log, number: int = 0) -> None:
        """Count the records that go to `log`. `number`: of several processes, each of which has a page of its own."""
        self.record = Counters(log.record)
        self._log = log
        self._reloads = Reloads(last=time.time())
        self._place = ListenAddress(**metrics_place(config.metrics.listen)).of(number)
        self._senders: Mapping[str, Sender] = {}

    def follow(self, config: Config, senders: Mapping[str, Sender]) -> None:
        """Take the names and senders of the configuration that is in force from now on."""
        self._senders = senders
        self.record.follow(_names(config))

    def reloaded(self, *, successful: bool) -> None:
        """Note a reload."""
        self._reloads.note(time.time(), successful=successful)

    @asynccontextmanager
    async def serving(self, server: Server, store: Store) -> AsyncIterator[None]:
        """Answer whoever asks. OSError: the address can't be had, and why."""

        async def metrics() -> Response:
            lines: list[str] = []
            for family in families(self.record, await self._moment(server, store)):
                for line in family.lines():
                    lines.append(line)
                    if len(lines) % AT_A_TIME == 0:
                        await asyncio.sleep(0)
            return Response(body="".join(lines).encode(), kind=CONTENT_TYPE)

        async def healthy() -> Response:
            try:
                async with asyncio.timeout(STORE):
                    await store.probe()
            except (Unavailable, TimeoutError):  # why is in the log
                return Response(status=HTTPStatus.SERVICE_UNAVAILABLE, body=b"the store is out of order\n")
            return Response(body=b"fine\n")

        paths = {"/metrics": Lately(metrics), "/-/healthy": Lately(healthy)}
        async with HttpServer(self._place, paths, self.record):
            yield

    async def _moment(self, server: Server, store: Store) -> Gauges:
        try:
            waiting: int | None = await store.count_logins()
        except Unavailable:
            waiting = None
        return Gauges(
            waiting=waiting,
            queued={name: each.queued for name, each in self._senders.items() if isinstance(each, Queueing)},
            at_work=len(server.at_work()),
            discarded=server.discarded,
            answered_again=server.answered_again,
            passed_over=server.passed_over,
            records_dropped=self._log.dropped,
            records_queued=self._log.queued,
            reloads=self._reloads,
        )


class Lately:
    """What was said a moment ago is said again."""

    def __init__(self, say: Callable[[], Awaitable[Response]]) -> None:
        """Ask `say` at most once in `FRESH` seconds."""
        self._say = say
        self._until = 0.0
        self._said: Response
        self._lock = asyncio.Lock()

    async def __call__(self) -> Response:
        """Return it."""
        async with self._lock:
            if time.monotonic() >= self._until:
                self._said = await self._say()
                self._until = time.monotonic() + FRESH
            return self._said


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
