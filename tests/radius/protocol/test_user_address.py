"""Where the user is, as a request tells it."""

from __future__ import annotations

import pytest

from aad.core.user_address import Unknown, UserAddress, written
from aad.radius.protocol.attribute_dictionary import shipped
from aad.radius.protocol.constants import CALLING_STATION_ID
from aad.radius.protocol.packet import decode
from aad.radius.protocol.user_address import UserAddressAttribute
from aad.radius.protocol.wire import Attribute, microsoft_attribute, vendor_attribute
from tests.radius.datagrams import BLANK, unsigned


def place(name: str, *attributes: Attribute) -> UserAddress:
    return shipped().address_attribute(name).address(decode(unsigned(BLANK, *attributes)))


@pytest.mark.parametrize(
    ("name", "attributes", "address"),
    [
        ("Calling-Station-Id", [(CALLING_STATION_ID, b"192.0.2.7")], "192.0.2.7"),
        ("Calling-Station-Id", [(CALLING_STATION_ID, b"\xff")], ""),
        ("Calling-Station-Id", [(CALLING_STATION_ID, b"192.0.2.7")] * 2, ""),
        ("Calling-Station-Id", [(8, b"\xc0\0\x02\x07")], ""),
        ("Framed-IP-Address", [(8, b"\xc0\0\x02\x07")], "192.0.2.7"),
        ("Framed-IP-Address", [(8, b"\xc0\0\x02")], ""),
        ("Framed-IP-Address", [(8, b"\xc0\0\x02\x07\0")], ""),
        ("Framed-IP-Address", [(8, b"\0\0\0\0")], ""),
        ("Tunnel-Client-Endpoint", [(66, b"192.0.2.7")], "192.0.2.7"),
        ("Tunnel-Client-Endpoint", [(66, b"\x01192.0.2.7")], "192.0.2.7"),
        ("Tunnel-Client-Endpoint", [(66, b"\x00192.0.2.7")], "192.0.2.7"),
        ("Tunnel-Client-Endpoint", [(66, b"\x20192.0.2.7")], "192.0.2.7"),
        ("Tunnel-Client-Endpoint", [(66, b"\x01\x01192.0.2.7")], ""),
        ("Tunnel-Client-Endpoint", [(66, b"\x01")], ""),
        ("Tunnel-Client-Endpoint", [(66, b"")], ""),
        ("Calling-Station-Id", [(CALLING_STATION_ID, b"\x01192.0.2.7")], ""),
        ("Framed-IP-Address", [(8, b"\xff\xff\xff\xff")], ""),
        ("Framed-IP-Address", [(8, b"\xc0\0\x02\x07"), (8, b"\x0a\0\0\x01")], ""),
        ("Framed-IPv6-Address", [(168, bytes(10) + b"\xff\xff\xc0\0\x02\x07")], "192.0.2.7"),
        ("Calling-Station-Id", [(CALLING_STATION_ID, b"::ffff:192.0.2.7")], "192.0.2.7"),
        ("Calling-Station-Id", [(CALLING_STATION_ID, b"192.0.2.7\0")], ""),
        ("Calling-Station-Id", [(CALLING_STATION_ID, b"2001:db8::7[4500]")], "2001:db8::7"),
        ("Framed-IPv6-Address", [(168, bytes(15) + b"\1")], "::1"),
        ("Fortinet-Client-IP-Address", [vendor_attribute(12356, 2, b"\xc0\0\x02\x07")], "192.0.2.7"),
        ("Fortinet-Client-IP-Address", [vendor_attribute(12357, 2, b"\xc0\0\x02\x07")], ""),
        ("PaloAlto-Client-Source-IP", [microsoft_attribute(7, b"x"), vendor_attribute(25461, 7, b"::1")], "::1"),
    ],
)  # fmt: skip
def test_an_attribute_tells_it(name: str, attributes: list[Attribute], address: str) -> None:
    found = place(name, *attributes)
    assert written(found) == address
    assert isinstance(found, Unknown) == (not address)


@pytest.mark.parametrize(
    ("name", "attributes", "told"),
    [
        ("Calling-Station-Id", [], "there is no Calling-Station-Id"),
        ("Calling-Station-Id", [(CALLING_STATION_ID, b"192.0.2.7")] * 2, "Calling-Station-Id is there more than once"),
        ("Calling-Station-Id", [(CALLING_STATION_ID, b"")], "Calling-Station-Id is empty"),
        ("Calling-Station-Id", [(CALLING_STATION_ID, b"00-53")], 'Calling-Station-Id holds no address: "00-53"'),
        ("Calling-Station-Id", [(31, b"\n\x1b[J")], 'Calling-Station-Id holds no address: "\ufffd\ufffd[J"'),
        ("Framed-IP-Address", [(8, b"\0\0\0")], "Framed-IP-Address has another length than 4 octets"),
        (
            "Framed-IP-Address",
            [(8, b"\xff\xff\xff\xfe")],
            'Framed-IP-Address holds an address that no host has: "255.255.255.254"',
        ),
    ],
)  # fmt: skip
def test_why_it_is_unknown_is_said(name: str, attributes: list[Attribute], told: str) -> None:
    found = place(name, *attributes)
    assert isinstance(found, Unknown)
    assert found.told == told


def test_the_default_needs_no_dictionary() -> None:
    assert shipped().address_attribute("Calling-Station-Id") == UserAddressAttribute()


@pytest.mark.parametrize("name", ["NAS-Port", "Colour", "Class"])
def test_what_holds_no_address_is_no_source(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} holds no address"):
        shipped().address_attribute(name)
