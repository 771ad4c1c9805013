"""Checks of events with decoys: a rejected user is asked as any other is, so all chains must ask alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aad.abilities import DefaultsLanguage, Prompts
from aad.config.event_chains import EventChains
from aad.config.faults import KeyPath
from aad.core.strength import PASSWORD

OWN = ("recipient", "user")
"""Macros of a prompt that reveal something about the user."""


def faults(events: Mapping[str, EventChains], parts: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    """Yield what would make a decoy distinguishable from a challenge."""
    for name, offered in events.items():
        if offered.event.decoy:
            yield from _of_event(("events", name), offered)
            for method in sorted(_asking(offered) - {""}):
                yield from _of_method(method, parts["methods"][method].settings)
            for client in offered.clients:
                prompt = getattr(parts["clients"].get(client), "prompt", "")
                yield from _own(("clients", client, "prompt"), prompt)


def _of_event(at: KeyPath, offered: EventChains) -> Iterator[tuple[KeyPath, str]]:
    asking = _asking(offered)
    if "" in asking:
        yield (
            (*at, "decoy"),
            "is true, and a chain asks for nothing behind the password, so a decoy has nothing to ask for",
        )
    elif len(asking) != 1 or len({_asks_at(offered, chain.methods) for chain in offered.chains.values()}) != 1:
        said = ", ".join(map(offered.described, offered.chains))
        yield (*at, "decoy"), f"is true, so all its chains should ask for the same first: {said}"
    if offered.event.choose:
        yield (*at, "choose"), "doesn't go with decoy = true: only users who are let in may choose"
    if offered.event.tell_reasons:
        yield (*at, "tell_reasons"), "doesn't go with decoy = true: no user is told a reason"


def _of_method(name: str, settings: Any) -> Iterator[tuple[KeyPath, str]]:
    """Check the prompts of the method's own language: decoys use that one, since a user's own would reveal them."""
    prompts = settings.prompts() if isinstance(settings, Prompts) else {}
    language = settings.language if isinstance(settings, DefaultsLanguage) else ""
    for key, prompt in prompts.get(language, {}).items():
        yield from _own(("methods", name, key), prompt)


def _own(at: KeyPath, prompt: str) -> Iterator[tuple[KeyPath, str]]:
    for macro in OWN:
        if f"{{{macro}}}" in prompt:
            what = f"holds {{{macro}}}, which tells something of the user, and an event that asks by it has decoys"
            yield at, f'{what}; should be such as "Enter your code (ref {{reference}})"'


def _asking(offered: EventChains) -> set[str]:
    """Return the methods that ask first, one of each chain; "": a chain has none."""
    return {(*chain.methods, "")[_asks_at(offered, chain.methods)] for chain in offered.chains.values()}


def _asks_at(offered: EventChains, methods: tuple[str, ...]) -> int:
    """Return the index of the first method that asks: a password comes with the attempt."""
    return int(offered.traits[methods[0]].proves == PASSWORD)
