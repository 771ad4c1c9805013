"""Attributes by name, as FreeRADIUS's dictionaries have them: the shipped one, and the administrator's.

The only import of pyrad: its reader of dictionaries, and its encoding of values. It keeps attributes in fields that its
documentation doesn't promise (`attrindex`, `skipped_attributes`, `vendors`), so pyproject.toml bounds its version, and
tests/radius/protocol/test_attribute_dictionary.py fails if they change.
"""

from __future__ import annotations

import binascii
import logging
import re
import struct
from collections.abc import Iterator
from functools import cache
from ipaddress import IPv6Network
from pathlib import Path
from typing import Any

from pyrad.dictionary import Dictionary, ParseError
from pyrad.tools import DecodeAttr, EncodeAttr

from aad.radius.protocol.constants import NOT_IN_REPLIES, TUNNEL_PASSWORD, VENDOR_SPECIFIC
from aad.radius.protocol.user_address import UserAddressAttribute
from aad.radius.protocol.wire import VENDOR_OCTETS, Attribute, inside, vendor_attribute

MOST_OCTETS, MOST_OF_VENDOR = 253, 247  # of a value: RFC 2865 5, and 5.26
MOST_KIND = 255
MOST_TAG = 31  # RFC 2868 3.1
MOST_TAGGED = 0xFFFFFF  # a tag takes the first of an integer's four octets, RFC 2868 3.1
_NO_TEXT = re.compile("[\0-\x1f\x7f\ufffd\ud800-\udfff]")
_SHIPPED = Path(__file__).with_name("dictionary")
_RANGES = {
    "byte": (0, 2**8 - 1),
    "short": (0, 2**16 - 1),
    "integer": (0, 2**32 - 1),
    "date": (0, 2**32 - 1),
    "signed": (-(2**31), 2**31 - 1),
    "integer64": (0, 2**64 - 1),
}
_FORMS = {
    "ipaddr": 'should be an IPv4 address, such as "192.0.2.7"',
    "ipv6addr": 'should be an IPv6 address, such as "2001:db8::7"',
    "ipv6prefix": 'should be an IPv6 prefix, such as "2001:db8::/64"',
    "ifid": 'should be an interface identifier, such as "1:2:3:4"',
    "ether": 'should be a MAC address, such as "00:53:00:00:00:01"',
}
_ADDRESSES = frozenset({"string", "ipaddr", "ipv6addr"})
_SENT = frozenset({*_RANGES, *_FORMS, "string", "octets"})

logging.getLogger("pyrad").addHandler(logging.NullHandler())  # it would write to stderr what it can't read
logging.getLogger("pyrad").propagate = False


class AttributeDictionary:
    """The attributes of a dictionary. Names are as they stand there; "Tunnel-Type:1" has the tag 1."""

    def __init__(self, further: Path | None = None) -> None:
        """Read the shipped dictionary, then `further`, the administrator's. ValueError: it can't be read, and why."""
        try:
            self._dictionary = Dictionary(str(_SHIPPED), *([str(further)] if further else []))
        except ParseError as error:
            line = f"line {error.line}: " if error.line > 0 else ""
            message = f"{error.file or further}: {line}{error.msg or 'no dictionary'}"
            raise ValueError(message) from None
        except OSError as error:
            message = f"{error.filename or further} can't be read: {error.strerror}"
            raise ValueError(message) from None
        except Exception as error:  # noqa: BLE001 - what a file can make it raise has no end: KeyError, IndexError
            message = f"{further} is no dictionary: {type(error).__name__}"
            raise ValueError(message) from None

    def names(self) -> Iterator[str]:
        """Return the names of attributes that a reply may hold."""
        return (name for name in self._dictionary.attributes if not self._unsent(name))

    def unfit(self, name: str) -> str:
        """Return why a reply can't hold an attribute of this name, which the dictionary has; empty: it can."""
        plain, tag = _parted(name)
        known = self._dictionary.attributes.get(plain)
        if what := self._unsent(plain):
            return what
        if tag is not None and not known.has_tag:
            return f"{plain} has no tag: should be {plain}"
        if tag is not None and not (tag.isascii() and tag.isdigit() and 0 <= int(tag) <= MOST_TAG):
            return f"the tag should be a number from 0 to {MOST_TAG}, such as {plain}:1"
        return ""

    def knows(self, name: str) -> bool:
        """Return whether the dictionary has an attribute of this name, whatever its tag."""
        plain, _ = _parted(name)
        return plain in self._dictionary.attributes or plain in self._dictionary.skipped_attributes

    def addresses(self) -> Iterator[str]:
        """Return the names of the attributes that may hold a user's address."""
        return (name for name, known in self._dictionary.attributes.items() if known.type in _ADDRESSES)

    def address_attribute(self, name: str) -> UserAddressAttribute:
        """Return the attribute of this name as the holder of a user's address. ValueError: it can't hold one."""
        known = self._dictionary.attributes.get(name)
        if known is None or known.type not in _ADDRESSES or known.is_sub_attribute:
            message = f"{name} holds no address"
            raise ValueError(message)
        return UserAddressAttribute(known.code, self._vendor(known), known.type, known.has_tag, name)

    def encoded(self, name: str, text: str) -> Attribute:
        """Encode an attribute that a reply can hold. ValueError: the value doesn't fit, and what would."""
        plain, tag = _parted(name)
        known = self._dictionary.attributes[plain]
        octets = _octets(known, text, int(tag or 0))
        vendor = self._vendor(known)
        if len(octets) > (most := MOST_OF_VENDOR if vendor else MOST_OCTETS):
            tagged = known.type == "string" and known.has_tag and int(tag or 0) > 0
            message = f"should have {most - tagged} octets at most"
            raise ValueError(message)
        return vendor_attribute(vendor, known.code, octets) if vendor else (known.code, octets)

    def shown(self, attribute: Attribute) -> tuple[str, str]:
        """Return name and value of an attribute as text; number and hex where the dictionary doesn't have it."""
        kind, octets = attribute
        key: object = kind
        if kind == VENDOR_SPECIFIC:
            vendor = int.from_bytes(octets[:VENDOR_OCTETS])
            if len(parts := inside(octets, vendor)) == 1:
                key, octets = (vendor, parts[0][0]), parts[0][1]
        index = self._dictionary.attrindex
        if not index.HasBackward(key):
            return str(kind), attribute[1].hex()
        known = self._dictionary.attributes[index.GetBackward(key)]
        tag, octets = _untagged(known, octets)
        if known.values.HasBackward(octets):
            return known.name + tag, known.values.GetBackward(octets)
        try:
            value = DecodeAttr(known.type, octets)
        except (ValueError, struct.error):
            value = octets
        return known.name + tag, value.hex() if isinstance(value, bytes) else str(value)

    def _vendor(self, known: Any) -> int:
        return int(self._dictionary.vendors.GetForward(known.vendor))

    def _unsent(self, name: str) -> str:
        """Return why a reply can't hold an attribute, whatever its value."""
        known = self._dictionary.attributes.get(name)
        if known is None:
            return f"{name} is of a kind that aad can't write"
        if known.encrypt or (not known.vendor and known.code == TUNNEL_PASSWORD):
            return f"{name} would have to be encrypted, which aad doesn't"
        if not known.vendor and known.code in NOT_IN_REPLIES:
            return f"{name} has no place in an Access-Accept (RFC 2865 5.44), or aad sets it itself"
        if known.vendor == "Microsoft" and known.name.startswith("MS-CHAP"):
            return f"{name} is a part of how a password is checked"
        sent = known.type in _SENT and not known.is_sub_attribute and 0 < known.code <= MOST_KIND
        return "" if sent else f"{name} is of a kind that aad can't write"


def named(name: str, value: str) -> Attribute:
    """Encode an attribute of the shipped dictionary. ValueError: it has no such name or value."""
    if not shipped().knows(name):
        message = f"{name} is no attribute of the dictionary"
        raise ValueError(message)
    return shipped().encoded(name, value)


def shown(attribute: Attribute) -> tuple[str, str]:
    """Return name and value of an attribute as text, by the shipped dictionary."""
    return shipped().shown(attribute)


@cache
def shipped() -> AttributeDictionary:
    """Return the shipped dictionary, read once."""
    return AttributeDictionary()


def _parted(name: str) -> tuple[str, str | None]:
    """Split a name and its tag."""
    plain, colon, tag = name.partition(":")
    return plain, tag if colon else None


def _octets(known: Any, text: str, tag: int) -> bytes:
    if known.type == "string":
        return (bytes((tag,)) if tag else b"") + _string(text)
    if known.type == "octets":
        return _raw(text)
    if known.type in _RANGES:
        octets = _number(known, text)
        return bytes((tag,)) + octets[1:] if known.has_tag else octets
    try:
        if known.type == "ipv6prefix":
            IPv6Network(text)  # strict: a prefix with an address behind is a mistake
        return bytes(EncodeAttr(known.type, text))
    except ValueError:
        message = _FORMS[known.type]
        raise ValueError(message) from None


def _string(text: str) -> bytes:
    # RFC 2865 5: never empty. A NAS that reads it as a C string would end it at a zero.
    if not text or _NO_TEXT.search(text):
        message = "should be a text of at least one letter, without control characters"
        raise ValueError(message)
    return text.encode()


def _raw(text: str) -> bytes:
    if not text.startswith("0x"):
        return _string(text)
    try:
        octets = binascii.unhexlify(text[2:])
    except binascii.Error:
        octets = b""
    if not octets:
        message = 'should be a text, or octets such as "0x00ff"'
        raise ValueError(message)
    return octets


def _number(known: Any, text: str) -> bytes:
    if known.values.HasForward(text):
        return bytes(known.values.GetForward(text))
    low, high = _RANGES[known.type]
    high = MOST_TAGGED if known.has_tag else high
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= len(str(high)) and low <= int(text) <= high):
        names = [str(name) for name, _ in known.values.forward.items()]
        message = f"should be a number from {low} to {high}" + (f", or one of {', '.join(names)}" if names else "")
        raise ValueError(message)
    return bytes(EncodeAttr(known.type, int(text)))


def _untagged(known: Any, octets: bytes) -> tuple[str, bytes]:
    """Split a value and its tag, written as behind a name."""
    if not known.has_tag or not octets or (known.type == "string" and octets[0] > MOST_TAG):
        return "", octets
    rest = octets[1:] if known.type == "string" else b"\0" + octets[1:]
    return (f":{octets[0]}" if octets[0] else ""), rest
