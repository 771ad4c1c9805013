"""Checks of names that select something (realm, short name, client, event): each selects exactly one thing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aad.config.event_chains import EventChains, some
from aad.config.faults import KeyPath
from aad.config.files import Table
from aad.core.identity import name_key

Found = Iterator[tuple[KeyPath, str]]
_CALLED = ("events", "chains", "repositories")


def realms(events: Mapping[str, Any], repositories: Mapping[str, Any]) -> Found:
    """Yield each realm that stands for two repositories of one event."""
    for name, event in events.items():
        owners: dict[str, str] = {}
        for repository in event.repositories:
            for realm in getattr(repositories.get(repository), "realms", ()):
                owner = owners.setdefault(name_key(realm), repository)
                if owner != repository:
                    what = f'"{realm}" stands for repositories.{owner} already, in [events.{name}]'
                    yield ("repositories", repository, "realms"), what


def short_names(events: Mapping[str, Any], chains: Mapping[str, Any]) -> Found:
    """Yield each chain that has the name of another one of its event, in a list or behind a user's name."""
    for name, event in events.items():
        known = {each: chains[each] for each in event.chains if each in chains}
        owners: dict[str, str] = {}
        for each, chain in known.items():
            label = chain.short_name or (each if event.choose else "")
            key = name_key(label)
            owner = owners.setdefault(key, each) if key else each
            at = ("chains", each, "short_name")
            if owner != each:
                yield at, f'"{label}" is what chains.{owner} is called already, in [events.{name}]'
            elif event.choose and key in map(str, range(1, len(known) + 1)):
                yield at, f'"{label}" is the number of a chain where [events.{name}] lets choose; should be a word'


def keys(https: Any) -> Found:
    """Yield each hash that two API keys have: a request would be of both."""
    owners: dict[str, str] = {}
    for name, key in (https.keys if https else {}).items():
        for at in ("hash", "old_hash"):
            if (value := getattr(key, at)) and (owner := owners.setdefault(value, name)) != name:
                yield (
                    ("https", "keys", name, at),
                    f"is that of https.keys.{owner} already; should be one of its own",
                )


def unasked(events: Mapping[str, EventChains], tables: Mapping[str, Table]) -> Found:
    """Yield events without clients, clients without chains, and chains that an event names and never asks."""
    for name, offered in events.items():
        if not offered.clients:
            yield ("events", name), "no client, website or portal asks for it"
        if clients := offered.clients_by_chains.get(()):
            yield ("events", name, "chains"), f"none of them is for users who come through {some(clients)}"
        # A key that is left out means all chains: those of other events too.
        for chain, cover in _shadowed(offered) if "chains" in tables[name] else ():
            yield ("events", name, "chains"), f'"{chain}" is never asked: "{cover}", before it, is for all its users'


def unmet(events: Mapping[str, EventChains], parts: Mapping[str, Any]) -> Found:
    """Yield clients that a chain or a reply names, though they ask for none of its events."""
    for name, chain in parts["chains"].items():
        having = [offered for offered in events.values() if name in offered.chains]
        for client in chain.clients:
            if not any(client in offered.clients for offered in having):
                yield ("chains", name, "clients"), f'"{client}" asks for no event that has this chain'
    for name, reply in parts["replies"].items():
        for client in reply.clients if reply.events else ():
            if not any(client in events[event].clients for event in reply.events):
                yield ("replies", name, "clients"), f'"{client}" asks for none of the events of this table'


def alike(parts: Mapping[str, Any]) -> Found:
    """Yield names that differ by spelling only: they are two, and easily confused."""
    asking: dict[str, KeyPath] = {name: ("clients", name) for name in parts["clients"]}
    asking |= {name: ("https", "keys", name) for name in (parts["https"].keys if parts["https"] else ())}
    tables: list[dict[str, KeyPath]] = [{name: (kind, name) for name in parts[kind]} for kind in _CALLED]
    for table in (asking, *tables):
        owners: dict[str, str] = {}
        for name, at in table.items():
            if (owner := owners.setdefault(name_key(name), name)) != name:
                yield at, f'is easily taken for "{owner}": only the spelling tells them apart'


def _shadowed(offered: EventChains) -> Iterator[tuple[str, str]]:
    reached = {name for chains in offered.clients_by_chains for name in offered.reachable(chains)}
    for name in offered.chains:
        chains = next((each for each in offered.clients_by_chains if name in each), None)
        if name not in reached and chains:
            yield name, offered.shadowed_by(name, chains)
