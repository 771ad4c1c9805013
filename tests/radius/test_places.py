"""Where the user is, as a request tells it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aad.radius.names import CALLING_STATION_ID
from aad.radius.packet import decode
from aad.radius.places import Source, address_in
from aad.radius.vocabulary import shipped
from aad.radius.wire import Attribute, microsoft_attribute, vendor_attribute
from tests.radius.datagrams import BLANK, unsigned


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        (" 192.0.2.7 ", "192.0.2.7"),
        ("192.0.2.7:4500", "192.0.2.7"),
        ("192.0.2.7[4500]", "192.0.2.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("[2001:db8::7]:4500", "2001:db8::7"),
        ("00-53-00-00-00-01", ""),
        ("00:53:00:00:00:01", ""),
        ("005300000001", ""),
        ("0053.0000.0001", ""),
        ("192.0.2.7:", ""),
        ("192.0.2.7/24", ""),
        ("192.0.2", ""),
        ("+49 30 123", ""),
        ("", ""),
    ],
)
def test_an_address_counts_and_nothing_else(text: str, address: str) -> None:
    assert address_in(text) == address


@given(st.text())
def test_whatever_a_client_sends_is_an_address_or_nothing(text: str) -> None:
    assert address_in(text) == "" or "." in address_in(text) or ":" in address_in(text)


@pytest.mark.parametrize(
    ("name", "attributes", "address"),
    [
        ("Calling-Station-Id", [(CALLING_STATION_ID, b"192.0.2.7")], "192.0.2.7"),
        ("Calling-Station-Id", [(CALLING_STATION_ID, b"\xff")], ""),
        ("Calling-Station-Id", [(CALLING_STATION_ID, b"192.0.2.7")] * 2, ""),
        ("Calling-Station-Id", [(8, b"\xc0\0\x02\x07")], ""),
        ("Framed-IP-Address", [(8, b"\xc0\0\x02\x07")], "192.0.2.7"),
        ("Framed-IP-Address", [(8, b"\xc0\0\x02")], ""),
        ("Framed-IPv6-Address", [(168, bytes(15) + b"\1")], "::1"),
        ("Fortinet-Client-IP-Address", [vendor_attribute(12356, 2, b"\xc0\0\x02\x07")], "192.0.2.7"),
        ("Fortinet-Client-IP-Address", [vendor_attribute(12357, 2, b"\xc0\0\x02\x07")], ""),
        ("PaloAlto-Client-Source-IP", [microsoft_attribute(7, b"x"), vendor_attribute(25461, 7, b"::1")], "::1"),
    ],
)  # fmt: skip
def test_an_attribute_tells_it(name: str, attributes: list[Attribute], address: str) -> None:
    assert shipped().source(name).address(decode(unsigned(BLANK, *attributes))) == address


def test_the_default_needs_no_dictionary() -> None:
    assert shipped().source("Calling-Station-Id") == Source()


@pytest.mark.parametrize("name", ["NAS-Port", "Colour", "Class"])
def test_what_holds_no_address_is_no_source(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} holds no address"):
        shipped().source(name)
