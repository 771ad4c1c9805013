"""Who asks, and which chain is asked of him: the event's repositories and its policy."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aad.core.conversation import Login, Rejected, Running
from aad.core.identity import Attempt, Bar, Named, User
from aad.core.outcome import Reason
from aad.core.policy import Chain, Event
from aad.core.row import Kind, row_name
from aad.core.secret import Secret
from aad.lockout import Count, Lockout
from aad.outages import Outages
from aad.ports import AmbiguousUser, Found, Method, Repository, Unavailable, without_password
from aad.story import Story

NONCE_OCTETS = 16
Waits = Callable[[Running], Awaitable[bool]]


class Guess:
    """The password that comes with an attempt: counted once its user is known, before it is checked (ports.Admit).

    `count`: how; None: it isn't to be checked on the way. `refused`: why it isn't to be checked at all; `trouble`: why
    nobody can tell. `name`, `key`: whose it is.
    """

    def __init__(
        self,
        lockout: Lockout,
        event: Event,
        attempt: Attempt,
        named: Named,
        asks_password: Callable[[Sequence[Chain]], bool],
    ) -> None:
        """Count nothing yet."""
        self._lockout = lockout
        self._event, self._attempt, self._named = event, attempt, named
        self._asks_password = asks_password
        self.count: Count | None = None
        self.refused: Reason | None = None
        self.trouble: Unavailable | None = None
        self.name = self.key = ""

    async def admit(self, user: User) -> bool:
        """Count it, once, however often a repository asks."""
        if self.trouble is not None:
            return False
        if self.count is None and self.refused is None:
            if not self._asks_password(self._event.chains_for(user, self._attempt, self._named.chain)):
                return False
            name = row_name(Kind.PASSWORDS, user.repository, user.key)
            try:
                count = await self._lockout.count(name, self._attempt.answer)
            except Unavailable as error:  # the store's; the repository, through which this is asked, has no part in it
                self.trouble = error
                return False
            self.of(user)
            self.refused = count.refused
            self.count = count if count.row else None
        return self.refused is None

    def of(self, user: User) -> None:
        """Note whose it is."""
        self.name, self.key = user.name, f"{user.repository}\0{user.key}"


@dataclass(kw_only=True)
class Identify:
    """Makes a login of an attempt."""

    events: Mapping[str, Event]
    repositories: Mapping[str, Repository]
    methods: Mapping[str, Method[Any]]
    lockout: Lockout
    outages: Outages
    randomness: Callable[[int], bytes]

    def named(self, attempt: Attempt) -> Named:
        """Take apart what was typed as a name."""
        return self.events[attempt.event].named(attempt.name)

    def guess(self, attempt: Attempt, named: Named) -> Guess:
        """Return what counts the password that came with an attempt, while its user is looked for."""
        return Guess(self.lockout, self.events[attempt.event], attempt, named, self._asks_password)

    async def running(self, attempt: Attempt, named: Named, guess: Guess, story: Story) -> Running | Rejected:
        """Find the user and his chain. Unavailable: nobody could tell."""
        event = self.events[attempt.event]
        try:
            found = await self._found(event, attempt, named, guess)
        except AmbiguousUser:
            return await self._nobody(Reason.AMBIGUOUS_USER, named)
        if guess.trouble is not None:
            raise guess.trouble
        if guess.refused:
            story.user(guess.name)
            return Rejected(guess.refused)
        if found is None:
            return await self._nobody(Reason.UNKNOWN_USER, named)
        guess.of(found.user)
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
            proof=found.proof if guess.count else None,  # without our yes it isn't counted, so it isn't believed
            proven=event.test,
            signed_in=event.test,
            discreet=event.decoy,
        )
        return Running(login=login, answer=attempt.answer)

    def decoy(self, attempt: Attempt, named: Named, guess: Guess, story: Story) -> Running:
        """Return a login that asks what a right password leads to, for somebody who isn't let in (ASVS 6.3.8).

        The same attempt again is the same decoy: it is of a user who is made of what was typed, and of nothing else.
        """
        chain = self.events[attempt.event].chains[0]
        typed = attempt.answer.text
        position = self._asks_at(chain)
        nothing = Secret(b"")  # where no password is looked at, it makes no difference
        digest = self.lockout.mark([attempt.event, guess.key or named.key], typed if position and typed else nothing)
        login = Login(
            reference=story.reference,
            nonce=self.randomness(NONCE_OCTETS),
            name=attempt.name,
            user=User(name=digest, repository="", handle=""),
            event=attempt.event,
            endpoint=attempt.endpoint,
            chain=chain,
            caller=attempt.caller,
            discreet=True,
            decoy=True,
        )
        return Running(login=login, position=position)

    def _asks_at(self, chain: Chain) -> int:
        """Return the position of the first method that asks: a password comes with the attempt."""
        return 1 if self.methods[chain.methods[0]].proves == "password" else 0

    async def is_user(self, attempt: Attempt, user: User) -> bool:
        """Say whether an attempt is by this user, under whatever of his names. Unavailable."""
        if attempt.event not in self.events:
            return False
        event, named = self.events[attempt.event], self.named(attempt)
        if named.repository not in ("", user.repository):
            return False
        if named.key == user.key:
            return True
        try:
            repository = self.repositories[user.repository]
            found = await repository.find(named.name, None, without_password, attempt.deadline)
        except AmbiguousUser:
            return False
        return found is not None and user.repository in event.repositories and found.user.key == user.key

    async def _nobody(self, reason: Reason, named: Named) -> Rejected:
        """Count a failure of a name that is nobody's."""
        return Rejected(reason if await self.lockout.count_unknown(named.key) else Reason.LOCKED)

    async def _found(self, event: Event, attempt: Attempt, named: Named, guess: Guess) -> Found | None:
        """Ask the event's repositories, in order; the password is checked on the way where it comes first."""
        password = None if attempt.answer.empty or attempt.perhaps else attempt.answer.text
        for name in [named.repository] if named.repository else event.repositories:
            found = await self.repositories[name].find(named.name, password, guess.admit, attempt.deadline)
            self.outages.up(f"repository {name}")
            if found is not None or guess.refused or guess.trouble:
                return found
        return None

    def _asks_password(self, chains: Sequence[Chain]) -> bool:
        """Say whether whichever of these chains is asked begins with a password that the repository checks."""
        return {self.asks_repository(chain.methods[0]) for chain in self._firsts(chains)} == {True}

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
        return getattr(self.methods.get(method), "unasked", False)

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
