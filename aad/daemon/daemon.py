"""Builds everything, runs until SIGTERM, drains; on SIGHUP exchanges the configuration, or keeps the old one."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import os
import signal
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, nullcontext

from aad import __version__
from aad.config import Config, ConfigError, load
from aad.core.raised import raised
from aad.core.seldom import Seldom
from aad.daemon import assembly, event_loop, plugin_registry, sockets
from aad.daemon.assembly import Assembled, Lasting
from aad.daemon.front import Front
from aad.daemon.metrics import MetricsFront, Sources
from aad.daemon.radius import AccountingFront, RadiusFront
from aad.daemon.sockets import Opened, Worker
from aad.daemon.systemd import Notifier
from aad.login.outages import Outages
from aad.logs.log import Log
from aad.logs.login_history import LoginHistory
from aad.metrics.counters import Counters
from aad.metrics.gauges import Reloads
from aad.notices.mailing import Mailing
from aad.ports import Record, Store, Unavailable

FIXED = "radius.listen, radius.accounting_listen, https.listen, https.portal.history, store, log and metrics"
TEN_MINUTES = 600.0  # seconds
PATIENCE = 5.0  # seconds for the requests in progress when the daemon ends, or a configuration does


def serve(config: Config) -> None:
    """Serve until SIGTERM or SIGINT. OSError, BadSocket: no port, or no file for the log. Unavailable: no store."""
    faulthandler.enable()  # the watchdog ends a loop that hangs by SIGABRT: it shall say where
    Daemon(config).serve()


class Daemon:
    """One running server. Store, log, sockets and fronts outlive a reload; all else is built again."""

    def __init__(self, config: Config, worker: Worker | None = None) -> None:
        """Open the log, and nothing else yet. `worker`: it is one of several processes."""
        self._config = config
        self._worker = worker
        self._number = worker.number if worker else 0
        self._notifier = worker.notifier if worker else Notifier(os.environ, os.getpid())
        self._log = Log(to=config.log.to, level=config.log.level, layout=config.log.format, file=config.log.file)
        # A record passes the history of logins, then the counters, on its way to the log.
        self._counters = Counters(self._log.record) if config.metrics.listen else None
        record: Record = self._counters or self._log.record
        self._mailing = Mailing(record, idle=bool(self._number))  # of several workers, the first one mails
        self._history = _history(config, record)
        self._record: Record = self._history or record
        self._plugins = AsyncExitStack()
        self._reloading = asyncio.Lock()
        self._reloads = Reloads(last=time.time())
        self._escapes = Seldom(TEN_MINUTES)

    def serve(self) -> None:
        """Run in an event loop of its own until SIGTERM or SIGINT. ConfigError, Unavailable, OSError: it can't."""
        event_loop.run(self._run(), self._escaped)

    async def _run(self) -> None:
        """Open store, plugins and sockets; serve; drain."""
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        try:
            outages = Outages(self._record)
            async with (
                assembly.opened_store(self._config, outages) as store,
                self._history.kept_in(store) if self._history else nullcontext(),
                self._mailing.running(store, outages),
            ):
                await self._serve(Lasting(self._record, store, outages), stop)
            self._record("daemon.stopped")
        finally:
            await self._plugins.aclose()
            self._log.close()
            self._notifier.close()

    async def _serve(self, lasting: Lasting, stop: asyncio.Event) -> None:
        """Begin with all fronts, serve until `stop`, and end politely."""
        loop, reloads = asyncio.get_running_loop(), set[asyncio.Task[None]]()
        opened = self._worker.opened() if self._worker else sockets.opened(self._config, self._notifier)
        assembled = await assembly.assembled(self._config, lasting, self._plugins)
        radius = RadiusFront(assembled, opened.sockets["radius"], workers=self._worker.count if self._worker else 1)
        fronts = self._fronts(assembled, opened, radius)
        self._mailing.route = assembly.notice_route(assembled)

        def reload() -> None:
            task = loop.create_task(self._reload(fronts, lasting))
            reloads.add(task)
            task.add_done_callback(reloads.discard)

        loop.add_signal_handler(signal.SIGHUP, reload)
        try:
            for front in fronts:
                await front.listen()
            self._warn(self._config)
            for reason in opened.warnings:
                self._record("configuration.warning", reason=reason)
            listen = ", ".join(opened.names) + opened.words
            self._record("daemon.started", version=__version__, listen=listen)
            event_loop.settle_garbage()
            async with self._notifier.serving(lambda: self._status(lasting.store), lambda: self._ailing(radius)):
                await stop.wait()
        finally:
            await asyncio.gather(*(front.drain(PATIENCE) for front in fronts))

    def _fronts(self, assembled: Assembled, opened: Opened, radius: RadiusFront) -> list[Front]:
        """Return the fronts that are configured, in the order in which they begin. OSError: no certificate."""
        accounting = AccountingFront(
            radius, opened.sockets["accounting"], record=self._record, lost=lambda: self._log.dropped
        )
        fronts: list[Front] = [radius, accounting]
        if opened.streams and self._config.https:
            from aad.daemon.https import HttpsFront  # noqa: PLC0415 - only who configures it needs its libraries

            fronts.append(HttpsFront(assembled, self._config.https, opened.streams, self._mailing.woken))
        if self._counters:
            sources = Sources(
                counters=self._counters, log=self._log, reloads=self._reloads, radius=radius, fronts=tuple(fronts)
            )
            fronts.insert(0, MetricsFront(assembled, sources, self._number))
        return fronts

    def _escaped(self, error: BaseException) -> None:
        """Say once in a while that a task or callback which a plugin made for itself would have ended the daemon."""
        where = raised(error)
        if (more := self._escapes.due((where,), time.monotonic())) is not None:
            self._record("fault", reason=f"{where}, out of a task or a callback of a plugin{more}")

    async def _status(self, store: Store) -> str:
        """Say in a line how things stand."""
        refused = "" if self._reloads.successful else "; the last reload was refused, the old configuration is in force"
        standing = f"clients: {len(self._config.clients)}, events: {len(self._config.events)}"
        with contextlib.suppress(Unavailable):
            return f"{standing}, waiting logins: {await store.count_logins()}{refused}"
        return f"{standing}, the store is out of order{refused}"

    def _ailing(self, radius: RadiusFront) -> str:
        if what := radius.server.ailing():
            self._record("fault", reason=what)
        return what

    async def _reload(self, fronts: Sequence[Front], lasting: Lasting) -> None:
        """Put a new configuration in force. A bad one is logged, and the old one stays."""
        async with self._reloading:
            self._notifier.reloading()
            self._reopen_log()
            plugins = AsyncExitStack()
            try:
                # In a thread: of 20,000 clients it takes 3 s.
                config = await asyncio.to_thread(load, self._config.file, plugin_registry)
                assembled = await assembly.assembled(config, lasting, plugins)
                exchanges = [front.follow(assembled) for front in fronts]
                route = assembly.notice_route(assembled)
            except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 - whatever it is, the old serves on
                await plugins.aclose()
                self._refuse(error)
                self._notifier.ready(await self._status(lasting.store))
                return
            before, self._plugins = self._plugins, plugins
            for exchange in exchanges:
                exchange()
            self._mailing.route = route
            self._reloads.note(time.time(), successful=True)
            self._warn(config)
            if _fixed(config) != _fixed(self._config):
                self._record("configuration.warning", reason=f"{FIXED} change at the next restart")
            self._config = config
            self._record("configuration.loaded", file=config.file)
            self._notifier.ready(await self._status(lasting.store))
            await self._let_go(before, fronts)

    def _refuse(self, error: BaseException) -> None:
        """Record why a new configuration isn't in force."""
        self._reloads.note(time.time(), successful=False)
        known = isinstance(error, ConfigError | Unavailable | OSError)
        for line in str(error if known else raised(error)).splitlines():
            self._record("configuration.refused", reason=line)

    async def _let_go(self, before: AsyncExitStack, fronts: Sequence[Front]) -> None:
        """Close the old configuration's plugins, once the requests that use them are done."""
        if requests := {task for front in fronts for task in front.at_work()}:
            await asyncio.wait(requests, timeout=PATIENCE)
        await self._mailing.let_go()
        await before.aclose()
        event_loop.settle_garbage()

    def _reopen_log(self) -> None:
        try:
            self._log.reopen()
        except OSError as error:
            self._record("configuration.warning", reason=f"{error}; the old file is still being written")

    def _warn(self, config: Config) -> None:
        for warning in config.warnings:
            self._record("configuration.warning", reason=str(warning))


def _history(config: Config, record: Record) -> LoginHistory | None:
    """Return what keeps logins on their way to the log for the portal; None: there is no portal."""
    remembered = _remembered(config)
    return LoginHistory(record, most=remembered[0], lasts=remembered[1]) if remembered else None


def _remembered(config: Config) -> tuple[int, float] | None:
    portal = config.https.portal if config.https else None
    return (portal.history_logins, portal.history) if portal else None


def _fixed(config: Config) -> tuple[object, ...]:
    """Return what a reload doesn't change."""
    https = config.https.listen if config.https else ()
    listen = (config.radius.listen, config.radius.accounting_listen, https)
    return (*listen, _remembered(config), config.store, config.log, config.metrics)
