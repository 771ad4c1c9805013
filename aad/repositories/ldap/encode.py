"""The requests of every login as octets (RFC 4511), and what BER is made of, to write and to read. Pure.

It replaces ldap3's encoder, which builds a request out of some fifty objects: more than half of what a login cost in
LDAP (fd4c17f). `tools/bench --against REV --in-flight 16` compares CPU a login with another revision. ldap3's decoder
reads an answer into whatever its octets claim to be, however large; here a length is checked before anything is made of
what it promises (decode.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

SEQUENCE, SET, INTEGER, BOOLEAN, OCTETS, ENUMERATED = 0x30, 0x31, 0x02, 0x01, 0x04, 0x0A
LONG = 0x80  # from here on a length is the length of the length
SEARCH, BIND, SIMPLE, CONTROLS = 0x63, 0x60, 0x80, 0xA0  # RFC 4511 4.5.1, 4.2, 4.1.1
EXTENDED, NAME = 0x77, 0x80  # RFC 4511 4.12
_MOST_OF_LENGTH = 4  # octets; what LDAP writes fits
MOST_OF_NUMBER = 4  # octets: RFC 4511 4.1.1.1, maxInt
_CONSTRUCTED = 0x20
_BASE, _SUBTREE = bytes((ENUMERATED, 1, 0)), bytes((ENUMERATED, 1, 2))
_NEVER = bytes((ENUMERATED, 1, 0))  # aliases are never followed
_WITH_VALUES = bytes((BOOLEAN, 1, 0))
_VERSION = bytes((INTEGER, 1, 3))


class BerError(ValueError):
    """The octets are no BER as LDAP has it, or not of the kind that belongs there."""


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


def length(octets: bytes | bytearray, at: int) -> tuple[int, int] | None:
    """Read the length at `at`: where the content begins, and its size; None: not enough octets to know. BerError."""
    if len(octets) <= at:
        return None
    size = octets[at]
    if size < LONG:
        return at + 1, size
    start, size = _long(octets, at)
    return (start, size) if start <= len(octets) else None


def elements(octets: bytes, at: int, end: int, most: int) -> list[tuple[int, int, int]]:
    """Split the octets from `at` to `end` into elements: tag, where its content begins, where it ends. BerError.

    There are `most` of them at most: an empty one takes two octets, and fifty times as much memory.
    """
    found: list[tuple[int, int, int]] = []
    try:
        while at < end:
            if len(found) >= most:
                message = "more than anybody has use for"
                raise BerError(message)
            tag, size, start = octets[at], octets[at + 1], at + 2
            if size >= LONG:
                start, size = _long(octets, at + 1)
            at = start + size
            found.append((tag, start, at))
    except IndexError:
        at = end + 1
    if at != end:
        message = "a length that leads out of its message"
        raise BerError(message)
    return found


def _long(octets: bytes | bytearray, at: int) -> tuple[int, int]:
    count = octets[at] - LONG
    if not 1 <= count <= _MOST_OF_LENGTH:  # RFC 4511 5.1: "Only the definite form of length encoding is used."
        message = f"a length of {count} octets" if count else "a length without end"
        raise BerError(message)
    start = at + 1 + count
    return start, int.from_bytes(octets[at + 1 : start])


def unsigned(octets: bytes | bytearray) -> int:
    """Read the content of an INTEGER or ENUMERATED that isn't negative, of 31 bits at most. BerError."""
    if not 1 <= len(octets) <= MOST_OF_NUMBER or (number := int.from_bytes(octets, signed=True)) < 0:
        message = f"a number of {len(octets)} octets" if len(octets) != 1 else "a negative number"
        raise BerError(message)
    return number


@dataclass(frozen=True)
class Search:
    """A search at and below `base`, or of `only_base`, for at most `most` entries. `filter_`: BER, as of `filled`."""

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
    """Write the attributes that are asked for: always the same for one repository, so they are cached."""
    return tlv(SEQUENCE, b"".join(tlv(OCTETS, attribute.encode()) for attribute in attributes))


def bind(number: int, dn: str, password: bytes, controls: Sequence[str]) -> bytes:
    """Write a simple bind. `controls`: what is asked for besides, by OID, without a value and not critical."""
    asked = b"".join(tlv(SEQUENCE, tlv(OCTETS, oid.encode())) for oid in controls)
    request = tlv(BIND, _VERSION + tlv(OCTETS, dn.encode()) + tlv(SIMPLE, password))
    return tlv(SEQUENCE, integer(number) + request + tlv(CONTROLS, asked))


def extended(number: int, oid: str) -> bytes:
    """Write an extended request without a value."""
    return tlv(SEQUENCE, integer(number) + tlv(EXTENDED, tlv(NAME, oid.encode())))


def filled(template: bytes, marker: bytes, value: bytes) -> bytes:
    """Return `template` (BER) with `value` where `marker` stands within its values.

    The value is octets with a length before them: nothing in it can end an assertion or begin another, so there is
    nothing to escape (RFC 4515 3 is for filters as text).
    """
    done = []
    for tag, start, end in elements(template, 0, len(template), len(template)):
        content = template[start:end]
        if marker not in content:
            done.append(tlv(tag, content))
        elif tag & _CONSTRUCTED:
            done.append(tlv(tag, filled(content, marker, value)))
        else:
            done.append(tlv(tag, content.replace(marker, value)))
    return b"".join(done)
