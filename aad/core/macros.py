"""Texts with macros, `Enter the code sent to {recipient}`: checked once, filled often."""

from __future__ import annotations

import string
from collections.abc import Collection, Mapping


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
