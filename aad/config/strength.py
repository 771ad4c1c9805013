"""Warnings of logins that are weaker than they look: chains that ask for less than one before them, and others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aad.abilities import ChoosesAddress, Enrollable, UsesSenders, asks_repository
from aad.config.client import Client
from aad.config.decode import Decoder
from aad.config.event_chains import EventChains
from aad.config.https import ApiKey
from aad.config.portal import NAME as PORTAL
from aad.core.strength import Trait, fits_one_field, password_alone, sends_first

INTENDED = "intended"
_MEANT = f'fewer_proofs = "{INTENDED}" in [events.{{0}}]'


def trait(name: str, cls: Any, settings: Any, mail: frozenset[str]) -> Trait:
    """Return the traits of a method by its class and settings; `mail`: attributes of mail addresses, in lower case."""
    thing, sends = name, isinstance(settings, UsesSenders) and bool(settings.senders)
    if asks_repository(cls):
        thing = "the repository's"
    elif sends:
        attribute = settings.address_attribute.lower() if isinstance(settings, ChoosesAddress) else ""
        thing = f"sent to {'' if attribute in mail else attribute}"
    return Trait(proves=cls.proves, thing=thing, enrolled=issubclass(cls, Enrollable), sends=sends)


def warn(decoder: Decoder, events: Mapping[str, EventChains], https: Any) -> None:
    """Warn of events, chains and websites that ask for less than they seem to."""
    for name, offered in events.items():
        if offered.event.fewer_proofs != INTENDED:
            for what in _fewer(offered):
                decoder.warn(("events", name, "chains"), what)
    used = {name: (offered, chain) for offered in events.values() for name, chain in offered.chains.items()}
    for name, (offered, chain) in used.items():
        if sends_first(chain.methods, offered.traits):
            what = f"begins with {chain.methods[0]}, which sends before anything is proved: any stranger can make it "
            decoder.warn(("chains", name, "methods"), f"{what}send to any user; should begin with a password or an app")
    for name, key in (https.keys if https else {}).items():
        for what in _further(events, name, key):
            decoder.warn(("https", "keys", name, "further_events"), what)
    if https and https.portal:
        for what in _portal(events[https.portal.event]):
            decoder.warn(("https", "portal", "event"), what)


def one_field(events: Mapping[str, EventChains], name: str, client: Client) -> str:
    """Return why no user of a client without challenges could log in; empty: some can, or it has challenges."""
    offered = events[client.event]
    chains = offered.chains_of(name)
    if client.challenge or any(fits_one_field(offered.chains[chain].methods, offered.traits) for chain in chains):
        return ""
    names = ", ".join(map(offered.described, chains)) or "it has none for this client"
    return (
        f"is false, and no chain of [events.{client.event}] can be answered in one field: {names}; "
        "should be true, or a chain should begin with the password, with one code behind it"
    )


def _fewer(offered: EventChains) -> Iterator[str]:
    """Yield each chain that asks for less than one before it, with the users who may reach it."""
    names = list(offered.chains)
    for number, lesser in enumerate(names):
        for greater in names[:number]:
            if not offered.asks_less(lesser, offered.chains[greater]):
                continue
            if ways := dict.fromkeys(offered.users_passed_on(greater, lesser)):
                yield (
                    f"{offered.described(lesser)} asks less than {offered.described(greater)} before it, and is asked "
                    f"of a user {', or '.join(ways)}; should ask as much, or, if it is meant: "
                    f"{_MEANT.format(offered.name)}"
                )


def _further(events: Mapping[str, EventChains], name: str, key: ApiKey) -> Iterator[str]:
    """Yield the further events of a website that ask for less than its own: it is free to name them."""
    own = events[key.event]
    for other in (events[each] for each in dict.fromkeys(key.further_events) if each != key.event):
        pairs = [
            (lesser, greater)
            for lesser in other.reachable(other.chains_of(name))
            for greater in own.reachable(own.chains_of(name))
            if other.asks_less(lesser, own.chains[greater]) and not _alike(own, other, lesser, greater)
        ]
        if pairs and other.event.fewer_proofs != INTENDED:
            lesser, greater = pairs[0]
            yield (
                f'"{other.name}" asks less, by chain {other.described(lesser)}, than "{own.name}" does, by '
                f"{own.described(greater)}, and the website may name it instead; should ask as much, or, if it is "
                f"meant: {_MEANT.format(other.name)}"
            )


def _alike(own: EventChains, other: EventChains, lesser: str, greater: str) -> bool:
    """Return whether these two chains are compared already, within the other event or within ours."""
    ours, theirs = list(own.chains), list(other.chains)
    if greater not in theirs:
        return False
    first = theirs.index(greater) < theirs.index(lesser)
    return first or (lesser in ours and ours.index(lesser) < ours.index(greater))


def _portal(offered: EventChains) -> Iterator[str]:
    """Yield each chain that lets a password alone change what a user is enrolled with."""
    for name in offered.reachable(offered.chains_of(PORTAL)) if offered.event.fewer_proofs != INTENDED else ():
        if password_alone(offered.chains[name].methods, offered.traits):
            yield (
                f'"{offered.name}" takes a password alone, by chain {offered.described(name)}: a stranger who learnt '
                f"it could enrol an app; should have a second proof, or, if it is meant: {_MEANT.format(offered.name)}"
            )
