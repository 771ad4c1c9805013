"""Parses distinguished names (RFC 4514), and makes the key by which a directory compares them (RFC 4518). Pure.

Read too is what RFC 2253 4 asks of servers for the sake of RFC 1779, and directories still take: blanks around
separators, ";" for ",", values in quotes, and "OID." before a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from aad.core.string_preparation import REPLACEMENT, prepared

LONGEST = 1024  # characters; a name in Active Directory has at most 64 of them, and a path hardly ten parts
_UNREADABLE = "holds U+FFFD, which stands for what could not be read"
_SHOWN = 40  # characters of a DN that a complaint quotes

_BLANKS = " \t\r\n"
_KIND = r"[A-Za-z][A-Za-z0-9-]*+|(?:[Oo][Ii][Dd]\.)?+(?:0|[1-9][0-9]*+)(?:\.(?:0|[1-9][0-9]*+))++"  # RFC 4512 1.4
_SIGN = r'\\[ "#+,;<=>\\]'
_PAIR = rf"(?:\\[0-9A-Fa-f]{{2}}|{_SIGN})"
# RFC 2253 has hex pairs within quotes, RFC 1779 has none, and OpenLDAP reads them as two letters: it can't be known.
# Possessive throughout: nothing is tried twice, so a long DN takes a time in proportion to its length.
_BEFORE = re.compile(rf"[{_BLANKS}]*+({_KIND})[{_BLANKS}]*+=[{_BLANKS}]*+")
_VALUE = re.compile(
    rf"""
    (?: \#(?P<hex>(?:[0-9A-Fa-f]{{2}})++) [{_BLANKS}]*+
      | "(?P<quoted>(?:[^"\\\0]|{_SIGN})*+)" [{_BLANKS}]*+
      | (?!\#)(?P<string>(?:[^"+,;<>\\\0]|{_PAIR})*+)
    )(?P<separator>[,;+]|\Z)
    """,
    re.VERBOSE,
)
# The most common of all, as directories write them: to be compared, such a DN only loses its capitals.
_TIGHT_PART = r"[A-Za-z]{1,5}+=[!$-*.-:=?-\[\]-~-][!#-*.-:=?-\[\]-~-]*+(?: [!#-*.-:=?-\[\]-~-]++)*+"
_TIGHT = re.compile(rf"{_TIGHT_PART}(?:,{_TIGHT_PART})*+")
_PLAIN_PART = rf' *+(?:{_KIND}) *+= *+[^\0- "#+,;<>\\\x7f\ufffd][^\0-\x1f"+,;<>\\\x7f\ufffd]*+'
_PLAIN = re.compile(rf"{_PLAIN_PART}(?:[,;]{_PLAIN_PART})*+")
_UNESCAPED = re.compile(rb"\\([0-9A-Fa-f]{2}|.)", re.DOTALL)
_SPECIAL = re.compile(r'[\\"+,;<>\0]|^[ #]| \Z')
_TEXTS = {4: "utf-8", 12: "utf-8", 18: "utf-8", 19: "utf-8", 22: "utf-8", 26: "utf-8", 28: "utf-32-be", 30: "utf-16-be"}
"""BER tags of strings, and how their octets are read."""

_NAMES = {  # RFC 4514 3 and what RFC 4519 and directories' schemas call the same types
    "2.5.4.3": "cn",
    "commonname": "cn",
    "2.5.4.7": "l",
    "localityname": "l",
    "2.5.4.8": "st",
    "stateorprovincename": "st",
    "2.5.4.10": "o",
    "organizationname": "o",
    "2.5.4.11": "ou",
    "organizationalunitname": "ou",
    "2.5.4.6": "c",
    "countryname": "c",
    "2.5.4.9": "street",
    "streetaddress": "street",
    "0.9.2342.19200300.100.1.25": "dc",
    "domaincomponent": "dc",
    "0.9.2342.19200300.100.1.1": "uid",
    "userid": "uid",
}


class DnError(ValueError):
    """It is no DN, or none that could be read; the text says what is wrong, and where."""


@dataclass(frozen=True)
class Ava:
    """An attribute type, in lower case and by its short name, and its value; with `opaque`: hex digits of BER."""

    kind: str
    value: str
    opaque: bool = False

    def written(self, value: str) -> str:
        """Write "kind=value" with another spelling of the value, escaped where RFC 4514 2.4 demands it."""
        return f"{self.kind}=#{self.value}" if self.opaque else f"{self.kind}={_SPECIAL.sub(_escaped, value)}"


Dn = tuple[tuple[Ava, ...], ...]
"""The parts of a DN, from the entry up to the root; each has one value or, joined by "+", several."""


def dn_key(text: str) -> str:
    """Return what all spellings of one DN have in common, itself a DN. DnError."""
    if len(text) <= LONGEST and _TIGHT.fullmatch(text):
        return text.lower()
    if len(text) <= LONGEST and _PLAIN.fullmatch(text):
        return ",".join(map(_plain_key, text.replace(";", ",").split(",")))
    return ",".join("+".join(sorted(ava.written(prepared(ava.value)) for ava in avas)) for avas in parsed(text))


def respelled(dn: Dn) -> str:
    """Write a DN as every server reads it (RFC 4514 2)."""
    return ",".join("+".join(ava.written(ava.value) for ava in avas) for avas in dn)


def parsed(text: str) -> Dn:
    """Take a DN apart. DnError."""
    if len(text) > LONGEST:
        message = f"has more than {LONGEST} characters"
        raise DnError(message)
    if REPLACEMENT in text:
        raise DnError(_UNREADABLE)
    parts: list[tuple[Ava, ...]] = []
    avas: list[Ava] = []
    for ava, separator in _avas(text):
        if any(ava.kind == other.kind for other in avas):
            message = f"has {ava.kind} twice in one part"  # X.501 9.3
            raise DnError(message)
        avas.append(ava)
        if separator != "+":
            parts.append(tuple(avas))
            avas.clear()
    return tuple(parts)


def _avas(text: str) -> Iterator[tuple[Ava, str]]:
    """Yield each type with its value, and the separator behind it. DnError."""
    at, separator = 0, ","
    while separator:
        before = _BEFORE.match(text, at)
        if before is None:
            escaped = '; a "," within a value is written "\\,"' if at else ""
            message = f'{_there(text, at)} should be a type and "=", such as "cn="{escaped}'
            raise DnError(message)
        value = _VALUE.match(text, before.end())
        if value is None:
            wrong = "isn't a value: , + \" \\ < > ; and a first # stand behind a backslash"
            message = f"{_there(text, before.end())} {wrong}"
            raise DnError(message)
        kind = before[1].lower().removeprefix("oid.")
        kind, at, separator = _NAMES.get(kind, kind), value.end(), value["separator"]
        yield _ava(kind, value), separator


def _ava(kind: str, value: re.Match[str]) -> Ava:
    if value["hex"] is not None:
        ava = _from_ber(kind, bytes.fromhex(value["hex"]))
    elif value["quoted"] is not None:
        ava = Ava(kind, _unescaped(value["quoted"]))
    else:
        ava = Ava(kind, _unescaped(_trimmed(value["string"])))
    if not ava.value:
        message = f"{kind}= has no value"
        raise DnError(message)
    if REPLACEMENT in ava.value:
        raise DnError(_UNREADABLE)
    return ava


def _trimmed(value: str) -> str:
    """Take the blanks at the end off, but not one behind a backslash."""
    bare = value.rstrip(_BLANKS)
    escaping = len(bare) - len(bare.rstrip("\\"))
    return value[: len(bare) + escaping % 2]


def _unescaped(value: str) -> str:
    if "\\" not in value:
        return value
    try:
        return _UNESCAPED.sub(_octet, value.encode()).decode()
    except UnicodeError:
        message = "holds octets that aren't UTF-8"
        raise DnError(message) from None


def _octet(found: re.Match[bytes]) -> bytes:
    return bytes.fromhex(found[1].decode()) if len(found[1]) > 1 else found[1]


def _from_ber(kind: str, octets: bytes) -> Ava:
    """Read a value that is written as "#" and the hex digits of its BER; what is no string stays as it is."""
    tag, start = octets[0], 2
    size = octets[1] if len(octets) > 1 else len(octets)
    if size > 0x80:  # noqa: PLR2004 - then it is the length of the length (X.690 8.1.3.5)
        start += size - 0x80
        size = int.from_bytes(octets[2:start])
    if octets[1:2] == b"\x80" or len(octets) != start + size:  # the first: a length that isn't told
        message = f"{kind}=# should be followed by the hex digits of BER"
        raise DnError(message)
    try:
        return Ava(kind, octets[start:].decode(_TEXTS[tag]))
    except (KeyError, UnicodeDecodeError):
        return Ava(kind, octets.hex(), opaque=True)


def _plain_key(part: str) -> str:
    """Return the key of a part of a DN in which nothing is escaped, in a tenth of the time."""
    kind, _, value = part.partition("=")
    kind = kind.strip().lower().removeprefix("oid.")
    # Preparing makes separators of what isn't any: U+FF0C is a comma then.
    return f"{_NAMES.get(kind, kind)}={_SPECIAL.sub(_escaped, prepared(value))}"


def _escaped(found: re.Match[str]) -> str:
    return "\\00" if found[0] == "\0" else f"\\{found[0]}"


def _there(text: str, at: int) -> str:
    shown = "".join(char if char.isprintable() else REPLACEMENT for char in text[at : at + _SHOWN])
    return f'"{shown}{"..." if len(text) > at + _SHOWN else ""}"' if shown.strip() else "its end"
