"""In which row of failures (`core/row.py`) a wrong answer to a method counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aad.core.chain_choice import Choice
from aad.core.conversation import Login, Running, Waiting
from aad.core.policy import Chain
from aad.core.row import Kind, row_name
from aad.ports import Method


@dataclass(frozen=True)
class GuessRows:
    """The rows that go with the methods of one configuration."""

    methods: Mapping[str, Method[Any]]

    def name(self, state: Running | Waiting) -> str:
        """Return the name of the row in which a wrong answer counts; empty: in none."""
        kind, user = self._kind(state), state.login.user
        return "" if kind is None else row_name(kind, user.repository, user.key)

    def of_codes(self, running: Running) -> Kind | None:
        """Return the row of the codes that may be asked for now, by a method the user may choose too; None: none."""
        if running.login.decoy:
            return None
        chains = running.choices or (running.login.chain,)
        kinds = {self._of(running.login, chain, running.position) for chain in chains} - {Kind.PASSWORDS}
        return next(iter(kinds), None)

    def _kind(self, state: Running | Waiting) -> Kind | None:
        """Return the row in which a wrong answer counts; None: it is no guess, but a choice, or to a decoy."""
        memo = state.memo if isinstance(state, Running) else state.challenge.memo
        if isinstance(memo, Choice) or state.login.decoy:
            return None
        return self._of(state.login, state.login.chain, state.position)

    def _of(self, login: Login, chain: Chain, position: int) -> Kind:
        if self.methods[chain.methods[position]].proves == "password":
            return Kind.PASSWORDS
        proven = login.signed_in or any(self.methods[name].proves == "password" for name in chain.methods[:position])
        return Kind.CODES if proven else Kind.UNPROVEN
