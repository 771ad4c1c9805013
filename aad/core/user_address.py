"""The user's network address as a front reports it, or unknown: reads it, and compares it with networks.

What can't be read is `Unknown`, a value of its own: it is in no network, is no empty text, and never becomes the
address of the one who passed it on. IPv4 in IPv6 (::ffff:192.0.2.7, RFC 4291 2.5.5.2) is IPv4, in addresses and in
networks; the zone of an address (fe80::1%eth0, RFC 4007) says something only to the host that wrote it, and is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

SHOWN = 60  # characters of what couldn't be read
_LONGEST = 100  # characters of anything that is an address: 45, a zone, brackets, a port
_HOSTS = 64  # bits of the network that hosts share
_LOW = 96  # bits of ::ffff:0:0/96, before an IPv4 address in IPv6
_MOST_PORT = 65535
# RFC 7239 6: a port is a number, or an obfuscated one, which begins with "_".
_PORT = r"(?P<port>[0-9]{1,5}|_[A-Za-z0-9._-]+)"
_SHAPES = tuple(
    re.compile(shape)
    for shape in (
        rf"\[(?P<six>[^\[\]]*)\](?::{_PORT})?",  # [2001:db8::7]:4500; in brackets it is IPv6: RFC 3986 3.2.2
        r"(?P<any>[^\[\]]*)\[(?P<port>[0-9]{1,5})\]",  # strongSwan's 192.0.2.7[4500]
        rf"(?P<four>[^:\[\]]*):{_PORT}",  # 192.0.2.7:4500
    )
)
# An EUI-64, as some NASes send for Calling-Station-Id. It could be read as IPv6, but as an address that no host has:
# eight groups of two digits are in ::/8, which is reserved (RFC 4291 2.4).
_EUI_64 = re.compile(r"(?:[0-9A-Fa-f]{2}:){7}[0-9A-Fa-f]{2}")


@dataclass(frozen=True)
class Unknown:
    """The user's address isn't known. `why`: in words for the log; `found`: what stood there, as it may be shown.

    All of them are equal.
    """

    why: str = field(default="", compare=False)
    found: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        """Cut what was found, and make it printable."""
        shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in self.found[:SHOWN])
        object.__setattr__(self, "found", shown)

    def __str__(self) -> str:
        """Return "unknown"."""
        return "unknown"

    @property
    def told(self) -> str:
        """Why it is unknown, and what was found, for the log."""
        return f'{self.why}: "{self.found}"' if self.found else self.why


UserAddress = Address | Unknown
UNKNOWN = Unknown()


class Networks:
    """Some networks. Only addresses can be in one of them."""

    def __init__(self, networks: Iterable[str]) -> None:
        """Read networks as aad.toml has them. ValueError: one of the texts is no network."""
        self._networks = [network(each) for each in networks]

    def __contains__(self, address: object) -> bool:
        """Say whether an address is in one of them; `Unknown` and a text never are."""
        if not isinstance(address, IPv4Address | IPv6Address):
            return False
        known = _plain(address)
        return any(known in each for each in self._networks)

    def covers(self, other: str) -> bool:
        """Say whether a network lies in one of them, as a whole. ValueError: `other` is no network."""
        known = network(other)
        return any(
            int(each.network_address) <= int(known.network_address)
            and int(known.broadcast_address) <= int(each.broadcast_address)
            for each in self._networks
            if each.version == known.version
        )


def literal(text: str) -> Address:
    """Read an address and nothing else, as a socket has it. ValueError: it is no address, or there is more."""
    return _plain(ip_address(text))


def network(text: str) -> Network:
    """Read an address or a network. ValueError: it is neither, or has bits behind its prefix."""
    known = ip_network(text)
    if isinstance(known, IPv4Network):
        return known
    bare = IPv6Address(int(known.network_address))
    mapped = bare.ipv4_mapped if known.prefixlen >= _LOW else None
    return IPv4Network((mapped, known.prefixlen - _LOW)) if mapped else IPv6Network((bare, known.prefixlen))


def read(text: str) -> UserAddress:
    """Read an address as a NAS or a proxy writes it: "192.0.2.7", "192.0.2.7:4500", "[2001:db8::7]:4500" and the like.

    Without brackets a port can't be told from an IPv6 address; there is none then.
    """
    bare = text.strip(" \t")
    try:
        return of_a_host(_host(bare))
    except ValueError:
        return Unknown("holds no address" if bare else "is empty", bare)


def of_a_host(address: Address) -> UserAddress:
    """Return an address that a host can have; for any other, such as 0.0.0.0, unknown."""
    known = _plain(address)
    return Unknown("holds an address that no host has", str(known)) if known in _NO_HOSTS else known


def written(address: UserAddress) -> str:
    """Write an address for other servers and for people; empty: it is unknown."""
    return "" if isinstance(address, Unknown) else str(address)


def place_of(address: UserAddress) -> str:
    """Return the place that an address counts for, when failures and turns are counted; empty: it is unknown.

    IPv4: the address. IPv6: its /64, as a host has all addresses of one (RFC 4291 2.5.4).
    """
    if isinstance(address, Unknown):
        return ""
    known = _plain(address)
    return str(known if isinstance(known, IPv4Address) else IPv6Network((known, _HOSTS), strict=False))


def _host(text: str) -> Address:
    """Take port and brackets off. ValueError."""
    if len(text) > _LONGEST or _EUI_64.fullmatch(text):
        raise ValueError
    for shape in _SHAPES:
        if match := shape.fullmatch(text):
            port, parts = match["port"], match.groupdict()
            if port and port.isdigit() and int(port) > _MOST_PORT:
                raise ValueError
            if (four := parts.get("four")) is not None:
                return IPv4Address(four)
            if (six := parts.get("six")) is not None:
                return _plain(IPv6Address(six))
            return literal(parts["any"])
    return literal(text)


def _plain(address: Address) -> Address:
    if isinstance(address, IPv4Address):
        return address
    return address.ipv4_mapped or IPv6Address(int(address))


# The unspecified address, "this is to be chosen" (RFC 2865 5.8), multicast. Many a NAS sends one for "I don't know".
_NO_HOSTS = Networks(("0.0.0.0/32", "255.255.255.254/31", "224.0.0.0/4", "::/128", "ff00::/8"))
