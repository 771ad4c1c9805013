"""The chains of methods that an event asks of a user, in order, and why not the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from aad.core.group_name import group_key
from aad.core.identity import Attempt, Named, User, name_key, named
from aad.core.user_address import Networks, Unknown


@dataclass(frozen=True)
class Chain:
    """Methods that must all succeed, in order; there is always one.

    It is for members of one of the `groups`, through one of the `clients`, from one of the `networks`; where one of
    these is empty, for all.
    """

    name: str
    methods: tuple[str, ...]
    groups: frozenset[str] = frozenset()
    short_name: str = ""
    clients: frozenset[str] = frozenset()
    networks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a chain without methods: every user would be accepted by it, for nothing."""
        if not self.methods:
            message = f"chain {self.name!r} has no methods"
            raise ValueError(message)

    def misfit(self, user: User, attempt: Attempt) -> str:
        """Say why this chain isn't for `user` in this attempt; empty: it is.

        Groups are compared as directories do (`aad.core.group_name`).
        """
        if self.clients and attempt.client not in self.clients:
            return f"only through {', '.join(sorted(self.clients))}"
        if self.groups and not (member := user.is_member(self._group_keys)):
            unknown = f", and {user.unknown_group}" if member is None else ""
            return f"only for members of {', '.join(sorted(self.groups))}{unknown}"
        if not self.networks:
            return ""
        where = f"only from {', '.join(self.networks)}"
        if isinstance(attempt.user_address, Unknown):
            cause = f" ({attempt.user_address.why})" if attempt.user_address.why else ""
            return f"{where}, and {attempt.client} doesn't say where the user is{cause}"
        return "" if attempt.user_address in self._inside else f"{where}, not from {attempt.user_address}"

    def unknown(self, user: User, attempt: Attempt) -> bool:
        """Say whether it can't be decided if this chain is for `user`: one of their groups can't be read.

        What comes behind such a chain must not be asked instead: it may ask less.
        """
        if not self.groups or user.is_member(self._group_keys) is not None:
            return False
        return not replace(self, groups=frozenset()).misfit(user, attempt)

    @property
    def label(self) -> str:
        """The name of the chain as users see and type it."""
        return self.short_name or self.name

    @cached_property
    def selector(self) -> str:
        """The short name as it is compared; empty: the chain has none to ask for it by."""
        return name_key(self.short_name)

    @cached_property
    def _group_keys(self) -> frozenset[str]:
        return frozenset(map(group_key, self.groups))

    @cached_property
    def _inside(self) -> Networks:
        return Networks(self.networks)


@dataclass(frozen=True)
class Event:
    """An occasion to log in: where its users live, and the chains that may be asked of them, in order.

    `realms`: pairs of a realm, as `name_key` has it, and the repository it stands for. `choose`: where several chains
    fit, the user is asked which. `test`: a user who is signed in tries a method; it ends no row of failures.
    `decoy`: a refused user is asked for a code all the same, so that a refusal doesn't show; all chains ask alike.
    """

    name: str
    repositories: tuple[str, ...]
    chains: tuple[Chain, ...]
    realms: tuple[tuple[str, str], ...] = ()
    choose: bool = False
    test: bool = False
    decoy: bool = False

    def named(self, typed: str) -> Named:
        """Take what was typed as a name apart: the user, the realm's repository, the chain asked for."""
        if not self._realms and not self._short_names:
            return Named(typed)
        return named(typed, self._realms, self._short_names)

    def chains_for(self, user: User, attempt: Attempt, wanted: str = "") -> tuple[Chain, ...]:
        """Return the chains that fit, in order; none: this user has no way to log in.

        The first is asked; the others may be where it isn't, or where the event lets the user choose. `wanted`: the
        short name that the user typed, as `name_key` has it. The list ends before a chain that is `unknown`.
        """
        found = []
        for chain in self.chains:
            if wanted not in ("", chain.selector):
                continue
            if not chain.misfit(user, attempt):
                found.append(chain)
            elif chain.unknown(user, attempt):
                break
        return tuple(found)

    def misfits(self, user: User, attempt: Attempt, wanted: str = "") -> Sequence[tuple[Chain, str]]:
        """Return the chains that aren't asked, each with the reason, as far as the first that is."""
        found = []
        for chain in self.chains:
            reason = chain.misfit(user, attempt)
            if not reason and wanted not in ("", chain.selector):
                reason = f'only for who asks for "{chain.label}", not "{wanted}"'
            if not reason:
                break
            found.append((chain, reason))
            if wanted in ("", chain.selector) and chain.unknown(user, attempt):
                break
        return found

    @cached_property
    def _realms(self) -> dict[str, str]:
        return dict(self.realms)

    @cached_property
    def _short_names(self) -> frozenset[str]:
        return frozenset(chain.selector for chain in self.chains if chain.selector)
