"""Chains that ask less than one before them, and what else makes a login weaker than it looks: warned about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aad.abilities import ChoosesAddress, Enrollable, UsesSenders, asks_repository
from aad.config.asked import Asked
from aad.config.client import Client
from aad.config.decode import Decoder
from aad.config.https import ApiKey
from aad.config.portal import NAME as PORTAL
from aad.core.strength import Trait, fits_one_field, password_alone, sends_first

INTENDED = "intended"
_MEANT = f'fewer_proofs = "{INTENDED}" in [events.{{0}}]'


def trait(name: str, cls: Any, settings: Any, mail: frozenset[str]) -> Trait:
    """Return what is known of a method by its class and settings; `mail`: the attributes of mail addresses, folded."""
    thing, sends = name, isinstance(settings, UsesSenders) and bool(settings.senders)
    if asks_repository(cls):
        thing = "the repository's"
    elif sends:
        attribute = settings.address_attribute.lower() if isinstance(settings, ChoosesAddress) else ""
        thing = f"sent to {'' if attribute in mail else attribute}"
    return Trait(proves=cls.proves, thing=thing, enrolled=issubclass(cls, Enrollable), sends=sends)


def warn(decoder: Decoder, events: Mapping[str, Asked], https: Any) -> None:
    """Warn of what asks less than it seems to."""
    for name, asked in events.items():
        if asked.event.fewer_proofs != INTENDED:
            for what in _fewer(asked):
                decoder.warn(("events", name, "chains"), what)
    used = {name: (asked, chain) for asked in events.values() for name, chain in asked.chains.items()}
    for name, (asked, chain) in used.items():
        if sends_first(chain.methods, asked.traits):
            what = f"begins with {chain.methods[0]}, which sends before anything is proved: any stranger can make it "
            decoder.warn(("chains", name, "methods"), f"{what}send to any user; should begin with a password or an app")
    for name, key in (https.keys if https else {}).items():
        for what in _further(events, name, key):
            decoder.warn(("https", "keys", name, "further_events"), what)
    if https and https.portal:
        for what in _portal(events[https.portal.event]):
            decoder.warn(("https", "portal", "event"), what)


def one_field(events: Mapping[str, Asked], name: str, client: Client) -> str:
    """Say why a client without challenges can serve nobody; empty: it can, or has challenges."""
    asked = events[client.event]
    chains = asked.through(name)
    if client.challenge or any(fits_one_field(asked.chains[chain].methods, asked.traits) for chain in chains):
        return ""
    said = ", ".join(map(asked.spoken, chains)) or "it has none for this client"
    return (
        f"is false, and no chain of [events.{client.event}] can be answered in one field: {said}; "
        "should be true, or a chain should begin with the password, with one code behind it"
    )


def _fewer(asked: Asked) -> Iterator[str]:
    """Yield each chain that asks less than one before it, with the users who may come to it."""
    names = list(asked.chains)
    for number, lesser in enumerate(names):
        for greater in names[:number]:
            if not asked.less(lesser, asked.chains[greater]):
                continue
            if ways := dict.fromkeys(asked.ways(greater, lesser)):
                yield (
                    f"{asked.spoken(lesser)} asks less than {asked.spoken(greater)} before it, and is asked of a user "
                    f"{', or '.join(ways)}; should ask as much, or, if it is meant: {_MEANT.format(asked.name)}"
                )


def _further(events: Mapping[str, Asked], name: str, key: ApiKey) -> Iterator[str]:
    """Yield the further events of a website that ask less than its own, which it is free to name."""
    own = events[key.event]
    for other in (events[each] for each in dict.fromkeys(key.further_events) if each != key.event):
        pairs = [
            (lesser, greater)
            for lesser in other.reached(other.through(name))
            for greater in own.reached(own.through(name))
            if other.less(lesser, own.chains[greater]) and not _alike(own, other, lesser, greater)
        ]
        if pairs and other.event.fewer_proofs != INTENDED:
            lesser, greater = pairs[0]
            yield (
                f'"{other.name}" asks less, by chain {other.spoken(lesser)}, than "{own.name}" does, by '
                f"{own.spoken(greater)}, and the website may name it instead; should ask as much, or, if it is meant: "
                f"{_MEANT.format(other.name)}"
            )


def _alike(own: Asked, other: Asked, lesser: str, greater: str) -> bool:
    """Say whether the other event holds these two chains as an event's own warnings know them, or as ours does."""
    ours, theirs = list(own.chains), list(other.chains)
    if greater not in theirs:
        return False
    first = theirs.index(greater) < theirs.index(lesser)
    return first or (lesser in ours and ours.index(lesser) < ours.index(greater))


def _portal(asked: Asked) -> Iterator[str]:
    """Yield each chain that lets a password alone change what a user is enrolled with."""
    for name in asked.reached(asked.through(PORTAL)) if asked.event.fewer_proofs != INTENDED else ():
        if password_alone(asked.chains[name].methods, asked.traits):
            yield (
                f'"{asked.name}" takes a password alone, by chain {asked.spoken(name)}: a stranger who learnt it could '
                f"enrol an app; should have a second proof, or, if it is meant: {_MEANT.format(asked.name)}"
            )
