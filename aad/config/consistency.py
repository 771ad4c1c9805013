"""Checks across the parts of a configuration: each is valid by itself, and together they may not be."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from aad.abilities import NamesMailAttribute
from aad.config import decoys, selectors, strength
from aad.config.client import Client
from aad.config.decode import Decoder
from aad.config.event_chains import EventChains
from aad.config.https import events_by_client
from aad.config.sections import Log, Radius
from aad.core.strength import Trait
from aad.core.user_address import network

Parts = Mapping[str, Any]


def select(decoder: Decoder, parts: Parts) -> None:
    """Fault names and networks that select two things; parts with faults are missing in `parts`."""
    _each_network_once(decoder, parts["clients"])
    for at, what in (
        *selectors.realms(parts["events"], parts["repositories"]),
        *selectors.short_names(parts["events"], parts["chains"]),
        *selectors.keys(parts["https"]),
    ):
        decoder.fault(at, what)
    _sessions_are_written(decoder, parts["radius"], parts["log"])


def traits(plugin_class: Callable[[str, str], Any], parts: Parts) -> dict[str, Trait]:
    """Return the traits of each method, by its class and settings."""
    repositories = [one.settings for one in parts["repositories"].values()]
    mail = {one.email_attribute.lower() if isinstance(one, NamesMailAttribute) else "" for one in repositories}
    return {
        name: strength.trait(name, plugin_class("methods", one.type), one.settings, frozenset(mail))
        for name, one in parts["methods"].items()
    }


def compare(decoder: Decoder, parts: Parts) -> None:
    """Check each event with its clients, and its chains with each other; `parts` must be complete."""
    asking = defaultdict[str, dict[str, None]](dict)  # sets, in order
    for client, wanted in events_by_client(parts["clients"], parts["https"]).items():
        for event in wanted:
            asking[event][client] = None
    events = {
        name: EventChains(
            name=name,
            event=event,
            chains={chain: parts["chains"][chain] for chain in event.chains},
            clients=asking[name].keys(),
            traits=parts["traits"],
        )
        for name, event in parts["events"].items()
    }
    for name, client in parts["clients"].items():
        if what := strength.one_field(events, name, client):
            decoder.fault(("clients", name, "challenge"), what)
    for at, what in decoys.faults(events, parts):
        decoder.fault(at, what)
    strength.warn(decoder, events, parts["https"])
    for at, what in (
        *selectors.unasked(events, decoder.tables("events")),
        *selectors.unmet(events, parts),
        *selectors.alike(parts),
    ):
        decoder.warn(at, what)


def _each_network_once(decoder: Decoder, clients: Mapping[str, Client]) -> None:
    """Fault a network of two clients: a packet's secret would be ambiguous."""
    owners: dict[object, str] = {}
    for name, client in clients.items():
        for theirs in client.networks:
            owner = owners.setdefault(network(theirs), name)
            if owner != name:
                decoder.fault(("clients", name, "networks"), f"{theirs} is in clients.{owner} already")


def _sessions_are_written(decoder: Decoder, radius: Radius | None, log: Log | None) -> None:
    """Warn of accounting whose records the log's level leaves out."""
    if radius and log and radius.accounting_listen and log.level in {"warning", "error"}:
        what = (
            f'"{log.level}" leaves the records of sessions out, and radius.accounting_listen answers as if they were '
        )
        decoder.warn(("log", "level"), f'{what}written; should be "info"')
