"""Chooses a language for a user: the lookup of RFC 4647 3.4 over their preferredLanguage."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

_TAG = re.compile(r"[a-z]{1,8}(?:-[a-z0-9]{1,8})*")
_QUALITY = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")
_LONGEST = 200  # characters of what a directory holds; RFC 2798's own example has 24


def tag(text: str) -> bool:
    """Say whether `text` is a language tag in small letters, such as "de" or "pt-br"."""
    return _TAG.fullmatch(text) is not None


def lookup(wanted: str, known: Collection[str], default: str) -> str:
    """Return the language in `known` that suits best, or the default.

    `wanted`: "de", "de-CH, fr;q=0.5" (RFC 2798 2.7: as in Accept-Language), or "de_CH", as some directories have it.
    `known`: tags in small letters. What can't be read in `wanted` is passed over.
    """
    if not wanted or wanted in known:
        return wanted or default
    return next((each for one in _in_order(wanted) for each in wider(one) if each in known), default)


def wider(one: str) -> Iterator[str]:
    """Yield a tag, then the wider ones: "zh-hant-tw", "zh-hant", "zh"."""
    while one:
        yield one
        one = one.rpartition("-")[0]
        # RFC 4647 3.4: "Single letter or digit subtags ... are removed as well."
        while one[-2:-1] == "-":
            one = one[:-2]


def _in_order(wanted: str) -> list[str]:
    """Return the tags of a list, the highest quality first; what can't be read is left out."""
    found: list[tuple[float, str]] = []
    for piece in wanted[:_LONGEST].lower().replace("_", "-").replace(" ", "").split(","):
        name, _, parameter = piece.partition(";")
        name = name.partition(".")[0]  # de_DE.UTF-8
        quality = _QUALITY.fullmatch(parameter or "q=1")
        weight = float(quality[1]) if quality else 0.0
        if weight and tag(name):
            found.append((-weight, name))
    return [name for _, name in sorted(found, key=lambda each: each[0])]
