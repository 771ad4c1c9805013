"""Reads the whole configuration: the files, each table as its dataclass, then the checks across tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from aad.abilities import KeepsFile
from aad.config import consistency, sections
from aad.config.client import Client
from aad.config.decode import Decoder
from aad.config.faults import ConfigError, Fault, Findings, did_you_mean
from aad.config.files import Table, read
from aad.config.groups import check_groups
from aad.config.https import Https, events_by_client
from aad.config.replies import AttributeDictionary, Reply, attribute_dictionary
from aad.core.secret import Secret
from aad.core.strength import Traits
from aad.filesystem import secure_path

S = TypeVar("S")
_SAME_KEY = "nodes that share a store have the same key; make one with: openssl rand -base64 32 >store.key"
_SINGLE = ("radius", "lockout", "limits", "store", "log", "metrics", "https")
_NAMED = ("clients", "repositories", "senders", "methods", "chains", "events", "replies")


class Types(Protocol):
    """The plugins that a configuration may name; `aad.daemon.plugin_registry` is one."""

    def names(self, kind: str) -> list[str]:
        """Return the types of a kind ("senders")."""

    def settings(self, kind: str, name: str) -> type:
        """Return the `Settings` of a type. ImportError: it is installed, and broken."""

    def rivals(self, kind: str, name: str) -> list[str]:
        """Return the packages whose type of this name isn't used, as another one goes before them."""

    def attribute_dictionary(self, further: Path | None) -> Any:
        """Return the attributes of replies, those of a `further` file too. ValueError: it can't be read."""

    def plugin_class(self, kind: str, name: str) -> Any:
        """Return the class of a type. ImportError: as `settings`."""


@dataclass(frozen=True)
class Plugin:
    """One configured plugin: its type, and its settings, decoded."""

    kind: str
    name: str
    type: str
    settings: Any
    realms: tuple[str, ...] = ()
    file: Path = Path("aad.toml")


@dataclass(frozen=True, kw_only=True)
class Config:
    """The whole of aad.toml, with the defaults filled in."""

    file: Path
    radius: sections.Radius
    clients: Mapping[str, Client]
    repositories: Mapping[str, Plugin]
    senders: Mapping[str, Plugin]
    methods: Mapping[str, Plugin]
    chains: Mapping[str, sections.Chain]
    events: Mapping[str, sections.Event]
    replies: Mapping[str, Reply]
    lockout: sections.Lockout
    limits: sections.Limits
    store: Plugin
    key: Secret | None
    daemon_user: str
    log: sections.Log
    metrics: sections.Metrics
    https: Https | None = None
    traits: Traits = field(default_factory=dict)
    dictionary: AttributeDictionary | None = None
    warnings: tuple[Fault, ...] = ()

    @property
    def state_folder(self) -> Path | None:
        """The folder of the store's file, and of the installation's key; None: the store has no file."""
        return _state_folder(self.store)

    @property
    def events_by_client(self) -> dict[str, tuple[str, ...]]:
        """Each client, website and the portal, with the events that it may ask for, the usual one first."""
        return events_by_client(self.clients, self.https)


def _state_folder(store: Plugin | None) -> Path | None:
    return store.settings.path.parent if store and isinstance(store.settings, KeepsFile) else None


def load(file: Path, types: Types) -> Config:
    """Read `file` and its drop-ins. ConfigError: holds every fault, not just the first."""
    findings = Findings()
    tree = read(file, findings)
    if findings.faults:  # further faults would only be keys missing from the unreadable file
        raise ConfigError(findings.faults)
    _fill_in(tree.tables, types)
    decoder = Decoder(tree, findings)
    for key, table in list(tree.tables.items()):
        if key not in {*_SINGLE, *_NAMED}:
            decoder.fault((key,), f"unknown section: {did_you_mean(key, (*_SINGLE, *_NAMED))}")
        elif not isinstance(table, dict):
            decoder.fault((key,), f"should be a table: [{key}]")
            tree.tables[key] = {}
    parts = _parts(decoder, types)
    consistency.select(decoder, parts)
    if not findings.faults:  # parts that have faults are missing, and can't be compared
        parts["traits"] = consistency.traits(types.plugin_class, parts)
        consistency.compare(decoder, parts)
    findings.judge(secure_path.owners(_state_folder(parts["store"]), parts["daemon_user"]))
    if findings.faults:
        raise ConfigError(dict.fromkeys(findings.faults))
    return Config(file=file, warnings=tuple(dict.fromkeys(findings.warnings)), **parts)


def _parts(decoder: Decoder, types: Types) -> dict[str, Any]:
    tables = decoder.tree.tables
    parts: dict[str, Any] = {kind: _plugins(decoder, types, kind) for kind in ("repositories", "senders", "methods")}
    store = tables.get("store", {})
    own = store.keys() & {"key", "daemon_user"}
    rest = {key: store[key] for key in store.keys() - own}
    parts["store"] = _plugin(decoder, types, ("store",), rest, "sqlite")
    common = decoder.settings(sections.Store, {key: store[key] for key in own}, ("store",))
    parts["key"] = common.key if common else None
    parts["daemon_user"] = common.daemon_user if common else ""
    if "daemon_user" in own and parts["store"] and isinstance(parts["store"].settings, KeepsFile):
        decoder.warn(("store", "daemon_user"), "isn't used: it is the owner of the folder of the store's file")
    if common and common.key is None and parts["store"] and not isinstance(parts["store"].settings, KeepsFile):
        decoder.fault(("store", "key"), f"missing: {_SAME_KEY}")
    for kind, cls in (("clients", Client), ("chains", sections.Chain), ("events", sections.Event)):
        parts[kind] = _each(decoder, kind, cls)
        if not decoder.names(kind):
            decoder.fault((kind,), f"missing: there should be at least one [{kind}.NAME]")
    parts["replies"] = _each(decoder, "replies", Reply)
    for name, section in _SECTIONS.items():
        parts[name] = decoder.settings(section, tables.get(name, {}), (name,))
    parts["https"] = decoder.settings(Https, tables["https"], ("https",)) if "https" in tables else None
    for name in decoder.websites() & decoder.tables("clients").keys():
        decoder.fault(("https", "keys", name), f"clients.{name} has this name already")
    check_groups(decoder, parts)
    parts["dictionary"] = attribute_dictionary(decoder, types.attribute_dictionary, parts)
    return parts


_SECTIONS: dict[str, type] = {
    "radius": sections.Radius,
    "lockout": sections.Lockout,
    "limits": sections.Limits,
    "log": sections.Log,
    "metrics": sections.Metrics,
}


def _fill_in(tables: Table, types: Types) -> None:
    """Add the tables that the smallest useful file leaves out."""
    tables.setdefault("repositories", {"local": {"type": "file"}})
    known, methods = types.names("methods"), tables.setdefault("methods", {})
    for chain in _tables_in(tables.get("chains")):
        named = chain.get("methods")
        for name in named if isinstance(named, list) else ():
            if name in known and isinstance(methods, dict):
                methods.setdefault(name, {"type": name})


def _tables_in(table: Any) -> list[Table]:
    return [one for one in table.values() if isinstance(one, dict)] if isinstance(table, dict) else []


def _each(decoder: Decoder, kind: str, cls: type[S]) -> dict[str, S]:
    decoded = {name: decoder.settings(cls, table, (kind, name)) for name, table in decoder.tables(kind).items()}
    return {name: settings for name, settings in decoded.items() if settings is not None}


def _plugins(decoder: Decoder, types: Types, kind: str) -> dict[str, Plugin]:
    default = {"repositories": "file", "senders": "smtp"}
    found = {
        name: _plugin(decoder, types, (kind, name), table, default.get(kind, name))
        for name, table in decoder.tables(kind).items()
    }
    return {name: plugin for name, plugin in found.items() if plugin is not None}


def _plugin(decoder: Decoder, types: Types, at: tuple[str, ...], table: Table, default: str) -> Plugin | None:
    kind = "stores" if at == ("store",) else at[0]
    wanted = table.get("type", default)
    if wanted not in types.names(kind):
        decoder.fault((*at, "type"), f'no type "{wanted}": {did_you_mean(str(wanted), types.names(kind))}')
        return None
    try:
        cls = types.settings(kind, wanted)
    except ImportError as error:
        decoder.fault((*at, "type"), f'"{wanted}" can\'t be loaded: {error}')
        return None
    for package in types.rivals(kind, wanted):
        decoder.warn((*at, "type"), f'package {package} brings a "{wanted}" too, which isn\'t used: see aad plugins')
    common = table.keys() & {"realms"} if kind == "repositories" else set()
    realms = decoder.settings(sections.Repository, {key: table[key] for key in common}, at)
    try:
        settings = decoder.settings(cls, {key: table[key] for key in table if key not in {"type", *common}}, at)
    except BaseException as error:  # noqa: BLE001 - a package's Settings may raise anything
        decoder.fault(at, f'the Settings of "{wanted}" raised {type(error).__name__}')
        return None
    if settings is None or realms is None:
        return None
    return Plugin(kind, at[-1], wanted, settings, realms.realms, decoder.tree.origin(at))
