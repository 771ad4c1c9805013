"""Builds everything, runs until SIGTERM, drains; on SIGHUP exchanges the configuration, or keeps the old one."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import os
import random
import signal
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

from aad import __version__
from aad.config import Config, ConfigError, load
from aad.core.conversation import Login
from aad.core.grants import Granted
from aad.core.raised import raised
from aad.core.seldom import Seldom
from aad.daemon import assembly, garbage, plugin_registry, radius_clients, sockets
from aad.daemon.assembly import Lasting
from aad.daemon.event_loop import run
from aad.daemon.metrics import MetricsService
from aad.daemon.sockets import Worker
from aad.daemon.systemd import Notifier
from aad.login.outages import Outages
from aad.logs.log import Log
from aad.logs.login_history import LoginHistory
from aad.notices.mailing import Mailing
from aad.ports import Record, Sender, Store, Unavailable
from aad.radius.accountant import Accountant
from aad.radius.front import Front
from aad.radius.reply_attributes import ReplyAttributes
from aad.radius.server import Server, Setup

if TYPE_CHECKING:
    from aad.daemon.https import HttpsService

FIXED = "radius.listen, radius.accounting_listen, https.listen, https.portal.history, store, log and metrics"
TEN_MINUTES = 600.0  # seconds
PATIENCE = 5.0  # seconds for what is at work when the daemon ends, or a configuration does


def serve(config: Config) -> None:
    """Serve until SIGTERM or SIGINT. OSError, BadSocket: no port, or no file for the log. Unavailable: no store."""
    faulthandler.enable()  # the watchdog ends a loop that hangs by SIGABRT: it shall say where
    Daemon(config).serve()


class Made(NamedTuple):
    """What a reload exchanges: the RADIUS front's, the senders, and what the HTTPS front serves, if there is one."""

    setup: Setup
    senders: Mapping[str, Sender]
    website: Any
    route: Any


class Daemon:
    """One running server. What lasts, and the sockets, outlive a reload; all else is built anew."""

    def __init__(self, config: Config, worker: Worker | None = None) -> None:
        """Keep the configuration; nothing is opened yet. `worker`: it is one of several."""
        self._config = config
        self._worker = worker
        self._log = Log(to=config.log.to, level=config.log.level, layout=config.log.format, file=config.log.file)
        number = worker.number if worker else 0
        self._watch = MetricsService(config, self._log, number) if config.metrics.listen else None
        self._record: Record = self._watch.record if self._watch else self._log.record
        self._plugins = AsyncExitStack()
        self._reloading = asyncio.Lock()
        self._service = worker.service if worker else Notifier(os.environ, os.getpid())
        self._remark = ""  # what an administrator should see in the status
        self._web: HttpsService | None = None
        self._escapes = Seldom(TEN_MINUTES)
        self._mailing = Mailing(self._record, idle=bool(number))  # of several workers, the first one mails
        self._history = _history(config, self._record)
        self._record = self._history or self._record

    def serve(self) -> None:
        """Run in an event loop of its own until SIGTERM or SIGINT. ConfigError, Unavailable, OSError: it can't."""
        run(self._run(), self._escaped)

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
            self._service.close()

    async def _serve(self, lasting: Lasting, stop: asyncio.Event) -> None:
        store = lasting.store
        loop, reloads = asyncio.get_running_loop(), set[asyncio.Task[None]]()
        opened = self._worker.opened() if self._worker else sockets.opened(self._config, self._service)
        if opened.streams:
            from aad.daemon.https import HttpsService  # noqa: PLC0415 - only who configures it needs its libraries

            self._web = HttpsService(self._record, store, self._mailing.woken)
        made = await self._made(self._config, lasting, self._plugins)
        server = Server(made.setup, self._record, random.SystemRandom().random)
        self._exchange(self._config, made, server)
        accountant = Accountant(
            clients=lambda: server.setup.clients,
            record=self._record,
            lost=lambda: self._log.dropped,
            discards=server.discards,
        )

        def reload() -> None:
            task = loop.create_task(self._reload(server, lasting))
            reloads.add(task)
            task.add_done_callback(reloads.discard)

        loop.add_signal_handler(signal.SIGHUP, reload)
        async with self._watch.serving(server, store) if self._watch else nullcontext():
            server.listen(opened.sockets["radius"])
            accountant.listen(opened.sockets["accounting"])
            if self._web:
                self._web.listen(opened.streams)
            self._warn(self._config)
            for reason in opened.warnings:
                self._record("configuration.warning", reason=reason)
            listen = ", ".join(opened.names) + opened.words
            self._record("daemon.started", version=__version__, listen=listen)
            garbage.settle()
            async with self._service.serving(lambda: self._status(store), lambda: self._ailing(server)):
                await stop.wait()
            accountant.close()
            await asyncio.gather(*(each.drain(PATIENCE) for each in (server, self._web) if each))

    def _escaped(self, error: BaseException) -> None:
        """Say once in a while that a task or callback which a plugin made for itself would have ended the daemon."""
        where = raised(error)
        if (more := self._escapes.due((where,), time.monotonic())) is not None:
            self._record("fault", reason=f"{where}, out of a task or a callback of a plugin{more}")

    async def _status(self, store: Store) -> str:
        """Say in a line how things stand."""
        standing = f"clients: {len(self._config.clients)}, events: {len(self._config.events)}"
        with contextlib.suppress(Unavailable):
            return f"{standing}, waiting logins: {await store.count_logins()}{self._remark}"
        return f"{standing}, the store is out of order{self._remark}"

    def _ailing(self, server: Server) -> str:
        if what := server.ailing():
            self._record("fault", reason=what)
        return what

    async def _made(self, config: Config, lasting: Lasting, plugins: AsyncExitStack) -> Made:
        """Make what a reload exchanges. ConfigError, Unavailable, OSError: it can't be."""
        engine, senders = await assembly.assembled(config, lasting, plugins, granting(config) or _nothing)
        front = Front(
            engine=engine,
            record=self._record,
            reject_message=config.radius.reject_message,
            on_unavailable=config.radius.on_unavailable,
            telling=frozenset(name for name, event in config.events.items() if event.tell_reasons),
            accounting=bool(config.radius.accounting_listen),
        )
        setup = Setup(
            clients=radius_clients.clients(config),
            front=front,
            reject_delay=config.radius.reject_delay,
            at_work=max(1, config.limits.at_work_per_client // (self._worker.count if self._worker else 1)),
        )
        website = self._web.made(config, engine) if self._web else None
        return Made(setup, senders, website, assembly.notice_route(config, engine, senders))

    def _exchange(self, config: Config, made: Made, server: Server) -> None:
        server.setup = made.setup
        self._mailing.route = made.route
        if self._web:
            self._web.follow(made.website)
        if self._watch:
            self._watch.follow(config, made.senders)

    async def _reload(self, server: Server, lasting: Lasting) -> None:
        """Put a new configuration in force. A bad one is logged, and the old one stays."""
        async with self._reloading:
            self._service.reloading()
            self._reopen_log()
            plugins = AsyncExitStack()
            try:
                config = await asyncio.to_thread(
                    load, self._config.file, plugin_registry
                )  # of 20,000 clients it takes 3 s
                made = await self._made(config, lasting, plugins)
            except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 - whatever it is, the old serves on
                await plugins.aclose()
                if self._watch:
                    self._watch.reloaded(successful=False)
                known = isinstance(error, ConfigError | Unavailable | OSError)
                for line in str(error if known else raised(error)).splitlines():
                    self._record("configuration.refused", reason=line)
                self._remark = "; the last reload was refused, the old configuration is in force"
                self._service.ready(await self._status(lasting.store))
                return
            before, self._plugins = self._plugins, plugins
            self._exchange(config, made, server)
            if self._watch:
                self._watch.reloaded(successful=True)
            self._warn(config)
            if _fixed(config) != _fixed(self._config):
                self._record("configuration.warning", reason=f"{FIXED} change at the next restart")
            self._config, self._remark = config, ""
            self._record("configuration.loaded", file=config.file)
            self._service.ready(await self._status(lasting.store))
            if at_work := server.at_work() | (self._web.at_work() if self._web else set()):
                await asyncio.wait(at_work, timeout=PATIENCE)
            await self._mailing.let_go()
            await before.aclose()
            garbage.settle()

    def _reopen_log(self) -> None:
        try:
            self._log.reopen()
        except OSError as error:
            self._record("configuration.warning", reason=f"{error}; the old file is still being written")

    def _warn(self, config: Config) -> None:
        for warning in config.warnings:
            self._record("configuration.warning", reason=str(warning))


def granting(config: Config) -> ReplyAttributes | None:
    """Return what says what clients are told of users; None: nothing."""
    if not config.replies or config.dictionary is None:
        return None
    return ReplyAttributes([reply.table(name) for name, reply in config.replies.items()], config.dictionary)


def _nothing(_login: Login) -> Granted:
    return Granted()


def _history(config: Config, record: Record) -> LoginHistory | None:
    """Return what remembers logins on their way to the log; None: there is no portal to show them."""
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
