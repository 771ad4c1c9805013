"""What selects something (a realm, a short name, a client's name, an event): there is such a thing, and one only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aad.config.asked import Asked, some
from aad.config.faults import KeyPath
from aad.config.files import Table
from aad.core.identity import name_key

Said = Iterator[tuple[KeyPath, str]]
_CALLED = ("events", "chains", "repositories")


def realms(events: Mapping[str, Any], repositories: Mapping[str, Any]) -> Said:
    """Yield each realm that stands for two repositories of one event."""
    for name, event in events.items():
        owners: dict[str, str] = {}
        for repository in event.repositories:
            for realm in getattr(repositories.get(repository), "realms", ()):
                owner = owners.setdefault(name_key(realm), repository)
                if owner != repository:
                    what = f'"{realm}" stands for repositories.{owner} already, in [events.{name}]'
                    yield ("repositories", repository, "realms"), what


def short_names(events: Mapping[str, Any], chains: Mapping[str, Any]) -> Said:
    """Yield each chain that is called as another one of its event is, in a list or behind a user's name."""
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


def keys(https: Any) -> Said:
    """Yield each hash that two API keys have: nobody could say whose request it is."""
    owners: dict[str, str] = {}
    for name, key in (https.keys if https else {}).items():
        for at in ("hash", "old_hash"):
            if (value := getattr(key, at)) and (owner := owners.setdefault(value, name)) != name:
                yield (
                    ("https", "keys", name, at),
                    f"is that of https.keys.{owner} already; should be one of its own",
                )


def unasked(events: Mapping[str, Asked], tables: Mapping[str, Table]) -> Said:
    """Yield events that nobody asks for, chains that are for nobody, and those that an event names and never asks."""
    for name, asked in events.items():
        if not asked.clients:
            yield ("events", name), "no client, website or portal asks for it"
        if clients := asked.doors.get(()):
            yield ("events", name, "chains"), f"none of them is for users who come through {some(clients)}"
        # Left out, they are all there are: those of other events too.
        for chain, cover in _behind(asked) if "chains" in tables[name] else ():
            yield ("events", name, "chains"), f'"{chain}" is never asked: "{cover}", before it, is for all its users'


def unmet(events: Mapping[str, Asked], parts: Mapping[str, Any]) -> Said:
    """Yield clients that a chain or a reply names, and that ask for none of its events."""
    for name, chain in parts["chains"].items():
        having = [asked for asked in events.values() if name in asked.chains]
        for client in chain.clients:
            if not any(client in asked.clients for asked in having):
                yield ("chains", name, "clients"), f'"{client}" asks for no event that has this chain'
    for name, reply in parts["replies"].items():
        for client in reply.clients if reply.events else ():
            if not any(client in events[event].clients for event in reply.events):
                yield ("replies", name, "clients"), f'"{client}" asks for none of the events of this table'


def alike(parts: Mapping[str, Any]) -> Said:
    """Yield names that read as one: they are told apart, and easily mistaken."""
    asking: dict[str, KeyPath] = {name: ("clients", name) for name in parts["clients"]}
    asking |= {name: ("https", "keys", name) for name in (parts["https"].keys if parts["https"] else ())}
    tables: list[dict[str, KeyPath]] = [{name: (kind, name) for name in parts[kind]} for kind in _CALLED]
    for table in (asking, *tables):
        owners: dict[str, str] = {}
        for name, at in table.items():
            if (owner := owners.setdefault(name_key(name), name)) != name:
                yield at, f'is easily taken for "{owner}": only the spelling tells them apart'


def _behind(asked: Asked) -> Iterator[tuple[str, str]]:
    reached = {name for through in asked.doors for name in asked.reached(through)}
    for name in asked.chains:
        through = next((each for each in asked.doors if name in each), None)
        if name not in reached and through:
            yield name, asked.cover(name, through)
