"""Which chain of methods an event asks of whom."""

from __future__ import annotations

from dataclasses import dataclass

from aad.core.identity import User


@dataclass(frozen=True)
class Chain:
    """Methods that must all succeed, in order; there is always one. Empty `groups`: for everybody."""

    name: str
    methods: tuple[str, ...]
    groups: frozenset[str] = frozenset()
    short_name: str = ""

    def __post_init__(self) -> None:
        """Refuse a chain without methods: whoever walked it would be accepted for nothing."""
        if not self.methods:
            message = f"chain {self.name!r} has no methods"
            raise ValueError(message)

    def fits(self, user: User) -> bool:
        """Whether this chain is for `user`. Group names are compared as directories do, without regard to case."""
        return not self.groups or not self._folded.isdisjoint({group.casefold() for group in user.groups})

    @property
    def _folded(self) -> frozenset[str]:
        return frozenset(group.casefold() for group in self.groups)


@dataclass(frozen=True)
class Event:
    """An occasion to log in: where its users live, and the chains that may be asked of them, in order."""

    name: str
    repositories: tuple[str, ...]
    chains: tuple[Chain, ...]

    def chain_for(self, user: User) -> Chain | None:
        """Return the first chain that fits `user`; None: nobody said how this user could log in, so he can't."""
        return next((chain for chain in self.chains if chain.fits(user)), None)
