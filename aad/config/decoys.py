"""Events with decoys: whoever is refused is asked as anybody else is, so all must be asked alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aad.abilities import DefaultsLanguage, Prompts
from aad.config.asked import Asked
from aad.config.faults import KeyPath
from aad.core.strength import PASSWORD

OWN = ("recipient", "user")
"""Macros of a prompt that tell something of the user."""


def faults(events: Mapping[str, Asked], parts: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    """Yield what would let the one who is asked tell a decoy from a challenge."""
    for name, asked in events.items():
        if asked.event.decoy:
            yield from _of_event(("events", name), asked)
            for method in sorted(_asking(asked) - {""}):
                yield from _of_method(method, parts["methods"][method].settings)
            for client in asked.clients:
                prompt = getattr(parts["clients"].get(client), "prompt", "")
                yield from _own(("clients", client, "prompt"), prompt)


def _of_event(at: KeyPath, asked: Asked) -> Iterator[tuple[KeyPath, str]]:
    asking = _asking(asked)
    if "" in asking:
        yield (
            (*at, "decoy"),
            "is true, and a chain asks for nothing behind the password, so there is nothing to ask alike",
        )
    elif len(asking) != 1 or len({_asks_at(asked, chain.methods) for chain in asked.chains.values()}) != 1:
        said = ", ".join(map(asked.spoken, asked.chains))
        yield (*at, "decoy"), f"is true, so all its chains should ask for the same first: {said}"
    if asked.event.choose:
        yield (*at, "choose"), "doesn't go with decoy = true: who may choose is let in"
    if asked.event.tell_reasons:
        yield (*at, "tell_reasons"), "doesn't go with decoy = true: nobody is told anything"


def _of_method(name: str, settings: Any) -> Iterator[tuple[KeyPath, str]]:
    """Look at the prompts of the method's own language: no other is shown, as a user's language is the user's own."""
    prompts = settings.prompts() if isinstance(settings, Prompts) else {}
    language = settings.language if isinstance(settings, DefaultsLanguage) else ""
    for key, prompt in prompts.get(language, {}).items():
        yield from _own(("methods", name, key), prompt)


def _own(at: KeyPath, prompt: str) -> Iterator[tuple[KeyPath, str]]:
    for macro in OWN:
        if f"{{{macro}}}" in prompt:
            what = f"holds {{{macro}}}, which tells something of the user, and an event that asks by it has decoys"
            yield at, f'{what}; should be such as "Enter your code (ref {{reference}})"'


def _asking(asked: Asked) -> set[str]:
    """Return the methods that ask first, one for each chain; empty: a chain has none."""
    return {(*chain.methods, "")[_asks_at(asked, chain.methods)] for chain in asked.chains.values()}


def _asks_at(asked: Asked, methods: tuple[str, ...]) -> int:
    """Return where the first method stands that asks: a password comes with the attempt."""
    return int(asked.traits[methods[0]].proves == PASSWORD)
