"""Cuts text between the letters that a reader sees (UAX #29): a base and the marks on it are never parted."""

from __future__ import annotations

import unicodedata

_JOINER = "\u200d"  # U+200D makes one picture of two
_SKIN = range(0x1F3FB, 0x1F400)  # what these do to the picture before them


def letters(text: str) -> list[str]:
    """Return the letters of a text, each a character with the marks on it."""
    if text.isascii():
        return list(text)
    starts = [at for at in range(len(text)) if not _goes_on(text, at)]
    return [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]


def cut(text: str, most: int) -> str:
    """Return at most `most` characters of a text, cut between letters; in one only if nothing would be left."""
    if len(text) <= most:
        return text
    at = most
    while _goes_on(text, at):
        at -= 1
    return text[: at or most]


def _goes_on(text: str, at: int) -> bool:
    """Say whether the character at `at` belongs to the letter before it."""
    if not at or text[at].isascii():
        return False
    c = text[at]
    return unicodedata.category(c) in ("Mn", "Mc", "Me") or c == _JOINER or ord(c) in _SKIN or text[at - 1] == _JOINER
