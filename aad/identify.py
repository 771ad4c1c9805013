"""Who asks, and which chain is asked of him: the event's repositories and its policy."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aad.core.conversation import Login, Rejected, Running
from aad.core.identity import Attempt, Bar, Named, User
from aad.core.outcome import Reason
from aad.core.policy import Chain, Event
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
        chains = await asked_of(self.methods, found.user, chains, choose=event.choose)
        chains = open_to(found.user, chains, self.asks_repository)
        if found.user.barred and not chains:
            return Rejected(found.user.barred.reason, found.user.barred.because)
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
            firsts = {self.asks_repository(chain.methods[0]) for chain in self._firsts(chains)}
            return user.key == named.key and firsts == {True}

        for name in [named.repository] if named.repository else event.repositories:
            found = await self.repositories[name].find(named.name, password, admit, attempt.deadline)
            self.outages.up(f"repository {name}")
            if found is not None:
                return found
        return None

    def _firsts(self, fits: Sequence[Chain]) -> Sequence[Chain]:
        """Return the chains that may turn out to be the one asked: up to one that nobody has to be enrolled for."""
        for number, chain in enumerate(fits):
            if not any(hasattr(self.methods[method], "ready") for method in chain.methods):
                return fits[: number + 1]
        return fits

    def asks_repository(self, method: str) -> bool:
        """Say whether a method is a password that the user's repository checks."""
        return getattr(self.methods[method], "asks_repository", False)

    def shuts_out(self, event: str, user: User) -> Bar | None:
        """Return what ends the session of a user who has logged in for `event`: their account is barred by now.

        What isn't known ends none where each chain of the event asks the repository for the password: it has told then.
        """
        bar, chains = user.barred, self.events[event].chains
        if bar and bar.reason == Reason.ACCOUNT_UNKNOWN and open_to(user, chains, self.asks_repository) == chains:
            return None
        return bar

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


async def asked_of(methods: Mapping[str, Any], user: User, fits: Sequence[Chain], *, choose: bool) -> tuple[Chain, ...]:
    """Return the chain that is asked, and with `choose` the others too. Unavailable: nobody could tell.

    A chain with a method that the user isn't enrolled for gives way to those behind it; if there is none that he could
    walk, the first is asked, and refuses him when it comes to that method.
    """
    found: list[Chain] = []
    for chain in fits if len(fits) > 1 else ():
        if not await not_ready(methods, user, chain):
            found.append(chain)
            if not choose:
                break
    return tuple(found) or tuple(fits if choose else fits[:1])


def open_to(user: User, chains: tuple[Chain, ...], asks_repository: Callable[[str], bool]) -> tuple[Chain, ...]:
    """Return those of the chains that are asked of a user which the account's state leaves.

    The repository itself decides where a chain asks it for the password. To be called with what `asked_of` returned:
    a chain behind these, which may ask for less, never takes the place of one that is left out here.
    """
    if user.barred is None:
        return chains
    return tuple(chain for chain in chains if any(asks_repository(method) for method in chain.methods))


async def not_ready(methods: Mapping[str, Any], user: User, chain: Chain) -> str:
    """Return the first method of a chain that the user isn't enrolled for, or "". Unavailable."""
    for name in chain.methods:
        ready: Callable[[User], Awaitable[bool]] | None = getattr(methods.get(name), "ready", None)
        if ready is not None and not await ready(user):
            return name
    return ""
