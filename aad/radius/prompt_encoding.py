"""Prompts as octets that a client can show: its fixed words, plain ASCII, a limit."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from aad.core import macros
from aad.core.graphemes import cut

MOST_OCTETS = 250  # some clients take no more in a Reply-Message
MACROS = (*macros.PROMPT, "prompt")
"""The macros of a client's own prompt: those of a method's prompt, and {prompt}, the whole of it."""

_UNKNOWN = "?"
_NO_VALUES = dict.fromkeys(macros.PROMPT, "")
# Letters that NFKD doesn't decompose; "…" it does.
_PLAIN = str.maketrans(
    {"ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L"}
    | {
        "đ": "d",
        "Đ": "D",
        "ð": "d",
        "Ð": "D",
        "þ": "th",
        "Þ": "Th",
        "\u0131": "i",
        "ħ": "h",
        "Ħ": "H",
        "ŋ": "n",
        "Ŋ": "N",
    }
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-")
    | dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u2039\u203a", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"')
    | {"\u00a1": "!", "\u00bf": "?", "\u00b7": ".", "\u2022": "*", "\u2026": "...", "€": "EUR", "£": "GBP", "§": "par."}
)


@dataclass(frozen=True)
class Wording:
    """A client's own `prompt` (empty: the method's), its charset "utf-8" or "ascii", and its `limit` in octets."""

    prompt: str = ""
    charset: str = "utf-8"
    limit: int = MOST_OCTETS

    def octets(self, prompt: str, values: Mapping[str, str]) -> bytes:
        """Return a method's prompt as the client gets it; `values`: of its macros. Never empty: some clients fail then.

        Where it is too long, the method's words are cut rather than the client's own, which a NAS may look for.
        """
        whole, reference = self.whole(prompt, values), values.get("reference", "")
        if len(whole) > self.limit and (room := self.limit - len(self.whole("", values))) > 0:
            whole = self.whole(_cut(self._written(prompt), room, reference).decode(), values)
        return _cut(whole, self.limit, reference) or b"?"

    def whole(self, prompt: str, values: Mapping[str, str]) -> bytes:
        """Return the same, uncut. A method without values (one that asks for a password) keeps its own words."""
        if self.prompt and values:
            prompt = macros.filled(self.prompt, {**_NO_VALUES, **values, "prompt": prompt})
        return self._written(prompt)

    def _written(self, text: str) -> bytes:
        return (plain(text) if self.charset == "ascii" else text).encode(errors="replace")


def plain(text: str) -> str:
    """Return a text in ASCII: é as e, ß as ss, … as three points, and any other letter as ?."""
    if text.isascii():
        return text
    bare = unicodedata.normalize("NFKD", unicodedata.normalize("NFC", text).translate(_PLAIN))
    return "".join(c if c.isascii() else _UNKNOWN for c in bare if not unicodedata.combining(c))


def unwritable(text: str) -> str:
    """Return the letters of a text that `plain` writes as ?."""
    return "".join(dict.fromkeys(c for c in unicodedata.normalize("NFC", text) if c not in "?¿" and "?" in plain(c)))


def _cut(whole: bytes, limit: int, reference: str) -> bytes:
    """Cut between letters, and before the reference rather than within: half of it would be a wrong one."""
    if len(whole) <= limit:
        return whole
    text = whole.decode()
    at = len(cut(text, len(whole[:limit].decode(errors="ignore"))))
    start = text.find(reference, max(0, at - len(reference) + 1), at + len(reference) - 1) if reference else -1
    return text[: start if 0 < start < at else at].encode()
