"""Who asks, and which chain is asked of him: the event's repositories and its policy."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from aad.core.conversation import Login, Rejected, Running
from aad.core.identity import Attempt, Named, User
from aad.core.outcome import Reason
from aad.core.policy import Event
from aad.outages import Outages
from aad.ports import AmbiguousUser, Found, Method, Repository
from aad.story import Story

NONCE_OCTETS = 16
Waits = Callable[[Running], Awaitable[bool]]


@dataclass(kw_only=True)
class Identify:
    """Makes a login of an attempt."""

    events: Mapping[str, Event]
    repositories: Mapping[str, Repository]
    methods: Mapping[str, Method[Any]]
    outages: Outages
    randomness: Callable[[int], bytes]

    def named(self, attempt: Attempt) -> Named:
        """Take apart what was typed as a name."""
        return self.events[attempt.event].named(attempt.name)

    async def running(self, attempt: Attempt, named: Named, story: Story) -> Running | Rejected:
        """Find the user and his chain. Unavailable: nobody could tell."""
        event = self.events[attempt.event]
        try:
            found = await self._found(event, attempt, named)
        except AmbiguousUser:
            return Rejected(Reason.AMBIGUOUS_USER)
        if found is None:
            return Rejected(Reason.UNKNOWN_USER)
        story.facts(found.facts)
        chains = event.chains_for(found.user, attempt, named.chain)
        if not chains:
            why = "; ".join(f"{chain.name} {why}" for chain, why in event.misfits(found.user, attempt, named.chain))
            return Rejected(Reason.NO_CHAIN, why)
        login = Login(
            reference=story.reference,
            nonce=self.randomness(NONCE_OCTETS),
            name=attempt.name,
            user=found.user,
            event=attempt.event,
            endpoint=attempt.endpoint,
            chain=chains[0],
            caller=attempt.caller,
            others=chains[1:],
            proof=found.proof,
        )
        return Running(login=login, answer=attempt.answer)

    async def _found(self, event: Event, attempt: Attempt, named: Named) -> Found | None:
        """Ask the event's repositories, in order; the password is checked on the way where it comes first."""
        password = None if attempt.answer.empty or attempt.perhaps else attempt.answer.text

        def admit(user: User) -> bool:
            # Under another name the failure isn't counted yet, so there is no bind yet.
            chains = event.chains_for(user, attempt, named.chain)
            return user.key == named.key and bool(chains) and self.proves(chains[0].methods[0]) == "password"

        for name in [named.repository] if named.repository else event.repositories:
            found = await self.repositories[name].find(named.name, password, admit, attempt.deadline)
            self.outages.up(f"repository {name}")
            if found is not None:
                return found
        return None

    def proves(self, method: str) -> str:
        """Return what a method proves: "password", "code" ..."""
        return self.methods[method].proves

    def unasked(self, method: str) -> bool:
        """Say whether a method takes a code that came with the password, before it asked for any."""
        return getattr(self.methods[method], "unasked", False)

    async def read(self, running: Running, attempt: Attempt, waits: Waits) -> tuple[Running, Attempt]:
        """Decide whether a code stands behind the password, where only its length tells.

        It does if one is waited for, or the next method takes one unasked.
        """
        if attempt.perhaps is None:
            return running, attempt
        password, code = attempt.perhaps
        methods = running.login.chain.methods
        if len(methods) > 1 and (self.unasked(methods[1]) or await waits(replace(running, position=1))):
            attempt = replace(attempt, answer=password, code=code, perhaps=None)
            return replace(running, answer=password), attempt
        return running, replace(attempt, perhaps=None)
