"""The parts of a configuration, held against each other: each is sound by itself, and together they may not be."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from aad.abilities import NamesMailAttribute
from aad.config import decoys, selectors, strength
from aad.config.asked import Asked
from aad.config.client import Client
from aad.config.decode import Decoder
from aad.config.https import events_by_client
from aad.config.sections import Log, Radius
from aad.core.strength import Trait
from aad.core.user_address import network

Parts = Mapping[str, Any]


def select(decoder: Decoder, parts: Parts) -> None:
    """Fault what selects two things; parts that are broken are missing here."""
    _each_network_once(decoder, parts["clients"])
    for at, what in (
        *selectors.realms(parts["events"], parts["repositories"]),
        *selectors.short_names(parts["events"], parts["chains"]),
        *selectors.keys(parts["https"]),
    ):
        decoder.fault(at, what)
    _sessions_are_written(decoder, parts["radius"], parts["log"])


def traits(plugin_class: Callable[[str, str], Any], parts: Parts) -> dict[str, Trait]:
    """Return what is known of each method before anybody logs in."""
    repositories = [one.settings for one in parts["repositories"].values()]
    mail = {one.email_attribute.lower() if isinstance(one, NamesMailAttribute) else "" for one in repositories}
    return {
        name: strength.trait(name, plugin_class("methods", one.type), one.settings, frozenset(mail))
        for name, one in parts["methods"].items()
    }


def compare(decoder: Decoder, parts: Parts) -> None:
    """Hold each event against those who ask for it, and its chains against each other; nothing is missing here."""
    asking = defaultdict[str, dict[str, None]](dict)  # sets, in order
    for client, asked in events_by_client(parts["clients"], parts["https"]).items():
        for event in asked:
            asking[event][client] = None
    events = {
        name: Asked(
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
    """Fault a network that two clients claim: nobody could say whose secret it has."""
    owners: dict[object, str] = {}
    for name, client in clients.items():
        for theirs in client.networks:
            owner = owners.setdefault(network(theirs), name)
            if owner != name:
                decoder.fault(("clients", name, "networks"), f"{theirs} is in clients.{owner} already")


def _sessions_are_written(decoder: Decoder, radius: Radius | None, log: Log | None) -> None:
    """Warn of accounting that nobody will ever read."""
    if radius and log and radius.accounting_listen and log.level in {"warning", "error"}:
        what = (
            f'"{log.level}" leaves the records of sessions out, and radius.accounting_listen answers as if they were '
        )
        decoder.warn(("log", "level"), f'{what}written; should be "info"')
