"""Every type of an attribute: what suits it, what doesn't, and FreeRADIUS's word for the numbers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyrad.dictionary import Dictionary

from aad.radius.protocol import attribute_dictionary
from aad.radius.protocol.attribute_dictionary import AttributeDictionary, shipped
from aad.radius.protocol.constants import STATE, VENDOR_SPECIFIC
from aad.radius.protocol.wire import Attribute, inside, vendor_attribute

FREERADIUS = Path("/usr/share/freeradius")
FURTHER = """
VENDOR Acme 54321
BEGIN-VENDOR Acme
ATTRIBUTE Acme-Byte 1 byte
ATTRIBUTE Acme-Short 2 short
ATTRIBUTE Acme-Signed 3 signed
ATTRIBUTE Acme-Long 4 integer64
ATTRIBUTE Acme-Mac 5 ether
ATTRIBUTE Acme-Role 6 integer
VALUE Acme-Role Chief 7
ATTRIBUTE Acme-Tlv 7 tlv
ATTRIBUTE Acme-Tlv-Part 7.1 string
ATTRIBUTE Acme-Secret 8 string encrypt=2
ATTRIBUTE Acme-Extended 9 evs
END-VENDOR Acme
ATTRIBUTE My-State 24 string
ATTRIBUTE Far 300 string
"""


def test_the_inside_of_pyrad_is_as_it_was() -> None:
    """Fail where a new pyrad changes what `attribute_dictionary.py` takes over; then read its release notes."""
    assert (2, 6) <= tuple(map(int, version("pyrad").split(".")[:2])) < (2, 7)
    known = Dictionary(str(Path(attribute_dictionary.__file__).with_name("dictionary")))
    assert (known.attrindex.GetBackward(1), known.attrindex.GetBackward((311, 25))) == (
        "User-Name",
        "MS-CHAP2-Response",
    )
    assert (known.attrindex.HasBackward(250), known.vendors.GetForward("Microsoft")) == (False, 311)
    assert "User-Name" not in known.skipped_attributes
    kind = known.attributes["Service-Type"]
    fields = (kind.name, kind.code, kind.type, kind.vendor, kind.has_tag, kind.encrypt, kind.is_sub_attribute)
    assert fields == ("Service-Type", 6, "integer", "", False, 0, False)
    assert (kind.values.GetForward("Framed"), kind.values.GetBackward(b"\0\0\0\2")) == (b"\0\0\0\2", "Framed")
    assert isinstance(next(iter(kind.values.forward.items()))[0], str)
    assert (known.attributes["Tunnel-Type"].has_tag, known.attributes["Tunnel-Password"].encrypt) == (True, 2)


@pytest.fixture
def further(tmp_path: Path) -> AttributeDictionary:
    file = tmp_path / "further"
    file.write_text(FURTHER)
    return AttributeDictionary(file)


@pytest.mark.parametrize(
    ("name", "text", "attribute"),
    [
        ("Filter-Id", "vpn-é", (11, "vpn-é".encode())),
        ("Class", "vpn", (25, b"vpn")),
        ("Class", "0x00FF", (25, b"\0\xff")),
        ("Session-Timeout", "3600", (27, b"\0\0\x0e\x10")),
        ("Session-Timeout", "4294967295", (27, b"\xff\xff\xff\xff")),
        ("Framed-IP-Address", "192.0.2.7", (8, b"\xc0\0\x02\x07")),
        ("Framed-IPv6-Address", "2001:db8::7", (168, bytes.fromhex("20010db8000000000000000000000007"))),
        ("Framed-IPv6-Prefix", "2001:db8::/32", (97, b"\0\x20" + bytes.fromhex("20010db8") + bytes(12))),
        ("Framed-Interface-Id", "1:2:3:4", (96, b"\0\1\0\2\0\3\0\4")),
        ("Service-Type", "Administrative-User", (6, b"\0\0\0\6")),
        ("Tunnel-Type", "VLAN", (64, b"\0\0\0\x0d")),
        ("Tunnel-Type:0", "13", (64, b"\0\0\0\x0d")),
        ("Tunnel-Type:31", "VLAN", (64, b"\x1f\0\0\x0d")),
        ("Tunnel-Preference:1", "16777215", (83, b"\1\xff\xff\xff")),
        ("Tunnel-Private-Group-Id", "42", (81, b"42")),
        ("Tunnel-Private-Group-Id:1", "42", (81, b"\x0142")),
        ("Cisco-AVPair", "shell:priv-lvl=15", (26, b"\0\0\0\x09\x01\x13shell:priv-lvl=15")),
        ("Aruba-User-Vlan", "42", (26, b"\0\0\x39\xe7\x02\x06\0\0\0\x2a")),
    ],
)
def test_what_suits_is_encoded(name: str, text: str, attribute: Attribute) -> None:
    assert not shipped().unfit(name)
    assert shipped().encoded(name, text) == attribute


@pytest.mark.parametrize(
    ("name", "text", "attribute"),
    [
        ("Acme-Byte", "255", (1, b"\xff")),
        ("Acme-Short", "65535", (2, b"\xff\xff")),
        ("Acme-Signed", "-2", (3, b"\xff\xff\xff\xfe")),
        ("Acme-Long", "18446744073709551615", (4, b"\xff" * 8)),
        ("Acme-Mac", "00:53:00:00:00:01", (5, b"\0\x53\0\0\0\1")),
        ("Acme-Role", "Chief", (6, b"\0\0\0\7")),
    ],
)
def test_an_administrator_s_own(further: AttributeDictionary, name: str, text: str, attribute: Attribute) -> None:
    assert not further.unfit(name)
    assert further.encoded(name, text) == vendor_attribute(54321, *attribute)


@pytest.mark.parametrize(
    ("name", "text", "right"),
    [
        ("Filter-Id", "", "at least one letter"),
        ("Filter-Id", "a\0b", "control characters"),
        ("Filter-Id", "a\ufffd", "control characters"),
        ("Filter-Id", "\ud800", "control characters"),
        ("Filter-Id", "a" * 254, "253 octets at most"),
        ("Filter-Id", "é" * 127, "253 octets at most"),
        ("Cisco-AVPair", "a" * 248, "247 octets at most"),
        ("Tunnel-Private-Group-Id:1", "a" * 253, "252 octets at most"),
        ("Class", "0x0", "octets such as"),
        ("Class", "0x", "octets such as"),
        ("Session-Timeout", "-1", "from 0 to 4294967295"),
        ("Session-Timeout", "4294967296", "from 0 to 4294967295"),
        ("Session-Timeout", "9" * 5000, "from 0 to 4294967295"),
        ("Session-Timeout", "1h", "from 0 to 4294967295"),
        ("Session-Timeout", "٣", "from 0 to 4294967295"),
        ("Tunnel-Preference", "16777216", "from 0 to 16777215"),
        ("Tunnel-Medium-Type", "IEEE802", "one of IPv4, IPv6, IEEE-802"),
        ("Framed-IP-Address", "2001:db8::7", "IPv4 address"),
        ("Framed-IP-Address", "192.0.2.0/24", "IPv4 address"),
        ("Framed-IPv6-Address", "192.0.2.7", "IPv6 address"),
        ("Framed-IPv6-Prefix", "2001:db8::1/32", "IPv6 prefix"),
        ("Framed-Interface-Id", "1:2:3", "interface identifier"),
    ],
)
def test_what_does_not_suit_is_refused_and_what_would_is_said(name: str, text: str, right: str) -> None:
    with pytest.raises(ValueError, match=right):
        shipped().encoded(name, text)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        *((name, "no place") for name in ("State", "Proxy-State", "Message-Authenticator", "EAP-Message")),
        *((name, "no place") for name in ("User-Password", "NAS-Port", "Calling-Station-Id", "Prompt")),
        ("Tunnel-Password", "encrypted"),
        ("MS-CHAP2-Success", "password"),
        ("Filter-Id:1", "has no tag"),
        ("Tunnel-Type:32", "from 0 to 31"),
        ("Tunnel-Type:", "from 0 to 31"),
        ("Tunnel-Type:-1", "from 0 to 31"),
    ],
)
def test_some_have_no_place_in_a_reply(name: str, why: str) -> None:
    assert shipped().knows(name)
    assert why in shipped().unfit(name)


@pytest.mark.parametrize("name", ["Acme-Tlv", "Acme-Tlv-Part", "Acme-Secret", "Acme-Extended", "My-State", "Far"])
def test_a_further_dictionary_is_no_way_around_that(further: AttributeDictionary, name: str) -> None:
    assert further.knows(name)
    assert further.unfit(name)
    assert name not in set(further.names())


@given(st.sampled_from(sorted(shipped().names())), st.text())
def test_a_value_is_encoded_or_a_value_error(name: str, text: str) -> None:
    try:
        kind, value = shipped().encoded(name, text)
    except UnicodeError:
        raise
    except ValueError:
        return
    assert len(value) <= 253
    assert kind != STATE
    if kind == VENDOR_SPECIFIC:
        ((_, octets),) = inside(value, int.from_bytes(value[:4]))
        assert octets


@given(st.sampled_from(sorted(shipped().names())), st.integers(0, 31))
def test_what_is_encoded_is_shown_as_it_was_written(name: str, tag: int) -> None:
    known = shipped()._dictionary.attributes[name]
    text = {
        "string": "a text",
        "octets": "0x61",
        "integer": "4711",
        "ipaddr": "192.0.2.7",
        "ipv6addr": "2001:db8::7",
        "ipv6prefix": "2001:db8::/32",
        "ifid": "1:2:3:4",
    }[known.type]
    whole = f"{name}:{tag}" if known.has_tag and tag else name
    assert shipped().shown(shipped().encoded(whole, text)) == (whole, text.removeprefix("0x"))


def freeradius() -> Iterator[tuple[str, ...]]:
    for file in sorted(FREERADIUS.glob("dictionary.*")):
        vendor = ""
        for line in file.read_text(errors="replace").splitlines():
            words = line.partition("#")[0].split()
            if words[:1] == ["BEGIN-VENDOR"]:
                vendor = words[1]
            elif words[:1] == ["END-VENDOR"]:
                vendor = ""
            elif words[:1] in (["ATTRIBUTE"], ["VALUE"], ["VENDOR"]):
                yield (words[0], vendor, *words[1:])


def test_names_and_numbers_are_those_of_freeradius() -> None:
    lines = list(freeradius())
    vendors = {line[2]: int(line[3]) for line in lines if line[0] == "VENDOR"}
    theirs = {(line[2].lower(), vendors.get(line[1], 0), int(line[3]), line[4].partition("[")[0].lower()): line[5:]
              for line in lines if line[0] == "ATTRIBUTE" and line[3].isdigit()}  # fmt: skip
    values = {(line[2].lower(), line[3].lower(), int(line[4], 0)) for line in lines if line[0] == "VALUE"}
    ours: Dictionary = shipped()._dictionary
    for name in shipped().names():
        known = ours.attributes[name]
        key = (name.lower(), int(ours.vendors.GetForward(known.vendor)), known.code, known.type)
        assert key in theirs, key
        assert ("has_tag" in "".join(theirs[key])) == known.has_tag, name
        short = {"Administrative", "NAS-Prompt", "802.1q", "802.1ad"}
        for value, octets in known.values.forward.items():
            assert value in short or (name.lower(), value.lower(), int.from_bytes(octets)) in values, (name, value)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("ATTRIBUTE Colour 250 hue\n", "further: line 1: Illegal type: hue"),
        ("\n\nATTRIBUTE Colour\n", "further: line 3: Incorrect number"),
        ("BEGIN-VENDOR Nobody\n", "further: line 1: Unknown vendor"),
        ("$INCLUDE gone\n", "gone"),
    ],
)
def test_a_dictionary_that_can_not_be_read_says_where(tmp_path: Path, text: str, what: str) -> None:
    file = tmp_path / "further"
    file.write_text(text)
    with pytest.raises(ValueError, match=what):
        AttributeDictionary(file)


def test_a_file_that_is_not_there_or_no_dictionary_is_a_value_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="can't be read"):
        AttributeDictionary(tmp_path / "gone")
    (tmp_path / "octets").write_bytes(bytes(range(256)))
    with pytest.raises(ValueError, match="octets"):
        AttributeDictionary(tmp_path / "octets")


def test_the_dictionary_is_read_in_no_time() -> None:
    began = time.process_time()
    attribute_dictionary.AttributeDictionary()
    assert time.process_time() - began < 0.2
