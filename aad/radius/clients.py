"""The clients by address: a datagram is of the client whose network has the longest prefix."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from aad.core.secret import Secret
from aad.core.user_address import Network, literal, network
from aad.radius.password_with_code import OneField
from aad.radius.prompt_encoding import Wording
from aad.radius.protocol.constants import PROXY_STATE, Flaw
from aad.radius.protocol.packet import Request, authentic
from aad.radius.protocol.user_address import UserAddressAttribute
from aad.radius.protocol.wire import PacketError

_CACHED = 10_000


@dataclass(frozen=True)
class Client:
    """A NAS, or several alike, with its shared secret; or two secrets, the new one first, while it is being changed.

    `deadline`: seconds that it waits for a reply. `prompt_attribute`: "no-echo", "echo" or "". `wording`: how
    prompts are encoded for it. `challenge`: whether it can show one; `one_field`: how a code follows the password in
    one field. `address_attribute`: holds its users' addresses; None: no rule needs them.
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
    address_attribute: UserAddressAttribute | None = None

    def verified_secret(self, request: Request) -> Secret:
        """Return the secret that `request` is signed with. PacketError: discard it.

        Without Message-Authenticator, where that is allowed, it is the first one: there is no signature to choose by.
        """
        if request.has_message_authenticator:
            for secret in self.secrets:
                if authentic(request, secret):
                    return secret
            raise PacketError(Flaw.WRONG_SIGNATURE)
        if self.require_message_authenticator:
            raise PacketError(Flaw.UNSIGNED)
        # CVE-2024-3596: the attacker puts the octets of the MD5 collision into Proxy-State.
        if PROXY_STATE in request.types:
            raise PacketError(Flaw.UNSIGNED_PROXY)
        return self.secrets[0]


@dataclass
class _Family:
    """The networks of IPv4, or of IPv6: for each prefix length, the longest first, prefix -> client."""

    bits: int
    tables: list[tuple[int, dict[int, Client]]] = field(default_factory=list)

    def add(self, subnet: Network, client: Client) -> Client:
        """Give a network to `client`, unless another client has it; return its client."""
        shift = self.bits - subnet.prefixlen
        table = dict(self.tables).get(shift)
        if table is None:
            table = {}
            self.tables = sorted([*self.tables, (shift, table)], key=lambda entry: entry[0])
        return table.setdefault(int(subnet.network_address) >> shift, client)

    def find(self, address: int) -> Client | None:
        """Return the client whose network of the longest prefix holds `address`."""
        for shift, table in self.tables:
            client = table.get(address >> shift)
            if client is not None:
                return client
        return None


class Clients:
    """All clients. ValueError: a network belongs to two of them."""

    def __init__(self, clients: Iterable[Client]) -> None:
        """Build the tables of networks."""
        self._families = {4: _Family(32), 6: _Family(128)}
        self._cache: dict[str, Client] = {}
        shared = []
        for client in clients:
            for subnet in map(network, client.networks):
                owner = self._families[subnet.version].add(subnet, client)
                if owner is not client:
                    shared.append(f"{subnet} belongs to {owner.name} and to {client.name}")
        if shared:
            raise ValueError("; ".join(shared))

    def find(self, address: str) -> Client | None:
        """Return the client at `address`, as a socket gives it: IPv4, IPv6, IPv4-mapped, with or without a scope.

        ValueError: it is no address. Only addresses of clients are cached, so that strangers can't fill the memory.
        """
        client = self._cache.get(address)
        if client is None:
            known = literal(address)
            client = self._families[known.version].find(int(known))
            if client is not None:
                if len(self._cache) >= _CACHED:
                    self._cache.clear()
                self._cache[address] = client
        return client
