"""Who is at an address, and which secret a request is signed with."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aad.core.secret import Secret
from aad.radius import clients
from aad.radius.clients import Client, Clients
from aad.radius.protocol import client_packets
from aad.radius.protocol.constants import PROXY_STATE, USER_NAME, Flaw
from aad.radius.protocol.packet import decode
from aad.radius.protocol.wire import PacketError
from tests.radius.datagrams import BLANK, SECRET, VECTOR, unsigned

OLD = Secret(b"the secret it had before")


def client(name: str, *networks: str, require: bool = True) -> Client:
    return Client(name, networks, (SECRET, OLD), "vpn", require_message_authenticator=require)


def name_at(known: Clients, address: str) -> str | None:
    found = known.find(address)
    return found.name if found else None


ALL = Clients(
    [
        client("wide", "192.0.2.0/24", "2001:db8::/32", "fe80::/10"),
        client("narrow", "192.0.2.128/25", "2001:db8:1::/48"),
        client("one", "192.0.2.200", "2001:db8:1::7"),
        client("mapped", "::ffff:198.51.100.0/120", "::/97"),
    ]
)


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.1", "wide"),
        ("192.0.2.129", "narrow"),
        ("192.0.2.200", "one"),
        ("192.0.3.1", None),
        ("::ffff:192.0.2.200", "one"),
        ("::ffff:c000:2c8", "one"),
        ("198.51.100.9", "mapped"),
        ("::ffff:198.51.100.9", "mapped"),
        ("198.51.101.9", None),
        ("2001:db8:2::1", "wide"),
        ("2001:db8:1::1", "narrow"),
        ("2001:db8:1::7", "one"),
        ("2001:DB8:1:0::7", "one"),
        ("2001:db9::", None),
        ("fe80::1%eth0", "wide"),
        ("fe80::1%1", "wide"),
        ("::1", "mapped"),
    ],
)
def test_longest_prefix(address: str, name: str | None) -> None:
    assert name_at(ALL, address) == name
    assert name_at(ALL, address) == name  # remembered


networks = st.one_of(
    st.builds(
        lambda address, prefix: ipaddress.ip_network((int(address) & 0xFFFF00FF | 0x0A000000, prefix), strict=False),
        st.ip_addresses(v=4),
        st.integers(0, 32),
    ),
    st.builds(
        lambda address, prefix: ipaddress.ip_network((address.packed, prefix), strict=False),
        st.ip_addresses(v=6),
        st.integers(0, 95),
    ),
)


@given(st.sets(networks, max_size=8), st.ip_addresses())
def test_as_a_search_through_all(
    some: set[ipaddress.IPv4Network | ipaddress.IPv6Network], address: ipaddress.IPv4Address | ipaddress.IPv6Address
) -> None:
    known = Clients([client(str(network), str(network)) for network in some])
    for each in [address, *(network[-1] for network in some)]:
        normal = (each.ipv4_mapped or each) if isinstance(each, ipaddress.IPv6Address) else each
        fitting = [network for network in some if network.version == normal.version and normal in network]
        expected = max(fitting, key=lambda network: network.prefixlen, default=None)
        assert name_at(known, str(each)) == (str(expected) if expected else None)


def test_a_network_of_two() -> None:
    with pytest.raises(ValueError, match=r"^192\.0\.2\.0/24 belongs to a and to b; ::1/128 belongs to a and to c$"):
        Clients(
            [
                client("a", "192.0.2.0/24", "::1", "192.0.2.0/24"),
                client("b", "::ffff:192.0.2.0/120", "192.0.2.0/25"),
                client("c", "::1/128"),
            ]
        )


def test_what_is_no_address() -> None:
    with pytest.raises(ValueError, match="address"):
        ALL.find("vpn.example.com")


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "_CACHED", 3)
    known = Clients([client("everybody", "0.0.0.0/0")])
    for number in range(10):
        assert name_at(known, f"192.0.2.{number}") == "everybody"
        assert known.find("2001:db8::1") is None
        assert len(known._cache) <= 3


# Which secret.


@pytest.mark.parametrize("secret", [SECRET, OLD])
@pytest.mark.parametrize("require", [True, False])
def test_either_secret(secret: Secret, require: bool) -> None:  # noqa: FBT001
    request = decode(client_packets.request(1, VECTOR, [(USER_NAME, b"alice"), (PROXY_STATE, b"x")], secret))
    assert client("a", require=require).verified_secret(request) == secret


def flaw(attributes: bytes, *, require: bool) -> Flaw:
    with pytest.raises(PacketError) as caught:
        client("a", require=require).verified_secret(decode(attributes))
    return caught.value.flaw


def test_discarded() -> None:
    assert flaw(unsigned(BLANK), require=True) == Flaw.WRONG_SIGNATURE
    assert flaw(unsigned(BLANK), require=False) == Flaw.WRONG_SIGNATURE
    assert flaw(unsigned((USER_NAME, b"alice")), require=True) == Flaw.UNSIGNED
    assert flaw(unsigned((PROXY_STATE, b"x")), require=False) == Flaw.UNSIGNED_PROXY


def test_unsigned_where_that_is_allowed() -> None:
    assert client("a", require=False).verified_secret(decode(unsigned((USER_NAME, b"alice")))) == SECRET


def test_no_secret_is_printed() -> None:
    assert "share" not in repr(client("a", "192.0.2.1"))
