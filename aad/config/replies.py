"""[replies.NAME] of aad.toml: each key, its default and a sentence; names and values checked by the dictionary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from aad.config.client import CALLING_STATION, Client
from aad.config.decode import Decoder
from aad.config.faults import did_you_mean
from aad.config.sections import Radius
from aad.core.grants import MOST_OCTETS, Table, Value, value
from aad.core.settings import Pairs, option


class AttributeDictionary(Protocol):
    """Attributes by name; `aad.radius.protocol.attribute_dictionary` has one."""

    def names(self) -> Iterable[str]:
        """Return the names of attributes that a reply may hold."""

    def knows(self, name: str) -> bool:
        """Return whether the dictionary has this name."""

    def unfit(self, name: str) -> str:
        """Return why a reply can't hold an attribute that the dictionary has; empty: it can."""

    def encoded(self, name: str, text: str) -> tuple[int, bytes]:
        """Encode an attribute. ValueError: the value doesn't fit, and what would."""

    def addresses(self) -> Iterable[str]:
        """Return the names of the attributes of a request that may hold an address."""

    def address_attribute(self, name: str) -> Any:
        """Return the attribute as the holder of a user's address. ValueError: it can't hold one."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """[replies.NAME]: attributes of an Access-Accept; of each, the first table that fits and gives it decides."""

    groups: tuple[str, ...] = option((), "For members of one of these groups; default: for all users.")
    clients: tuple[str, ...] = option(
        (), "For users who come through these; default: all.", names="clients", every=False
    )
    events: tuple[str, ...] = option((), "For logins for these events; default: all.", names="events", every=False)
    attributes: Pairs = option(
        doc="The attributes by name, each with a value or a list; macros: {user} {group} {attribute:NAME}."
    )
    add: bool = option(
        default=False, doc="true: its attributes are sent beside those of the same name from earlier tables."
    )
    stop: bool = option(default=False, doc="true: for a user whom this table fits, later ones are ignored.")
    required: bool = option(
        default=False,
        doc="true rejects a user without a value for an {attribute:NAME}; else the attribute is left out.",
    )

    def faults(self) -> Iterator[tuple[str, str]]:
        """Check the macros."""
        if not self.attributes:
            yield "attributes", 'should hold at least one, such as { Filter-Id = "vpn-admins" }'
        for name, texts in self.attributes:
            for text in texts:
                try:
                    found = value(text)
                except ValueError as error:
                    yield f"attributes.{name}", str(error)
                    continue
                if "group" in found.macros and not self.groups:
                    yield f"attributes.{name}", "{group} is one of the table's groups, and it has none: name them"
            if not texts:
                yield f"attributes.{name}", "should have at least one value"

    def table(self, name: str) -> Table:
        """Return the table as the core's rules take it."""
        return Table(
            name=name,
            attributes=tuple((attribute, tuple(value(text) for text in texts)) for attribute, texts in self.attributes),
            groups=self.groups,
            clients=frozenset(self.clients),
            events=frozenset(self.events),
            add=self.add,
            stop=self.stop,
            required=self.required,
        )


def asked_for(replies: Mapping[str, Reply]) -> tuple[str, ...]:
    """Return the directory's attributes that values name by {attribute:NAME}."""
    found = [value(text).attribute for reply in replies.values() for _, texts in reply.attributes for text in texts]
    return tuple(dict.fromkeys(name for name in found if name))


def attribute_dictionary(decoder: Decoder, read: Any, parts: Mapping[str, Any]) -> AttributeDictionary | None:
    """Return the dictionary, read if anything needs it; check names and values by it, with faults to `decoder`.

    `read(further)`: as `Types.attribute_dictionary`; `parts`: as in `aad.config.Config`.
    """
    radius: Radius | None = parts["radius"]
    clients: Mapping[str, Client] = parts["clients"]
    replies: Mapping[str, Reply] = parts["replies"]
    elsewhere = {name: client.address_attribute for name, client in clients.items()}
    elsewhere = {name: attribute for name, attribute in elsewhere.items() if attribute != CALLING_STATION}
    further: Path | None = radius.dictionary if radius else None
    if not (replies or elsewhere or further):
        return None
    try:
        known: AttributeDictionary = read(further)
    except ValueError as error:
        decoder.fault(("radius", "dictionary"), str(error))
        return None
    for name, attribute in elsewhere.items():
        try:
            known.address_attribute(attribute)
        except ValueError as error:
            decoder.fault(
                ("clients", name, "address_attribute"), f"{error}: {did_you_mean(attribute, known.addresses())}"
            )
    for name, reply in replies.items():
        _check(decoder, known, name, reply)
    return known


def _check(decoder: Decoder, known: AttributeDictionary, table: str, reply: Reply) -> None:
    octets = 0
    for name, texts in reply.attributes:
        at = ("replies", table, "attributes", name)
        if not known.knows(name):
            decoder.fault(at, f"no attribute of the dictionary: {_meant(name, known)}")
        elif what := known.unfit(name):
            decoder.fault(at, what)
        else:
            for each in map(value, texts):
                octets += _encoded(decoder, at, known, each)
    if octets > MOST_OCTETS:
        decoder.fault(("replies", table), f"has {octets} octets of attributes, and a reply has room for {MOST_OCTETS}")


def _encoded(decoder: Decoder, at: tuple[str, ...], known: AttributeDictionary, each: Value) -> int:
    """Return how many octets a value takes; 0 for one with macros, whose size isn't known yet."""
    if each.literal is None:
        return 0
    try:
        return len(known.encoded(at[-1], each.literal)[1]) + 2
    except ValueError as error:
        decoder.fault(at, f'"{each.literal}" {error}')
        return 0


def _meant(name: str, known: AttributeDictionary) -> str:
    """Return which name was probably meant; there are too many to list."""
    hint = did_you_mean(name.partition(":")[0], known.names())
    return (
        hint if hint.startswith("did") else "the names are those of FreeRADIUS; radius.dictionary brings further ones"
    )
