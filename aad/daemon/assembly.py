"""Builds the plugins of one configuration and an engine over them, for the daemon; for the commands what they need."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from aad import guard, ports
from aad.config import Config, Plugin
from aad.config.replies import asked_for
from aad.config.sections import Limits
from aad.core.conversation import Login
from aad.core.grants import Granted, Granter
from aad.core.identity import User, name_key
from aad.core.language import lookup
from aad.core.policy import Chain, Event
from aad.core.secret import Secret
from aad.core.settings import Rate
from aad.daemon import plugin_registry
from aad.daemon.installation_key import key_at
from aad.enrolment.enrolment import Enrolment
from aad.enrolment.vault import Vault
from aad.filesystem import folders, privileges
from aad.filesystem.privileges import PrivilegesError
from aad.login.engine import Engine, Reply
from aad.login.identify import Identify
from aad.login.lockout import Lockout
from aad.login.messenger import Messenger
from aad.login.outages import Outages
from aad.login.pending import Pending, Places
from aad.login.randomness import Randomness
from aad.login.signer import Signer
from aad.login.single_flight import SingleFlight
from aad.notices.kept import Notices, What
from aad.notices.mailing import Route
from aad.ports import (
    ChoosesAddress,
    DefaultsLanguage,
    Enrollable,
    LimitsAnswer,
    Method,
    ReadsAttributes,
    Record,
    Repository,
    Sender,
    Store,
    Unavailable,
    Wiring,
)
from aad.radius.reply_attributes import ReplyAttributes
from aad.texts import LANGUAGES


def built(plugin: Plugin, wiring: Wiring, outages: Outages | None = None) -> Any:
    """Make a plugin; nothing is opened yet. One of another package is guarded. ConfigError: that one can't be made."""
    cls, package = (
        plugin_registry.plugin_class(plugin.kind, plugin.type),
        plugin_registry.package(plugin.kind, plugin.type),
    )
    return guard.built(cls, plugin, wiring, package, outages) if package else cls(plugin.settings, wiring)


def events(config: Config) -> dict[str, Event]:
    """Return the events with their chains, by name."""
    chains = {
        name: Chain(
            name,
            chain.methods,
            groups=frozenset(chain.groups),
            short_name=chain.short_name,
            clients=frozenset(chain.clients),
            networks=chain.networks,
        )
        for name, chain in config.chains.items()
    }
    return {
        name: Event(
            name,
            event.repositories,
            tuple(chains[chain] for chain in event.chains),
            realms=tuple(
                (name_key(realm), repository)
                for repository in event.repositories
                for realm in config.repositories[repository].realms
            ),
            choose=event.choose,
            decoy=event.decoy,
        )
        for name, event in config.events.items()
    }


def installation_key(config: Config) -> Secret:
    """Return the installation's key: as configured, else kept beside the store's file, made at the first start (0600).

    For a store without a file `aad.config` requires a configured one. Unavailable: it can't be read or made.
    """
    if config.key is not None:
        return config.key
    _fit_to_open(config)
    return key_at(Path(config.store.settings.path).with_name("installation.key"))


def _fit_to_open(config: Config) -> None:
    """If root, become the owner of the store's folder; check that opening its files can't hang. Unavailable."""
    if config.state_folder is None:
        return
    try:
        privileges.settled(config.state_folder)
    except PrivilegesError as error:
        raise Unavailable(str(error), where="store") from None
    for ending in ("", "-wal", "-shm", "-journal"):
        file = config.store.settings.path.with_name(config.store.settings.path.name + ending)
        if folders.waited_for(file):
            message = f"{file}: is no file; remove it"
            raise Unavailable(message, where="store")


@asynccontextmanager
async def opened_store(config: Config, outages: Outages | None = None) -> AsyncIterator[Store]:
    """Open the store: with `outages` for the daemon, without for a command beside a running daemon. Unavailable."""
    _fit_to_open(config)
    wiring = Wiring(name="store", key=Secret(b""), outage=outages.noticed if outages else None)
    async with built(config.store, wiring, outages) as store:
        yield store


def repositories(config: Config, key: Secret, outages: Outages | None = None) -> dict[str, Repository]:
    """Make every repository. Each reads those attributes of a user that replies and methods use."""
    read = (name for plugin in config.methods.values() for name in _reads(plugin))
    attributes, deciding = tuple(dict.fromkeys((*asked_for(config.replies), *read))), _deciding_by_state(config)
    return {
        name: built(plugin, Wiring(name=name, key=key, attributes=attributes, account_state=name in deciding), outages)
        for name, plugin in config.repositories.items()
    }


def _reads(method: Plugin) -> tuple[str, ...]:
    return method.settings.reads if isinstance(method.settings, ReadsAttributes) else ()


def asks_repository(config: Config, method: str) -> bool:
    """Return whether a method is a password that the user's repository checks."""
    return ports.asks_repository(plugin_registry.plugin_class("methods", config.methods[method].type))


def _deciding_by_state(config: Config) -> set[str]:
    """Return the repositories that have to read account states, since checking a password doesn't always do it.

    Those with a chain that asks no password; and the portal's, which looks at the account at each request.
    """
    portal = config.https.portal.event if config.https and config.https.portal else ""
    asking = {name for name, chain in config.chains.items() if any(asks_repository(config, m) for m in chain.methods)}
    return {
        repository
        for name, event in config.events.items()
        if name == portal or not asking.issuperset(event.chains)
        for repository in event.repositories
    }


def senders(config: Config, key: Secret, outages: Outages | None = None) -> dict[str, Sender]:
    """Make every sender."""
    return {name: built(plugin, Wiring(name=name, key=key), outages) for name, plugin in config.senders.items()}


@dataclass(frozen=True)
class Lasting:
    """The parts that outlive a configuration: log, store, known outages and the logins in progress."""

    record: Record
    store: Store
    outages: Outages
    single_flight: SingleFlight[Reply] = field(default_factory=SingleFlight)


class Plugins(NamedTuple):
    """The plugins of one configuration, by name, and what carries the methods' messages to the senders."""

    repositories: Mapping[str, Repository]
    senders: Mapping[str, Sender]
    methods: Mapping[str, Method[Any]]
    messenger: Messenger


@dataclass(frozen=True)
class Assembled:
    """One configuration, its opened plugins and the engine over them. `key`: the installation's."""

    config: Config
    lasting: Lasting
    key: Secret
    plugins: Plugins
    engine: Engine

    @property
    def telling(self) -> frozenset[str]:
        """The events whose users learn why they are refused, once they have proved who they are."""
        return frozenset(name for name, event in self.config.events.items() if event.tell_reasons)


def made(config: Config, lasting: Lasting, key: Secret) -> Plugins:
    """Make repositories, senders and methods; nothing is opened yet. ConfigError: one of a package can't be made."""
    users = repositories(config, key, lasting.outages)
    mailers = senders(config, key, lasting.outages)
    messenger = Messenger(mailers, lasting.store, lasting.outages, lasting.record, budgets=_budgets(config.limits))
    wired = {name: wiring(name, lasting.store, key, repositories=users, messenger=messenger) for name in config.methods}
    methods = {name: built(plugin, wired[name], lasting.outages) for name, plugin in config.methods.items()}
    return Plugins(users, mailers, methods, messenger)


async def assembled(config: Config, lasting: Lasting, stack: AsyncExitStack) -> Assembled:
    """Open repositories, senders and methods on `stack`, in this order, and make an engine over them.

    ConfigError, Unavailable, OSError: one of them can't be made or opened.
    """
    key = installation_key(config)
    plugins = made(config, lasting, key)
    opened: list[AbstractAsyncContextManager[Any]] = [
        *plugins.repositories.values(),
        plugins.messenger,
        *plugins.senders.values(),
    ]
    opened += [each for each in plugins.methods.values() if isinstance(each, AbstractAsyncContextManager)]
    for each in opened:  # senders are left before the messenger: it writes down what they still report
        await stack.enter_async_context(each)
    return Assembled(config, lasting, key, plugins, _engine(config, lasting, key, plugins))


def _engine(config: Config, lasting: Lasting, key: Secret, plugins: Plugins) -> Engine:
    randomness, store = Randomness(), lasting.store
    locks, signed = lockout(config, store, key), signer(key, store, lasting.outages)
    decoys_last = _decoys_last(config)
    places = Places(most=config.limits.waiting, of_a_user=config.lockout.attempts, decoys_last=decoys_last)
    return Engine(
        identify=Identify(
            events=events(config),
            repositories=plugins.repositories,
            methods=plugins.methods,
            lockout=locks,
            outages=lasting.outages,
            randomness=randomness,
        ),
        methods=plugins.methods,
        pending=Pending(store, plugins.methods, randomness, signed, places),
        lockout=locks,
        outages=lasting.outages,
        record=lasting.record,
        now=store.now,
        randomness=randomness,
        grant=_granter(config),
        single_flight=lasting.single_flight,
        warn=partial(_warn_of_wrong_codes, Notices(store)),
    )


def granting(config: Config) -> ReplyAttributes | None:
    """Return what says what clients are told of users; None: nothing."""
    if not config.replies or config.dictionary is None:
        return None
    return ReplyAttributes([reply.table(name) for name, reply in config.replies.items()], config.dictionary)


def _granter(config: Config) -> Granter:
    def nothing(_login: Login) -> Granted:
        return Granted()

    return granting(config) or nothing


def _decoys_last(config: Config) -> float:
    """Return for how many seconds a decoy may wait: as long as any method of a chain that decoys imitate."""
    chains = (event.chains[0] for event in events(config).values() if event.decoy)
    settings = (config.methods[method].settings for chain in chains for method in chain.methods)
    return max((float(each.period) for each in settings if isinstance(each, LimitsAnswer)), default=0.0)


async def _warn_of_wrong_codes(notices: Notices, user: User, place: str) -> None:
    """Store a notice to the user, once a day at most, that wrong codes came after the right password. Unavailable."""
    await notices.add_daily(user, What.WRONG_CODES, place=place)


def enrolling(config: Config, store: Store) -> dict[str, Enrolment]:
    """Make the methods that users are enrolled for, without the rest, to look at enrolments. Unavailable: no key."""
    classes = {name: plugin_registry.plugin_class("methods", plugin.type) for name, plugin in config.methods.items()}
    names = [name for name, cls in classes.items() if issubclass(cls, Enrollable)]
    key = installation_key(config) if names else Secret(b"")
    return {name: enrolment(config.methods[name], store, key) for name in names}


def enrolment(plugin: Plugin, store: Store, key: Secret) -> Enrolment:
    """Return the Enrolment of one method."""
    wired, randomness = wiring(plugin.name, store, key), Randomness()
    return Enrolment(
        name=plugin.name,
        type=plugin.type,
        settings=plugin.settings,
        method=built(plugin, wired),
        vault=Vault(store, key, plugin.name, randomness),
        key=key,
        randomness=randomness,
    )


def notice_route(assembled: Assembled) -> Route:
    """Return how notices are mailed: like the codes of the first method that sends any, else by the first sender."""
    config, plugins = assembled.config, assembled.plugins
    portal = config.https.portal if config.https else None
    sending = (each.settings for each in config.methods.values() if isinstance(each.settings, ChoosesAddress))
    settings = next(sending, None)
    names = settings.senders if settings else tuple(plugins.senders)[:1]
    language = settings.language if isinstance(settings, DefaultsLanguage) else ""
    return Route(
        repositories=plugins.repositories,
        senders=[(name, plugins.senders[name]) for name in names],
        attribute=settings.address_attribute if settings else "",
        language=lookup(language, LANGUAGES, portal.language if portal else LANGUAGES[0]),
        contact=portal.contact if portal else "",
    )


def wiring(name: str, store: Store, key: Secret, **more: Any) -> Wiring:
    """Return the wiring of a method; `more`: fields that only some callers have."""
    return Wiring(name=name, key=key, vault=Vault(store, key, name, Randomness()), **more)


def signer(key: Secret, store: Store, outages: Outages) -> Signer:
    """Return what signs values in the store; `outages` are told of values that others have signed."""
    return Signer(key, store.now, outages.foreign)


def lockout(config: Config, store: Store, key: Secret) -> Lockout:
    """Return the lockout as configured. `key`: the installation's; empty will do to look and unlock."""
    return Lockout(store, config.lockout.rules, key)


def _budgets(limits: Limits) -> dict[str, Rate]:
    return {"user": limits.mails_per_user, "client": limits.mails_per_client, "server": limits.mails_total}
