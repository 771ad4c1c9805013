"""Who is at an address: the client whose network has the longest prefix."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from aad.core.secret import Secret
from aad.radius.names import PROXY_STATE, Flaw
from aad.radius.onefield import OneField
from aad.radius.packet import Request, authentic
from aad.radius.places import Source
from aad.radius.prompts import Wording
from aad.radius.wire import PacketError

_MAPPED = 96  # bits of ::ffff:0:0/96, before an IPv4 address in IPv6
_MOST_REMEMBERED = 10_000


@dataclass(frozen=True)
class Client:
    """A NAS, or several alike, with which we share a secret; or two, the new one first, while it is being changed.

    `deadline`: how long it waits for a reply, in seconds. `prompt_attribute`: "no-echo", "echo" or nothing.
    `wording`: how it wants what the user reads. `challenge`: whether it can ask him; `one_field`: how a code stands
    behind the password. `source`: tells where its users are; None: nobody needs to know.
    """

    name: str
    networks: tuple[str, ...]
    secrets: tuple[Secret, ...]
    event: str
    require_message_authenticator: bool = True
    deadline: float = 2.5
    prompt_attribute: str = ""
    wording: Wording = field(default_factory=Wording)
    challenge: bool = True
    one_field: OneField = field(default_factory=OneField)
    source: Source | None = None

    def secret_of(self, request: Request) -> Secret:
        """Return the secret that `request` is signed with. PacketError: discard it.

        Without Message-Authenticator, where that is allowed, nobody can tell: it is the first one.
        """
        if request.has_message_authenticator:
            for secret in self.secrets:
                if authentic(request, secret):
                    return secret
            raise PacketError(Flaw.WRONG_SIGNATURE)
        if self.require_message_authenticator:
            raise PacketError(Flaw.UNSIGNED)
        # CVE-2024-3596: Proxy-State is where the attacker puts what makes two MD5 sums the same.
        if PROXY_STATE in request.types:
            raise PacketError(Flaw.UNSIGNED_PROXY)
        return self.secrets[0]


@dataclass
class _Family:
    """The networks of IPv4, or of IPv6: for each prefix length, the longest first, who has which prefix."""

    bits: int
    tables: list[tuple[int, dict[int, Client]]] = field(default_factory=list)

    def add(self, network: IPv4Network | IPv6Network, client: Client) -> Client:
        """Give `network` to `client`, unless somebody has it; return who has it now."""
        shift = self.bits - network.prefixlen
        table = dict(self.tables).get(shift)
        if table is None:
            table = {}
            self.tables = sorted([*self.tables, (shift, table)], key=lambda entry: entry[0])
        return table.setdefault(int(network.network_address) >> shift, client)

    def find(self, address: int) -> Client | None:
        """Return whose network of the longest prefix has `address`."""
        for shift, table in self.tables:
            client = table.get(address >> shift)
            if client is not None:
                return client
        return None


class Clients:
    """All clients. ValueError: a network belongs to two of them."""

    def __init__(self, clients: Iterable[Client]) -> None:
        """Sort them by their networks."""
        self._families = {4: _Family(32), 6: _Family(128)}
        self._remembered: dict[str, Client] = {}
        shared = []
        for client in clients:
            for network in map(_network, client.networks):
                owner = self._families[network.version].add(network, client)
                if owner is not client:
                    shared.append(f"{network} belongs to {owner.name} and to {client.name}")
        if shared:
            raise ValueError("; ".join(shared))

    def find(self, address: str) -> Client | None:
        """Return the client at `address`, as a socket gives it: IPv4, IPv6, IPv4-mapped, with or without a scope.

        ValueError: it is none. Clients are remembered, strangers aren't: nobody fills the memory from outside.
        """
        client = self._remembered.get(address)
        if client is None:
            known = _address(address)
            client = self._families[known.version].find(int(known))
            if client is not None:
                if len(self._remembered) >= _MOST_REMEMBERED:
                    self._remembered.clear()
                self._remembered[address] = client
        return client


def _address(address: str) -> IPv4Address | IPv6Address:
    known = ip_address(address.partition("%")[0])
    return (known.ipv4_mapped or known) if isinstance(known, IPv6Address) else known


def _network(network: str) -> IPv4Network | IPv6Network:
    known = ip_network(network)
    if isinstance(known, IPv6Network) and known.prefixlen >= _MAPPED:
        mapped = known.network_address.ipv4_mapped
        return IPv4Network((mapped, known.prefixlen - _MAPPED)) if mapped else known
    return known
