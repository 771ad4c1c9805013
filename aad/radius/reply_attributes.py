"""The attributes that [replies.*] adds to an Access-Accept: the core's grants, encoded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from aad.core.conversation import Login, Rejected
from aad.core.grants import MOST_OCTETS, Grant, Granted, Table, granted
from aad.core.identity import User
from aad.core.outcome import Fact, Reason
from aad.radius.protocol.wire import Attribute


class AttributeDictionary(Protocol):
    """A dictionary of attributes by name."""

    def encoded(self, name: str, text: str) -> Attribute:
        """Encode one. ValueError: the value doesn't fit."""


class ReplyAttributes:
    """Encodes the attributes of a login's reply.

    A value that can't be encoded may be a restriction (a VLAN, an ACL): then the login is rejected.
    """

    def __init__(self, tables: Sequence[Table], dictionary: AttributeDictionary) -> None:
        """Encode the values without macros, once. ValueError: one doesn't fit its attribute."""
        self.tables = tables
        self._dictionary = dictionary
        self._literals = {
            (name, text): dictionary.encoded(name, text)
            for table in tables
            for name, values in table.attributes
            for each in values
            if (text := each.literal) is not None
        }

    def __call__(self, login: Login) -> Granted | Rejected:
        """Return the attributes of a login that may be accepted, or the reason for which it is rejected."""
        grant = self.of(login.user, login.event, login.client)
        try:
            attributes = self.encoded(grant)
        except ValueError as error:
            return Rejected(Reason.NOT_GRANTED, str(error))
        return Granted(attributes, tuple(Fact(name="reply.omitted", fields={"reason": why}) for why in grant.left_out))

    def of(self, user: User, event: str, client: str) -> Grant:
        """Return the attributes of a user, by name and text."""
        return granted(self.tables, user, event, client)

    def encoded(self, grant: Grant) -> tuple[Attribute, ...]:
        """Encode a grant. ValueError: a value doesn't fit, one that is required is lacking, or there is no room."""
        if grant.lacking:
            raise ValueError(grant.lacking)
        attributes: list[Attribute] = []
        for given in grant.given:
            attribute = self._literals.get((given.name, given.text))
            if attribute is None:
                try:
                    attribute = self._dictionary.encoded(given.name, given.text)
                except ValueError as error:
                    message = f'{given.name} of {given.table}: "{given.text}" {error}'
                    raise ValueError(message) from None
            attributes.append(attribute)
        if (octets := sum(len(value) + 2 for _, value in attributes)) > MOST_OCTETS:
            message = f"{octets} octets of attributes, and a reply has room for {MOST_OCTETS}"
            raise ValueError(message)
        return tuple(attributes)
