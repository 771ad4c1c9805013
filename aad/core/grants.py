"""Attributes for the reply about an accepted user: the tables of [replies] that fit, and their values, filled. Pure."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from aad.core.conversation import Login, Rejected
from aad.core.group_name import group_key, short
from aad.core.identity import User
from aad.core.outcome import Fact

MOST_OCTETS = 2560
"""The most octets for one user, encoded: a reply has room for them, besides what else stands there."""

MACROS = "{user} {group} {attribute:NAME}"
SECRETS = frozenset(
    {
        *("userpassword", "unicodepwd", "supplementalcredentials", "sambantpassword", "sambalmpassword", "ipanthash"),
        *("krbprincipalkey", "ms-mcs-admpwd", "mslaps-password", "authpassword", "pwdhistory"),
    }
)
"""Attributes of a directory that no client is told, folded."""

_ATTRIBUTE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*(;[A-Za-z0-9-]+)*")  # RFC 4512 2.5


@dataclass(frozen=True)
class Value:
    """One value of the configuration, taken apart: literal texts, each with the macro that follows it.

    `attribute`: the directory's attribute that it is made of, if it is: then there are as many values as that has.
    """

    text: str
    pieces: tuple[tuple[str, str], ...]
    attribute: str = ""

    @property
    def literal(self) -> str | None:
        """The whole value, if there is no macro in it."""
        return None if self.macros else "".join(text for text, _ in self.pieces)

    @property
    def macros(self) -> frozenset[str]:
        """The macros in it: "user", "group", "attribute"."""
        return frozenset(macro for _, macro in self.pieces if macro)

    def filled(self, user: User, group: str) -> list[str]:
        """Return what the value becomes for `user`, who is in `group` (short): one, or as many as the attribute has."""
        if not self.attribute:
            return [self._with(user.name, group, "")]
        found = user.attributes.get(self.attribute, ())
        return [self._with(user.name, group, one) for one in found if one]

    def _with(self, name: str, group: str, attribute: str) -> str:
        values = {"": "", "user": name, "group": group, "attribute": attribute}
        return "".join(text + values[macro] for text, macro in self.pieces)


def value(text: str) -> Value:
    """Take a value of the configuration apart. ValueError: its macros are wrong; its text says what would be right."""
    try:
        pieces = list(string.Formatter().parse(text))
    except ValueError as error:
        message = f"{error}; a brace is written twice: {{{{"
        raise ValueError(message) from None
    found, attribute = [], ""
    for literal, macro, form, conversion in pieces:
        if macro is not None and (
            conversion or macro not in {"user", "group", "attribute"} or _misfit(macro, form or "")
        ):
            whole = f"{{{macro}{f':{form}' if form else ''}}}"
            message = f"{whole} is no macro; there are {MACROS}"
            raise ValueError(message)
        if macro == "attribute":
            if attribute not in ("", form):
                message = f"{{attribute:{attribute}}} and {{attribute:{form}}}: should be one attribute in a value"
                raise ValueError(message)
            attribute = str(form)
        found.append((literal, macro or ""))
    if attribute.partition(";")[0].casefold() in SECRETS:
        message = f"{{attribute:{attribute}}} holds a secret, which nobody should be told"
        raise ValueError(message)
    return Value(text, tuple(found), attribute)


def _misfit(macro: str, form: str) -> bool:
    return not _ATTRIBUTE.fullmatch(form) if macro == "attribute" else bool(form)


@dataclass(frozen=True, kw_only=True)
class Table:
    """Attributes, each with its values, for users who fit: empty `groups`, `clients` and `events` mean all.

    `add`: they stand beside what earlier tables gave of the same name, else the earlier ones stay; `stop`: no later
    table is looked at; `required`: a user without a directory's attribute that a value needs isn't let in.
    """

    name: str
    attributes: tuple[tuple[str, tuple[Value, ...]], ...]
    groups: tuple[str, ...] = ()
    clients: frozenset[str] = frozenset()
    events: frozenset[str] = frozenset()
    add: bool = False
    stop: bool = False
    required: bool = False

    def misfit(self, user: User, event: str, client: str) -> str:
        """Say why this table isn't for `user`; empty: it is. Groups are compared as directories do."""
        if self.events and event not in self.events:
            return f"only for event {', '.join(sorted(self.events))}"
        if self.clients and client not in self.clients:
            return f"only through {', '.join(sorted(self.clients))}"
        if self.groups and not self._group(user):
            unknown = f", and {user.unknown_group}" if user.unknown_group else ""
            return f"only for members of {', '.join(self.groups)}{unknown}"
        return ""

    def unknown(self, user: User, event: str, client: str) -> str:
        """Say why it can't be told whether this table is for `user`; empty: it can."""
        if not (self.groups and user.unknown_group) or self._group(user):
            return ""
        return "" if replace(self, groups=()).misfit(user, event, client) else self.misfit(user, event, client)

    def filled(self, user: User) -> Iterator[tuple[str, str, list[str]]]:
        """Yield attribute, value and what it becomes for `user`, who fits: an empty list if they lack what it needs."""
        group = short(self._group(user))
        for attribute, values in self.attributes:
            for each in values:
                yield attribute, each.text, each.filled(user, group)

    def _group(self, user: User) -> str:
        """Return the first of the table's groups that the user is in, as the table spells it."""
        return next((group for group, key in self._keys if key in user.folded_groups), "")

    @cached_property
    def _keys(self) -> tuple[tuple[str, str], ...]:
        return tuple((group, group_key(group)) for group in self.groups)


@dataclass(frozen=True)
class Given:
    """One attribute that is given: the name of its table, its own, its value."""

    table: str
    name: str
    text: str


@dataclass(frozen=True)
class Grant:
    """The attributes given; in words, those left out, and what the user lacks without which they aren't let in."""

    given: tuple[Given, ...] = ()
    left_out: tuple[str, ...] = ()
    lacking: str = ""


@dataclass(frozen=True)
class Granted:
    """The attributes for a front's reply about an accepted user, encoded; and the facts about them for the log."""

    attributes: tuple[Any, ...] = ()
    facts: tuple[Fact, ...] = ()


Granter = Callable[[Login], Granted | Rejected]


def granted(tables: Sequence[Table], user: User, event: str, client: str) -> Grant:
    """Fill the tables that fit, in order. Of one attribute, the first table that gives any decides."""
    given: list[Given] = []
    left_out: list[str] = []
    lacking = ""
    for table in tables:
        if table.misfit(user, event, client):
            unknown = table.unknown(user, event, client)  # it may be what confines the user
            lacking = lacking or (f"{table.name} is {unknown}" if unknown else "")
            continue
        earlier = {each.name: each.table for each in given} if not table.add else {}
        for name, written, texts in table.filled(user):
            if name in earlier:
                left_out.append(f"{name} of {table.name}: {earlier[name]} gave it before")
            elif not texts:
                left_out.append(f"{name} of {table.name}: the user has nothing for {written}")
                lacking = lacking or (left_out[-1] if table.required else "")
            given += [Given(table.name, name, text) for text in texts if name not in earlier]
        if table.stop:
            break
    return Grant(tuple(given), tuple(left_out), lacking)
