"""The requests of every login as octets (RFC 4511, BER). Pure.

ldap3 builds and encodes a request out of some fifty objects, which took more than half of what a login cost in LDAP.
So the searches and the bind are written here; ldap_answers.py reads the common answers, ldap3 the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

SEQUENCE, SET, INTEGER, BOOLEAN, OCTETS, ENUMERATED = 0x30, 0x31, 0x02, 0x01, 0x04, 0x0A
LONG = 0x80  # from here on a length is the length of the length
SEARCH, BIND, SIMPLE, CONTROLS = 0x63, 0x60, 0x80, 0xA0  # RFC 4511 4.5.1, 4.2, 4.1.1
_CONSTRUCTED = 0x20
_BASE, _SUBTREE = bytes((ENUMERATED, 1, 0)), bytes((ENUMERATED, 1, 2))
_NEVER = bytes((ENUMERATED, 1, 0))  # aliases are never followed
_WITH_VALUES = bytes((BOOLEAN, 1, 0))
_VERSION = bytes((INTEGER, 1, 3))


def tlv(tag: int, content: bytes) -> bytes:
    """Write tag, length and content; the shortest length that fits, as LDAP wants it (RFC 4511 5.1)."""
    size = len(content)
    if size < LONG:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, LONG | len(length))) + length + content


def integer(value: int) -> bytes:
    """Write an integer that isn't negative."""
    return tlv(INTEGER, value.to_bytes(value.bit_length() // 8 + 1))


@dataclass(frozen=True)
class Search:
    """What is searched: below and at `base`, or `only_base`; at most `most` entries. `filter_`: BER, as of `filled`."""

    base: str
    filter_: bytes
    attributes: Sequence[str]
    most: int
    only_base: bool = False


def search(number: int, wanted: Search, seconds: int) -> bytes:
    """Write a search that may take so many seconds."""
    scope = _BASE if wanted.only_base else _SUBTREE
    where = tlv(OCTETS, wanted.base.encode()) + scope + _NEVER + integer(wanted.most) + integer(seconds)
    what = _WITH_VALUES + wanted.filter_ + _listed(tuple(wanted.attributes))
    return tlv(SEQUENCE, integer(number) + tlv(SEARCH, where + what))


@lru_cache(maxsize=64)
def _listed(attributes: tuple[str, ...]) -> bytes:
    """Write what is asked for: of one repository always the same."""
    return tlv(SEQUENCE, b"".join(tlv(OCTETS, attribute.encode()) for attribute in attributes))


def bind(number: int, dn: str, password: bytes, controls: Sequence[str]) -> bytes:
    """Write a simple bind. `controls`: what is asked for besides, by OID, without a value and not critical."""
    asked = b"".join(tlv(SEQUENCE, tlv(OCTETS, oid.encode())) for oid in controls)
    request = tlv(BIND, _VERSION + tlv(OCTETS, dn.encode()) + tlv(SIMPLE, password))
    return tlv(SEQUENCE, integer(number) + request + tlv(CONTROLS, asked))


def filled(template: bytes, marker: bytes, value: bytes) -> bytes:
    """Return `template` (BER) with `value` where `marker` stands within its values.

    The value is octets with a length before them: nothing in it can end an assertion or begin another, so there is
    nothing to escape (RFC 4515 3 is for filters as text).
    """
    done, at = [], 0
    while at < len(template):
        start, end = _content(template, at)
        tag, content = template[at], template[start:end]
        if marker not in content:
            done.append(template[at:end])
        elif tag & _CONSTRUCTED:
            done.append(tlv(tag, filled(content, marker, value)))
        else:
            done.append(tlv(tag, content.replace(marker, value)))
        at = end
    return b"".join(done)


def _content(octets: bytes, at: int) -> tuple[int, int]:
    """Return where the content of the element at `at` begins and ends."""
    size = octets[at + 1]
    if size < LONG:
        return at + 2, at + 2 + size
    start = at + 2 + (size & 0x7F)
    return start, start + int.from_bytes(octets[at + 2 : start])
