"""Calls a method's `begin` or `verify`, with the login's state, and writes its outcome to the log."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aad.core.conversation import Running, Waiting
from aad.core.outcome import Outcome
from aad.login.turn import Turn
from aad.ports import ForeseesChallenge, Method

DISCREET = 0.5  # seconds that a discreet login waits for its message; what becomes of it later is in the log


@dataclass(frozen=True)
class MethodCalls:
    """The methods of one configuration, by name."""

    methods: Mapping[str, Method[Any]]
    _foresees: Mapping[str, ForeseesChallenge] = field(init=False)

    def __post_init__(self) -> None:
        """Note which methods foresee their challenge: to look a Protocol up takes longer than a login has for it."""
        found = {name: each for name, each in self.methods.items() if isinstance(each, ForeseesChallenge)}
        object.__setattr__(self, "_foresees", found)

    def begins(self, running: Running) -> bool:
        """Say whether a method begins: nothing came that it could check. One that sends a message never looks."""
        return running.needs_no_answer or (running.memo is None and running.method in self._foresees)

    def foreseen(self, running: Running, now: float) -> Waiting | None:
        """Return what the login will wait for, if a method begins that knows it before it has sent anything."""
        method = self._foresees.get(running.method)
        if method is None or running.memo is not None or running.choices:
            return None
        challenge = method.foreseen(running.login, now)
        waiting = running.after(challenge) if challenge else None
        return waiting if isinstance(waiting, Waiting) else None

    async def call(self, running: Running, turn: Turn, now: float) -> Outcome[Any]:
        """Let the method whose turn it is begin, or verify the answer. Unavailable: no verdict was possible."""
        method, login, deadline = self.methods[running.method], running.login, turn.attempt.deadline
        if login.discreet and running.method in self._foresees:
            deadline = min(deadline, time.monotonic() + DISCREET)
        # A password that was checked while the user was looked up took its time there.
        began = time.monotonic() if login.proof is None else turn.log.began
        if running.memo is None or running.answer is None:
            outcome = await method.begin(login, running.answer, now, deadline)
        else:
            outcome = await method.verify(login, running.memo, running.answer, now, deadline)
        turn.log.outcome(method.proves, outcome, answered=running.answer is not None, began=began)
        return outcome
