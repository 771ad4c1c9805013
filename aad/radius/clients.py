"""Who is at an address: the client whose network has the longest prefix."""

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
    source: UserAddressAttribute | None = None

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

    def add(self, theirs: Network, client: Client) -> Client:
        """Give a network to `client`, unless another one has it; return who has it now."""
        shift = self.bits - theirs.prefixlen
        table = dict(self.tables).get(shift)
        if table is None:
            table = {}
            self.tables = sorted([*self.tables, (shift, table)], key=lambda entry: entry[0])
        return table.setdefault(int(theirs.network_address) >> shift, client)

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
            for theirs in map(network, client.networks):
                owner = self._families[theirs.version].add(theirs, client)
                if owner is not client:
                    shared.append(f"{theirs} belongs to {owner.name} and to {client.name}")
        if shared:
            raise ValueError("; ".join(shared))

    def find(self, address: str) -> Client | None:
        """Return the client at `address`, as a socket gives it: IPv4, IPv6, IPv4-mapped, with or without a scope.

        ValueError: it is none. Clients are remembered, strangers aren't: nobody fills the memory from outside.
        """
        client = self._remembered.get(address)
        if client is None:
            known = literal(address)
            client = self._families[known.version].find(int(known))
            if client is not None:
                if len(self._remembered) >= _MOST_REMEMBERED:
                    self._remembered.clear()
                self._remembered[address] = client
        return client
