"""One event with its chains and clients: which chains its users can reach, and which users pass a stricter one by."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, KeysView, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from aad.config.sections import Chain, Event
from aad.core.group_name import group_key
from aad.core.identity import presentable
from aad.core.strength import Traits, asks_less
from aad.core.user_address import network

Names = tuple[str, ...]
_FEW = 5


@dataclass(frozen=True)
class EventChains:
    """One event, its chains in order, and the names of clients that ask for it. `traits`: of all methods, by name."""

    name: str
    event: Event
    chains: Mapping[str, Chain]
    clients: KeysView[str]
    traits: Traits

    def described(self, name: str) -> str:
        """Return a chain's name with its methods, for a message."""
        return f'"{name}" ({", then ".join(self.chains[name].methods)})'

    def asks_less(self, lesser: str, greater: Chain) -> bool:
        """Return whether one of the chains asks for less than another chain."""
        return asks_less(self.chains[lesser].methods, greater.methods, self.traits)

    def chains_of(self, client: str) -> Names:
        """Return the chains that are for users of a client, in order."""
        return tuple(name for name, only in self._only.items() if not only or client in only)

    def reachable(self, chains: Names) -> Names:
        """Return those of a client's chains that some user can reach: any other is shadowed by one before it."""
        return tuple(name for name in chains if self._may_be_named(name) or not self.shadowed_by(name, chains))

    @cached_property
    def clients_by_chains(self) -> dict[Names, list[str]]:
        """The clients, by the chains that are for their users: of thousands, most have the same."""
        found = defaultdict[Names, list[str]](list)
        for client in self.clients:
            found[self.chains_of(client)].append(client)
        return dict(found)

    def shadowed_by(self, name: str, chains: Sequence[str]) -> str:
        """Return the first chain before this one that fits all users whom this one fits; empty: there is none."""
        return next((one for one in chains[: chains.index(name)] if self._covers(one, name)), "")

    def users_passed_on(self, greater: str, lesser: str) -> Iterator[str]:
        """Yield which users of the greater chain may be asked the lesser, as words behind "a user"."""
        elsewhere = list[str]()
        for chains, clients in self.clients_by_chains.items():
            reached = self.reachable(chains)
            if lesser not in reached:
                continue
            if greater in reached and not self._disjoint(greater, lesser):
                yield from self._unmatched(greater, lesser) if not self.shadowed_by(lesser, chains) else ()
                yield from self._chosen(lesser, chains)
            elif greater not in chains and not self.chains[lesser].clients:
                elsewhere += clients
        if elsewhere:
            yield f"who comes through {some(elsewhere)}"

    @cached_property
    def _only(self) -> dict[str, frozenset[str]]:
        return {name: frozenset(chain.clients) for name, chain in self.chains.items()}

    def _may_be_named(self, name: str) -> bool:
        return self.event.choose or bool(self.chains[name].short_name)

    def _unmatched(self, greater: str, lesser: str) -> Iterator[str]:
        """Yield the users of the greater chain who may not be recognised as such."""
        more, less = self.chains[greater], self.chains[lesser]
        if more.groups and not _within_groups(less, more):
            yield f"whom the directory shows in none of the groups {', '.join(map(_quoted, more.groups))}"
        if more.networks and not less.networks:
            yield "whose address is unknown"
        if alone := self._enrolled(more) - self._enrolled(less):
            yield f"who isn't enrolled for {', '.join(name for name in dict.fromkeys(more.methods) if name in alone)}"

    def _chosen(self, lesser: str, chains: Iterable[str]) -> Iterator[str]:
        """Yield the users who may choose the lesser chain."""
        chain = self.chains[lesser]
        # A choice is offered only where chains go on differently.
        if self.event.choose and any(_part(self.chains[name], chain) for name in chains):
            yield "who picks it, as choose = true allows"
        if chain.short_name:
            yield f"who types its short name, {_quoted(chain.short_name)}"

    def _covers(self, greater: str, lesser: str) -> bool:
        """Return whether all users whom the second chain fits fit the first one too, and are enrolled for it."""
        more, less = self.chains[greater], self.chains[lesser]
        return (
            (not more.groups or _within_groups(less, more))
            and (not more.networks or _within_networks(less, more))
            and self._enrolled(more) <= self._enrolled(less)
        )

    def _disjoint(self, one: str, other: str) -> bool:
        """Return whether both chains are for networks that have no address in common."""
        mine, others = ([network(each) for each in self.chains[name].networks] for name in (one, other))
        return bool(mine and others) and not any(a.overlaps(b) for a in mine for b in others)

    def _enrolled(self, chain: Chain) -> set[str]:
        return {name for name in chain.methods if self.traits[name].enrolled}


def some(names: Sequence[str]) -> str:
    """Return names for a message, the first few of many."""
    more = len(names) - _FEW
    return ", ".join(names[:_FEW]) + (f" and {more} more" if more > 0 else "")


def _part(one: Chain, other: Chain) -> bool:
    return any(mine != yours for mine, yours in zip(one.methods, other.methods, strict=False))


def _within_groups(less: Chain, more: Chain) -> bool:
    mine, others = (set(map(group_key, chain.groups)) for chain in (less, more))
    return bool(mine) and mine <= others


def _within_networks(less: Chain, more: Chain) -> bool:
    mine, others = ([network(each) for each in chain.networks] for chain in (less, more))
    return bool(mine) and all(any(a.version == b.version and a.subnet_of(b) for b in others) for a in mine)  # type: ignore[arg-type]


def _quoted(text: str) -> str:
    return f'"{presentable(text)}"'
