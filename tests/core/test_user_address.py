"""Where a user is: read in one way, compared in one way, and unknown where it can't be read."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aad.core.user_address import UNKNOWN, Networks, Unknown, literal, network, place_of, read, written

EVERYWHERE = Networks(("0.0.0.0/0", "::/0"))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        (" 192.0.2.7\t", "192.0.2.7"),
        ("192.0.2.7:4500", "192.0.2.7"),
        ("192.0.2.7:_port.-", "192.0.2.7"),
        ("192.0.2.7[4500]", "192.0.2.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("2001:DB8:0:0::7", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("[2001:db8::7]:4500", "2001:db8::7"),
        ("2001:db8::7[4500]", "2001:db8::7"),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%25eth0]:443", "fe80::1"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::FFFF:c000:207", "192.0.2.7"),
        ("[::ffff:192.0.2.7]:443", "192.0.2.7"),
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "::1"),
    ],
)
def test_an_address_is_read_in_every_spelling(text: str, address: str) -> None:
    assert read(text) == ip_address(address)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "unknown", "_hidden", "_hidden:443", "unknown:80", "localhost", "unix:", "alice", "+49 30 123"),
        *("00-53-00-00-00-01", "00:53:00:00:00:01", "005300000001", "0053.0000.0001"),
        "00:11:22:33:44:55:66:77",  # an EUI-64, which looks like IPv6
        *("192.0.2", "192.0.2.7.1", "192.0.2.7:", "192.0.2.7:99999", "192.0.2.7:x", "192.0.2.7[x]", "192.0.2.256"),
        *("192.000.002.007", "0300.0.2.7", "0xc0.0.2.7", "3221225991", "127.1"),  # octal, hex, short: who knows which
        *("192.0.2.7/32", "192.0.2.0/24", "2001:db8::/64", "192.0.2.7-192.0.2.9", "192.0.2.7,192.0.2.8"),
        *(
            "192.0.2.7\0",
            "192.0.2.7\n",
            "\xa0192.0.2.7",
            "\uff11\uff19\uff12.0.2.7",
            "192.0.2.7%eth0",
            "http://192.0.2.7",
        ),
        *("[192.0.2.7]", "[192.0.2.7]:443", "[]", "[]:443", "[2001:db8::7", "2001:db8::7]", "[[::1]]", "[::1]:99999"),
        *("[::1]443", "[::1]:", "fe80::1%", "fe80::1%a%b", "1::2::3", ":::", ":443", '"192.0.2.7"'),
        *("0.0.0.0", "::", "[::]:443", "::ffff:0.0.0.0", "255.255.255.255", "255.255.255.254", "224.0.0.1", "ff02::1"),
        "1" * 10_000,
    ],
)
def test_what_is_no_address_is_unknown(text: str) -> None:
    found = read(text)
    assert isinstance(found, Unknown)
    assert found.why
    assert len(found.found) <= 60
    assert found.found.isprintable()
    assert found not in EVERYWHERE
    assert found == UNKNOWN
    assert (str(found), written(found)) == ("unknown", "")


@given(st.text() | st.text("0123456789abcdef.:[]%/ _-"))
def test_whatever_is_sent_is_an_address_or_unknown(text: str) -> None:
    found = read(text)
    assert isinstance(found, Unknown) or (found in EVERYWHERE and read(str(found)) == found)


@given(st.ip_addresses())
def test_an_address_is_somewhere_in_every_spelling(address: IPv4Address | IPv6Address) -> None:
    found = read(str(address))
    spelled = [f"[{address}]:443", f"[{address}]"] if address.version == 6 else [f"{address}:443", f"::ffff:{address}"]
    for text in (f"{address}[4500]", *spelled):
        assert read(text) == found
    if not isinstance(found, Unknown):
        assert found in Networks((str(address),))
        assert found in Networks((str(found),))


def test_ipv4_in_ipv6_is_the_same_in_networks() -> None:
    for spelled in ("192.0.2.0/24", "::ffff:192.0.2.0/120", "::ffff:c000:200/120"):
        known = Networks((spelled,))
        assert literal("192.0.2.7") in known
        assert literal("::ffff:192.0.2.7") in known
        assert IPv6Address("::ffff:192.0.2.7") in known  # not read here
        assert literal("198.51.100.1") not in known
    assert literal("192.0.2.7") in Networks(("::ffff:0:0/96",))
    assert literal("192.0.2.7") not in Networks(("::/0",))
    assert network("fe80::%eth0/64") == network("fe80::/64")


@pytest.mark.parametrize("other", ["192.0.2.7", "", None, UNKNOWN, 3221225991, b"\xc0\0\x02\x07"])
def test_only_an_address_is_in_a_network(other: object) -> None:
    assert other not in EVERYWHERE


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::7", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::7", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("somewhere", ""),
    ],
)
def test_an_address_counts_for_a_place(address: str, place: str) -> None:
    assert place_of(read(address)) == place


def test_a_network_covers_another() -> None:
    known = Networks(("10.0.0.0/8", "2001:db8::/32"))
    for inside in ("10.1.0.0/16", "10.1.2.3", "::ffff:10.0.0.0/104", "2001:db8:1::/48", "10.0.0.0/8"):
        assert known.covers(inside)
    for outside in ("0.0.0.0/0", "10.0.0.0/7", "192.0.2.1", "2001:db9::1", "::/0"):
        assert not known.covers(outside)


@pytest.mark.parametrize("text", ["192.0.2.7:80", "[::1]", " ::1", "192.0.2.7 ", "", "localhost"])
def test_a_literal_is_an_address_and_nothing_else(text: str) -> None:
    with pytest.raises(ValueError, match="address"):
        literal(text)
