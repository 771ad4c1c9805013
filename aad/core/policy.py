"""Which chains of methods an event asks of whom, and why not the others."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from aad.core.identity import Attempt, Named, User, name_key, named


@dataclass(frozen=True)
class Chain:
    """Methods that must all succeed, in order; there is always one.

    For whom it is: members of one of the `groups`, who ask through one of the `clients`, from one of the `networks`;
    empty: whoever it is.
    """

    name: str
    methods: tuple[str, ...]
    groups: frozenset[str] = frozenset()
    short_name: str = ""
    clients: frozenset[str] = frozenset()
    networks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a chain without methods: whoever walked it would be accepted for nothing."""
        if not self.methods:
            message = f"chain {self.name!r} has no methods"
            raise ValueError(message)

    def misfit(self, user: User, attempt: Attempt) -> str:
        """Say why this chain isn't for `user` in this attempt; empty: it is.

        Group names are compared as directories do, without regard to case.
        """
        if self.clients and attempt.endpoint not in self.clients:
            return f"only through {', '.join(sorted(self.clients))}"
        if self.groups and self._folded.isdisjoint({group.casefold() for group in user.groups}):
            return f"only for members of {', '.join(sorted(self.groups))}"
        if not self.networks:
            return ""
        where = f"only from {', '.join(self.networks)}"
        place = _address(attempt.place)
        if place is None:
            return f"{where}, and {attempt.endpoint} doesn't say where the user is"
        return "" if any(place in network for network in self._inside) else f"{where}, not from {place}"

    @property
    def label(self) -> str:
        """What the user calls this chain."""
        return self.short_name or self.name

    @cached_property
    def selector(self) -> str:
        """The short name as it is compared; empty: nobody can ask for this chain by one."""
        return name_key(self.short_name)

    @cached_property
    def _folded(self) -> frozenset[str]:
        return frozenset(group.casefold() for group in self.groups)

    @cached_property
    def _inside(self) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        return [ipaddress.ip_network(network) for network in self.networks]


@dataclass(frozen=True)
class Event:
    """An occasion to log in: where its users live, and the chains that may be asked of them, in order.

    `realms`: which repository a realm stands for, by the realm as `name_key` has it. `choose`: where several chains
    fit, the user is asked which.
    """

    name: str
    repositories: tuple[str, ...]
    chains: tuple[Chain, ...]
    realms: tuple[tuple[str, str], ...] = ()
    choose: bool = False

    def named(self, typed: str) -> Named:
        """Take what was typed as a name apart: the user, his realm's repository, the chain that he wants."""
        if not self._realms and not self._short_names:
            return Named(typed)
        return named(typed, self._realms, self._short_names)

    def chains_for(self, user: User, attempt: Attempt, wanted: str = "") -> tuple[Chain, ...]:
        """Return the chains that fit, in order; none: nobody said how this user could log in.

        The first is asked; the others may be where it isn't, or where the event lets the user choose. `wanted`: the
        short name that the user typed, as `name_key` has it.
        """
        return tuple(
            chain for chain in self.chains if wanted in ("", chain.selector) and not chain.misfit(user, attempt)
        )

    def misfits(self, user: User, attempt: Attempt, wanted: str = "") -> Sequence[tuple[Chain, str]]:
        """Return the chains that aren't asked, each with the reason, as far as the first that is."""
        found = []
        for chain in self.chains:
            why = chain.misfit(user, attempt)
            if not why and wanted not in ("", chain.selector):
                why = f'only for who asks for "{chain.label}", not "{wanted}"'
            if not why:
                break
            found.append((chain, why))
        return found

    @cached_property
    def _realms(self) -> dict[str, str]:
        return dict(self.realms)

    @cached_property
    def _short_names(self) -> frozenset[str]:
        return frozenset(chain.selector for chain in self.chains if chain.selector)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found
