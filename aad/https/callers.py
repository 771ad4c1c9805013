"""Whose address a request comes from: the peer's, or, behind a proxy that is trusted, the one that it says. PURE."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
_LOW = 96  # bits of ::ffff:0:0/96, before an IPv4 address in IPv6


class Networks:
    """Some networks; an address of IPv4 in IPv6 is the same as without."""

    def __init__(self, networks: Iterable[str]) -> None:
        """Take them as aad.toml has them."""
        self._networks = [_network(each) for each in networks]

    def __contains__(self, address: object) -> bool:
        """Say whether an address, written or not, is in one of them; what is no address isn't."""
        try:
            known = plain(str(address))
        except ValueError:
            return False
        return any(known in network for network in self._networks)


def plain(address: str) -> Address:
    """Read an address as a socket or a header has it. ValueError: it is none."""
    known = ip_address(address.strip().partition("%")[0])
    return (known.ipv4_mapped or known) if isinstance(known, IPv6Address) else known


def caller(peer: str, forwarded: str, trusted: Networks) -> str:
    """Return who asks. `forwarded`: X-Forwarded-For, to which each proxy adds whom it heard: believed from the right.

    What a stranger wrote there himself stands further to the left than what a trusted proxy added.
    """
    heard = [each.strip() for each in forwarded.split(",") if each.strip()]
    address = str(plain(peer))
    while heard and address in trusted:
        try:
            address = str(plain(heard.pop()))
        except ValueError:
            break
    return address


def _network(network: str) -> IPv4Network | IPv6Network:
    known = ip_network(network)
    mapped = known.network_address.ipv4_mapped if isinstance(known, IPv6Network) and known.prefixlen >= _LOW else None
    return IPv4Network((mapped, known.prefixlen - _LOW)) if mapped else known
