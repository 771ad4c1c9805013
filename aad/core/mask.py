"""Masks an address for display: its owner recognises it, a stranger can't write to it."""

from __future__ import annotations

import re
import unicodedata

from aad.core.graphemes import letters

DEFAULT = "{local:1}***@{domain:1}***.{tld}"
_PIECE = re.compile(r"\{(local|domain|tld)(?::([0-9]{1,3}))?\}")
_HIDDEN = "***"


def valid(mask: str) -> bool:
    """Say whether `mask` is made of text and `{local:N}`, `{domain:N}`, `{tld}` only, and shows no whole address."""
    rest = _PIECE.sub("", mask)
    return "{" not in rest and "}" not in rest and "*" in rest


def masked(address: str, mask: str = DEFAULT) -> str:
    """Return `address` as `mask` shows it: alice@example.com -> a***@e***.com.

    `{local:N}`, `{domain:N}`: the first N letters of the part before the @ and of the domain without its last
    label, but never more than half of either; `{tld}`: the last label. An address of one part is hidden wholly.
    """
    address = unicodedata.normalize("NFC", address)
    local, at, host = address.rpartition("@")
    name, _, tld = host.rpartition(".")
    if not (at and local and host):
        return _HIDDEN
    parts = {"local": letters(local), "domain": letters(name)}

    def piece(match: re.Match[str]) -> str:
        part, count = match[1], match[2]
        if part == "tld":
            return tld if name else ""
        return "".join(parts[part][: min(int(count or 0), len(parts[part]) // 2)])

    return "".join(c if c.isprintable() else "?" for c in _PIECE.sub(piece, mask))
