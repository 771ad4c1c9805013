"""Prepares strings as directories do to compare them: RFC 4518, for caseIgnoreMatch (RFC 4517 4.2.11). Pure.

Not `aad.core.identity.name_key`: failures are counted by it, so it may take two names for one, and it drops the vowel
signs that tell two groups apart in Thai or Hindi. Here what that RFC tells apart stays apart.
"""

from __future__ import annotations

import re
import unicodedata

REPLACEMENT = "\ufffd"
"""Stands where octets could not be read (RFC 4518 2.4 prohibits it): what the name was can't be known."""

# RFC 4518 2.2, complete: what becomes a space, and what becomes nothing ("FF00-FE0F" is its slip for FE00-FE0F) ...
_SPACES = re.compile("[\t-\r\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")
_NOTHING = re.compile(
    "[\0-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u034f\u06dd\u070f\u1806\u180b-\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u2063\u206a-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffc\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f"
    "\u061c\u2064\u2066-\u2069\U000e0100-\U000e01ef]"  # ... and what is as invisible, and younger than that RFC
)
_MARKS = 16  # in a row, where one looks at each 16th character: 30 are always found
_SPACE_BEFORE = re.compile(" (?=([^ ]))")


def growth(text: str) -> int:
    """Return by how many characters a text grows when it is prepared; preparing it takes a time in proportion.

    Where many marks stand on one letter, they are sorted, each against each: then it is the square of its length. No
    language needs 30 of them (UAX #15, Stream-Safe Text Format).
    """
    if text.isascii():
        return 0
    folded = unicodedata.normalize("NFKC", text)
    for at in range(0, len(folded) - _MARKS, _MARKS):
        if unicodedata.combining(folded[at]) and all(map(unicodedata.combining, folded[at : at + _MARKS])):
            return len(text) ** 2
    return max(0, len(folded) - len(text))


def prepared(text: str) -> str:
    """Return the one form of all values that a directory takes for the same.

    Case, compatibility characters, invisible characters, and how many spaces there are, make no difference.
    """
    if text.isascii() and text.isprintable():
        return " ".join(text.lower().split())
    mapped = _NOTHING.sub("", _SPACES.sub(" ", text))
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", mapped).casefold())
    # 2.6.1: a space that carries a combining mark is a letter, not a space; no text has U+0000 after mapping.
    lettered = _SPACE_BEFORE.sub(lambda found: "\0" if _combines(found[1]) else " ", folded)
    return " ".join(filter(None, lettered.split(" "))).replace("\0", " ")


def _combines(char: str) -> bool:
    return unicodedata.category(char).startswith("M")
