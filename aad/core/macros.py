"""Texts with macros, `Enter the code sent to {recipient}`: checked once, filled often."""

from __future__ import annotations

import string
from collections.abc import Collection, Mapping

from aad.core.graphemes import cut

MAIL = ("user", "endpoint", "event", "number", "otp", "reference", "minutes")
PROMPT = ("recipient", "reference", "user", "minutes")
LONGEST_VALUE = 64  # characters; a user name or a station's number needs no more


def unknown(text: str, known: Collection[str]) -> str:
    """Return what is wrong with a text, and what would be right; empty if its macros are all `known`."""
    macros = " ".join(f"{{{name}}}" for name in known)
    try:
        pieces = list(string.Formatter().parse(text))
    except ValueError as error:
        return f"{error}; a brace is written twice: {{{{"
    for _, name, form, conversion in pieces:
        if name is not None and (name not in known or form or conversion):
            return f"{{{name}}} is no macro; there are {macros}"
    return ""


def filled(text: str, values: Mapping[str, str]) -> str:
    """Fill a text whose macros are known to be right."""
    return text.format_map(values)


def clean(value: str) -> str:
    """Return at most 64 characters of `value`, none of which starts a line, controls anything or turns the text round.

    Every white space becomes a blank, and what doesn't print (controls, bidi overrides, lone surrogates) becomes "?".
    """
    if len(value) > LONGEST_VALUE:
        value = cut(value, LONGEST_VALUE)
    if value.isprintable():
        return value
    return "".join(c if c.isprintable() else " " if c.isspace() else "?" for c in value)
