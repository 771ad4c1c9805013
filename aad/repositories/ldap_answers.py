"""What a directory answers to a login's requests, read out of the octets (RFC 4511, BER). Pure.

Only what every login gets is read here: entries, and that all went well. Anything else, even what is only unusual, is
Odd, and ldap3's to read: its decoder takes three times as long, and knows everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aad.repositories.ldap_ber import ENUMERATED, INTEGER, LONG, OCTETS, SEQUENCE, SET
from aad.repositories.ldap_reasons import SUCCESS, Result

_ENTRY = 0x64  # RFC 4511 4.5.2
_RESULTS = {0x65: "searchResDone", 0x61: "bindResponse"}
_SUCCESS = Result(SUCCESS, "success")
_WELL = bytes((ENUMERATED, 1, SUCCESS, OCTETS, 0, OCTETS, 0))  # no matchedDN, nothing to tell


class Odd(Exception):  # noqa: N818 - an answer, not an error of ours
    """It is none of those that are read here, or not well formed."""


@dataclass(frozen=True)
class Entry:
    """One entry of a search: its DN, and its values by the attribute's name in lower case.

    `cut`: attributes that have more values than the server tells at once.
    """

    dn: str
    values: Mapping[str, tuple[str, ...]]
    cut: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Answer:
    """One message: an entry; or with a result the last one; or, with neither, what only stands between these."""

    number: int
    kind: str
    entry: Entry | None = None
    result: Result | None = None


def whole(octets: bytes | bytearray) -> int:
    """Return how many octets the first message has; 0: not enough have come to know. ValueError: it is none."""
    if octets and octets[0] != SEQUENCE:
        message = "no LDAP"
        raise ValueError(message)
    if len(octets) < 2:  # noqa: PLR2004 - tag and length
        return 0
    size = octets[1]
    if size < LONG:
        return 2 + size
    start = 2 + size - LONG
    return start + int.from_bytes(octets[2:start]) if len(octets) >= start else 0


def read(message: bytes) -> Answer:
    """Read one message, which is `whole`. Odd."""
    try:
        ((_, start, end),) = _elements(message, 0, len(message))
        (tag, start, number), (operation, begin, stop) = _elements(message, start, end)  # no controls
        if tag != INTEGER:
            raise Odd
        answers = int.from_bytes(message[start:number], signed=True)
        if operation == _ENTRY:
            return Answer(answers, "searchResEntry", _entry(message, begin, stop))
        if operation in _RESULTS and message[begin:stop] == _WELL:
            return Answer(answers, _RESULTS[operation], result=_SUCCESS)
    except (ValueError, IndexError):
        raise Odd from None
    raise Odd


def entry(dn: bytes, attributes: Mapping[bytes, tuple[bytes, ...]]) -> Entry:
    """Return the entry as text."""
    values: dict[str, tuple[str, ...]] = {}
    cut = set()
    for attribute, octets in attributes.items():
        name, _, option = attribute.decode(errors="replace").lower().partition(";")
        if not option or option.startswith("range="):  # Active Directory, where there are more than 1500 values
            values[name] = (*values.get(name, ()), *[value.decode(errors="replace") for value in octets])
            if option and not option.endswith("-*"):  # MS-ADTS 3.1.1.3.1.3.3: "range=0-1499" isn't all
                cut.add(name)
    return Entry(dn.decode(errors="replace"), values, frozenset(cut))


def _entry(message: bytes, start: int, end: int) -> Entry:
    (dn_tag, dn_start, dn_end), (list_tag, start, end) = _elements(message, start, end)
    if dn_tag != OCTETS or list_tag != SEQUENCE:
        raise Odd
    attributes: dict[bytes, tuple[bytes, ...]] = {}
    for tag, begin, stop in _elements(message, start, end):
        (name_tag, name, name_end), (set_tag, values, values_end) = _elements(message, begin, stop)
        if (tag, name_tag, set_tag) != (SEQUENCE, OCTETS, SET):
            raise Odd
        found = _elements(message, values, values_end)
        attribute = message[name:name_end]
        if attribute in attributes or any(each != OCTETS for each, _, _ in found):
            raise Odd
        attributes[attribute] = tuple([message[at:to] for _, at, to in found])
    return entry(message[dn_start:dn_end], attributes)


def _elements(octets: bytes, at: int, end: int) -> list[tuple[int, int, int]]:
    """Split what stands there into elements: tag, where its content begins, and where it ends. Odd, IndexError."""
    found = []
    while at < end:
        tag, size, start = octets[at], octets[at + 1], at + 2
        if size >= LONG:
            start += size - LONG
            size = int.from_bytes(octets[at + 2 : start])
        at = start + size
        found.append((tag, start, at))
    if at != end:
        raise Odd
    return found
