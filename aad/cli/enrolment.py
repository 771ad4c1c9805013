"""Shared by `aad totp` and `aad recovery`: finding the user and the method, opening the vault, telling the user."""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from typing import Any

from aad.cli.become import configured_for_daemon
from aad.cli.exits import EX_FAILED, EX_FINE, EX_USAGE, failed, say, takes_config
from aad.config import Config, Plugin
from aad.config.faults import did_you_mean
from aad.core.identity import User
from aad.core.secret import Secret
from aad.daemon import assembly
from aad.enrolment.enrolment import Enrolment
from aad.login.outages import Outages
from aad.login.randomness import Randomness
from aad.logs.log import Log
from aad.notices.kept import By, Notices, What
from aad.portal.sessions import Sessions
from aad.ports import AmbiguousUserError, Repository, Store, Unavailable, without_password

PATIENCE = 15.0  # seconds


class CommandRefusedError(Exception):
    """The command can't be done: one line for stderr, and `code`, the exit code."""

    def __init__(self, what: str, code: int = EX_FAILED) -> None:
        super().__init__(what)
        self.code = code


def takes_enrolment(parser: argparse.ArgumentParser) -> None:
    """Add -c, --event, --repository and --method."""
    takes_config(parser)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--event", metavar="NAME", help="find the user as this one of [events.*] does, realms included")
    where.add_argument(
        "--repository", metavar="NAME", help="find the user in this one of [repositories.*]; default: in all, in order"
    )
    parser.add_argument("--method", metavar="NAME", help="which of [methods.*], if there are several")


Action = Callable[[Config, Plugin, argparse.Namespace], Coroutine[Any, Any, int]]


def done(action: Action, options: argparse.Namespace, types: Collection[str]) -> int:
    """Run an action on the wanted method of one of these types; print failures on stderr. Return the exit code."""
    config = configured_for_daemon(options)
    try:
        return asyncio.run(action(config, _method(config, options.method, types), options))
    except CommandRefusedError as error:
        return failed(str(error), error.code)
    except Unavailable as error:
        return failed(error.told, os.EX_UNAVAILABLE)


def _method(config: Config, wanted: str | None, types: Collection[str]) -> Plugin:
    """Return the wanted method, or the only one of these types. CommandRefusedError."""
    known = {name: plugin for name, plugin in config.methods.items() if plugin.type in types}
    kinds = " or ".join(sorted(types))
    if not known:
        message = f'no method of type {kinds} in {config.file}: name one in a chain, methods = ["password", "..."]'
        raise CommandRefusedError(message)
    if wanted is None and len(known) > 1:
        message = f"there are several methods of type {kinds}: say --method {' or '.join(known)}"
        raise CommandRefusedError(message, EX_USAGE)
    name = wanted or next(iter(known))
    if name not in known:
        message = f"no method {name!r} of type {kinds}: {did_you_mean(name, known)}"
        raise CommandRefusedError(message, EX_USAGE)
    return known[name]


class Directory:
    """Open repositories in which users are found by name."""

    def __init__(self, config: Config, event: str | None, opened: dict[str, Repository]) -> None:
        """With an `event`, names are read and repositories chosen as it does; else they are tried in order."""
        self._event = assembly.events(config)[event] if event else None
        self._opened = opened

    async def user(self, name: str) -> User:
        """Return the one user of this name, as typed at the NAS. CommandRefusedError, Unavailable."""
        named = self._event.named(name) if self._event else None
        places = [named.repository] if named and named.repository else list(self._opened)
        for place in places:
            asked = named.name if named else name
            try:
                found = await self._opened[place].find(asked, None, without_password, time.monotonic() + PATIENCE)
            except AmbiguousUserError:
                message = f"{name}: two or more entries of repository {place} have this name"
                raise CommandRefusedError(message) from None
            if found is not None:
                return found.user
        message = f"{name} is in none of the repositories {', '.join(places)}"
        raise CommandRefusedError(message)


@asynccontextmanager
async def directory(config: Config, options: argparse.Namespace) -> AsyncIterator[Directory]:
    """Open the repositories that `options` name. CommandRefusedError, Unavailable."""
    for kind, name, known in (
        ("event", options.event, config.events),
        ("repository", options.repository, config.repositories),
    ):
        if name is not None and name not in known:
            message = f"no {kind} {name!r}: {did_you_mean(name, known)}"
            raise CommandRefusedError(message, EX_USAGE)
    names = [options.repository] if options.repository else list(config.repositories)
    if options.event:
        names = list(config.events[options.event].repositories)
    made = assembly.repositories(config, Secret(b""))
    async with AsyncExitStack() as stack:
        opened = {name: await stack.enter_async_context(made[name]) for name in names}
        yield Directory(config, options.event, opened)


@dataclass(frozen=True)
class Enrolled:
    """A method's enrolments, and the notices to their users, which a running daemon mails, or the next one.

    `sessions`: those of the portal, which a change ends; None: there is no portal.
    """

    enrolment: Enrolment
    notices: Notices
    sessions: Sessions | None

    @asynccontextmanager
    async def telling(self, user: User, what: What, *, telling: bool = True) -> AsyncIterator[None]:
        """Write a notice of a change; withdraw it if that ends in CommandRefusedError. Unavailable."""
        method, kind, row = self.enrolment.name, self.enrolment.type, ""
        if telling:
            row = await self.notices.add(user, what, by=By.ADMINISTRATOR, method=method, type=kind)
        if self.sessions:  # first: were the store to go after the change, a stolen session would stay signed in
            await self.sessions.end_all(user.repository, user.key)
        try:
            yield
        except CommandRefusedError:
            if row:
                await self.notices.take_back(user, row)
            raise


@asynccontextmanager
async def enrolled(config: Config, plugin: Plugin) -> AsyncIterator[Enrolled]:
    """Open a method's enrolments in the store. Unavailable."""
    async with assembly.opened_store(config) as store:
        key = assembly.installation_key(config)
        yield Enrolled(assembly.enrolment(plugin, store, key), Notices(store), _sessions(config, store, key))


def _sessions(config: Config, store: Store, key: Secret) -> Sessions | None:
    """Return the sessions of the portal's users; None: there is no portal."""
    if config.https is None or (portal := config.https.portal) is None:
        return None
    signer = assembly.signer(key, store, Outages(lambda *_, **__: None))
    return Sessions(store, signer, Randomness(), idle=portal.idle, lifetime=portal.lifetime)


def told(config: Config, name: str, **fields: object) -> None:
    """Write a record to the daemon's log. CommandRefusedError: the change is done, but the log can't be written."""
    try:
        with closing(Log(to=config.log.to, layout=config.log.format, file=config.log.file)) as log:
            log.record(name, **fields)
    except OSError as error:
        message = f"done, but the log can't be written: {error}"
        raise CommandRefusedError(message) from None


async def remove(config: Config, plugin: Plugin, options: argparse.Namespace) -> int:
    """Remove the enrolment of `options.user`. CommandRefusedError: there is none."""
    async with directory(config, options) as users:
        user = await users.user(options.user)
    async with enrolled(config, plugin) as known, known.telling(user, What.REMOVED):
        if not await known.enrolment.vault.remove(user.repository, user.key):
            message = f"{user.name} is not enrolled for {plugin.name}"
            raise CommandRefusedError(message)
    told(config, "user.unenrolled", user=user.name, method=plugin.name, repository=user.repository)
    say(f"{user.name}: no longer enrolled for {plugin.name}")
    return EX_FINE
