"""Builds everything, runs until SIGTERM, drains; on SIGHUP exchanges the configuration, or keeps the old one."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import gc
import os
import random
import signal
from collections.abc import Mapping
from contextlib import AsyncExitStack, nullcontext

from aad import __version__, assembly, registry, sockets
from aad.assembly import Lasting
from aad.config import Config, ConfigError, load
from aad.core.conversation import Login
from aad.core.grants import Granted
from aad.log import Log
from aad.loop import run
from aad.outages import Outages
from aad.ports import Record, Sender, Store, Unavailable
from aad.radius.accountant import Accountant
from aad.radius.clients import Client, Clients
from aad.radius.front import Front
from aad.radius.granting import Granting
from aad.radius.onefield import OneField
from aad.radius.places import Source
from aad.radius.prompts import Wording
from aad.radius.server import Server, Setup
from aad.service import Service
from aad.sockets import Opened, Worker
from aad.watch import Watch

PATIENCE = 5.0  # seconds for what is at work when the daemon ends, or a configuration does


def serve(config: Config) -> None:
    """Serve until SIGTERM or SIGINT. OSError, BadSocket: no port, or no file for the log. Unavailable: no store."""
    faulthandler.enable()  # the watchdog ends a loop that hangs by SIGABRT: it shall say where
    run(Daemon(config).run())


class Daemon:
    """One running server. What lasts, and the sockets, outlive a reload; all else is built anew."""

    def __init__(self, config: Config, worker: Worker | None = None) -> None:
        """Keep the configuration; nothing is opened yet. `worker`: it is one of several."""
        self._config = config
        self._worker = worker
        self._log = Log(to=config.log.to, level=config.log.level, layout=config.log.format, file=config.log.file)
        number = worker.number if worker else 0
        self._watch = Watch(config, self._log, number) if config.metrics.listen else None
        self._record: Record = self._watch.record if self._watch else self._log.record
        self._plugins = AsyncExitStack()
        self._reloading = asyncio.Lock()
        self._service = worker.service if worker else Service(os.environ, os.getpid())
        self._remark = ""  # what an administrator should see in the status

    async def run(self) -> None:
        """Open store, plugins and sockets; serve; drain."""
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        try:
            outages = Outages(self._record)
            async with assembly.opened_store(self._config, outages) as store:
                await self._serve(Lasting(self._record, store, outages), stop)
            self._record("daemon.stopped")
        finally:
            await self._plugins.aclose()
            self._log.close()
            self._service.close()

    async def _serve(self, lasting: Lasting, stop: asyncio.Event) -> None:
        store = lasting.store
        loop, reloads = asyncio.get_running_loop(), set[asyncio.Task[None]]()
        worker = self._worker
        opened = Opened(dict(worker.sockets), worker.words) if worker else sockets.opened(self._config, self._service)
        setup, senders = await self._setup(self._config, lasting, self._plugins)
        if self._watch:
            self._watch.follow(self._config, senders)
        server = Server(setup, self._record, random.SystemRandom().random)
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
            self._warn(self._config)
            for reason in opened.warnings:
                self._record("configuration.warning", reason=reason)
            listen = ", ".join(each.name for those in opened.sockets.values() for each in those) + opened.words
            self._record("daemon.started", version=__version__, listen=listen)
            async with self._service.serving(lambda: self._status(store), lambda: self._ailing(server)):
                await stop.wait()
            accountant.close()
            await server.drain(PATIENCE)

    async def _status(self, store: Store) -> str:
        """Say in a line how things stand."""
        standing = f"clients: {len(self._config.clients)}, events: {len(self._config.events)}"
        with contextlib.suppress(Unavailable):
            return f"{standing}, waiting logins: {await store.waiting()}{self._remark}"
        return f"{standing}, the store is out of order{self._remark}"

    def _ailing(self, server: Server) -> str:
        if what := server.ailing():
            self._record("fault", reason=what)
        return what

    async def _setup(
        self, config: Config, lasting: Lasting, plugins: AsyncExitStack
    ) -> tuple[Setup, Mapping[str, Sender]]:
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
            clients=_clients(config),
            front=front,
            reject_delay=config.radius.reject_delay,
            at_work=max(1, config.limits.at_work_per_client // (self._worker.count if self._worker else 1)),
        )
        return setup, senders

    async def _reload(self, server: Server, lasting: Lasting) -> None:
        """Put a new configuration in force. A bad one is logged, and the old one stays."""
        async with self._reloading:
            self._service.reloading()
            self._reopen_log()
            plugins = AsyncExitStack()
            try:
                config = load(self._config.file, registry)
                setup, senders = await self._setup(config, lasting, plugins)
            except (ConfigError, Unavailable, OSError) as error:
                await plugins.aclose()
                if self._watch:
                    self._watch.reloaded(successful=False)
                for line in str(error).splitlines():
                    self._record("configuration.refused", reason=line)
                self._remark = "; the last reload was refused, the old configuration is in force"
                self._service.ready(await self._status(lasting.store))
                return
            before, self._plugins, server.setup = self._plugins, plugins, setup
            if self._watch:
                self._watch.follow(config, senders)
                self._watch.reloaded(successful=True)
            self._warn(config)
            if _fixed(config) != _fixed(self._config):
                reason = "radius.listen, radius.accounting_listen, store, log and metrics change at the next restart"
                self._record("configuration.warning", reason=reason)
            self._config, self._remark = config, ""
            self._record("configuration.loaded", file=config.file)
            self._service.ready(await self._status(lasting.store))
            if at_work := server.at_work():
                await asyncio.wait(at_work, timeout=PATIENCE)
            await before.aclose()
            gc.collect()  # the parts of a configuration refer to each other: without this the old ones stay for long

    def _reopen_log(self) -> None:
        try:
            self._log.reopen()
        except OSError as error:
            self._record("configuration.warning", reason=f"{error}; the old file is still being written")

    def _warn(self, config: Config) -> None:
        for warning in config.warnings:
            self._record("configuration.warning", reason=str(warning))


def granting(config: Config) -> Granting | None:
    """Return what says what clients are told of users; None: nothing."""
    if not config.replies or config.vocabulary is None:
        return None
    return Granting([reply.table(name) for name, reply in config.replies.items()], config.vocabulary)


def _nothing(_login: Login) -> Granted:
    return Granted()


def _fixed(config: Config) -> tuple[object, ...]:
    """Return what a reload doesn't change."""
    return (config.radius.listen, config.radius.accounting_listen, config.store, config.log, config.metrics)


def _clients(config: Config) -> Clients:
    return Clients(
        [
            Client(
                name=name,
                networks=client.networks,
                secrets=client.secret,
                event=client.event,
                require_message_authenticator=client.require_message_authenticator,
                deadline=client.deadline,
                prompt_attribute=client.prompt_attribute,
                challenge=client.challenge,
                one_field=OneField(client.code_separator, client.code_length),
                wording=Wording(client.prompt, client.prompt_charset, client.prompt_limit),
                source=_source(config, client.event, client.address_attribute),
            )
            for name, client in config.clients.items()
        ]
    )


def _source(config: Config, event: str, attribute: str) -> Source | None:
    """Return where a client's requests tell the user's address; None: no chain of its event asks for it."""
    if not any(config.chains[chain].networks for chain in config.events[event].chains):
        return None
    found: Source = config.vocabulary.source(attribute) if config.vocabulary else Source()
    return found
