"""Attributes by the names that people know them by."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aad.radius.protocol.attribute_dictionary import named, shown
from aad.radius.protocol.constants import MICROSOFT, NAS_PORT, SERVICE_TYPE, USER_NAME, VENDOR_SPECIFIC
from aad.radius.protocol.wire import Attribute
from tests.radius.datagrams import octets


@pytest.mark.parametrize(
    ("name", "value", "attribute"),
    [
        ("User-Name", "alice", (USER_NAME, b"alice")),
        ("Service-Type", "Framed", (SERVICE_TYPE, b"\0\0\0\x02")),
        ("NAS-Port", "4711", (NAS_PORT, (4711).to_bytes(4))),
        ("NAS-IP-Address", "192.0.2.1", (4, b"\xc0\0\x02\x01")),
        ("NAS-IPv6-Address", "2001:db8::1", (95, bytes.fromhex("20010db8000000000000000000000001"))),
        ("MS-CHAP-Error", "E=691", (VENDOR_SPECIFIC, b"\0\0\x01\x37\x02\x07E=691")),
    ],
)
def test_attributes_by_name(name: str, value: str, attribute: Attribute) -> None:
    assert named(name, value) == attribute
    assert shown(attribute) == (name, b"E=691".hex() if value == "E=691" else value)


@pytest.mark.parametrize(
    ("name", "value"), [("Colour", "red"), ("NAS-Port", "red"), ("NAS-IP-Address", "red"), ("User-Name", "a" * 254)]
)
def test_attributes_by_a_wrong_name(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        named(name, value)
    assert type(caught.value) is not UnicodeDecodeError


@pytest.mark.parametrize(
    ("attribute", "text"),
    [
        ((250, b"\x01\x02"), ("250", "0102")),
        ((VENDOR_SPECIFIC, b"\0\0\0\x0a\x01\x03a"), ("26", "0000000a010361")),
        ((VENDOR_SPECIFIC, MICROSOFT.to_bytes(4) + b"\xc8\x03a"), ("26", "00000137c80361")),
        ((NAS_PORT, b"\x01"), ("NAS-Port", "01")),
        ((USER_NAME, b"\xff"), ("User-Name", "ff")),
    ],
)
def test_what_the_dictionary_does_not_know(attribute: Attribute, text: tuple[str, str]) -> None:
    assert shown(attribute) == text


@given(st.integers(1, 255), octets)
def test_any_attribute_can_be_shown(kind: int, value: bytes) -> None:
    name, text = shown((kind, value))
    assert name
    assert isinstance(text, str)
