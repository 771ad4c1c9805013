"""What an Access-Accept says of its user: the core's grants, encoded. Literal values are encoded once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from aad.core.conversation import Login, Rejected
from aad.core.grants import MOST_OCTETS, Grant, Granted, Table, granted
from aad.core.identity import User
from aad.core.outcome import Fact, Reason
from aad.radius.protocol.wire import Attribute


class AttributeDictionary(Protocol):
    """Attributes by name."""

    def encoded(self, name: str, text: str) -> Attribute:
        """Encode one. ValueError: the value doesn't suit it."""


class ReplyAttributes:
    """Says what a login is told. What can't be said may be what confines him (a VLAN, an ACL): then he isn't let in."""

    def __init__(self, tables: Sequence[Table], vocabulary: AttributeDictionary) -> None:
        """Encode what is the same for everybody. ValueError: it can't be said."""
        self.tables = tables
        self._vocabulary = vocabulary
        self._known = {
            (name, text): vocabulary.encoded(name, text)
            for table in tables
            for name, values in table.attributes
            for each in values
            if (text := each.literal) is not None
        }

    def __call__(self, login: Login) -> Granted | Rejected:
        """Return the attributes of a login that may be accepted, or why it can't be."""
        grant = self.of(login.user, login.event, login.client)
        try:
            attributes = self.encoded(grant)
        except ValueError as error:
            return Rejected(Reason.NOT_GRANTED, str(error))
        return Granted(attributes, tuple(Fact(name="reply.omitted", fields={"reason": why}) for why in grant.left_out))

    def of(self, user: User, event: str, client: str) -> Grant:
        """Return what a user would be told."""
        return granted(self.tables, user, event, client)

    def encoded(self, grant: Grant) -> tuple[Attribute, ...]:
        """Encode it. ValueError: it can't be said, or something that must be is lacking; what, and why."""
        if grant.lacking:
            raise ValueError(grant.lacking)
        attributes: list[Attribute] = []
        for given in grant.given:
            attribute = self._known.get((given.name, given.text))
            if attribute is None:
                try:
                    attribute = self._vocabulary.encoded(given.name, given.text)
                except ValueError as error:
                    message = f'{given.name} of {given.table}: "{given.text}" {error}'
                    raise ValueError(message) from None
            attributes.append(attribute)
        if (octets := sum(len(value) + 2 for _, value in attributes)) > MOST_OCTETS:
            message = f"{octets} octets of attributes, and a reply has room for {MOST_OCTETS}"
            raise ValueError(message)
        return tuple(attributes)
