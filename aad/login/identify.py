"""Finds the user of an attempt, and the chain that is asked of them: by the event's repositories and its policy."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

from aad.core.conversation import Login, Rejected, Running
from aad.core.identity import Attempt, Bar, Named, User
from aad.core.outcome import Reason
from aad.core.policy import Chain, Event
from aad.core.secret import Secret
from aad.login.guess_counting import PasswordGuess
from aad.login.lockout import Lockout
from aad.login.login_log import LoginLog
from aad.login.outages import Outages
from aad.ports import (
    AmbiguousUserError,
    Enrollable,
    Found,
    Method,
    Pretends,
    Repository,
    accepts_appended_code,
    asks_repository,
    without_password,
)

NONCE_OCTETS = 16
Waits = Callable[[Running], Awaitable[bool]]


@dataclass(kw_only=True)
class Identify:
    """Makes a login of an attempt."""

    events: Mapping[str, Event]
    repositories: Mapping[str, Repository]
    methods: Mapping[str, Method[Any]]
    lockout: Lockout
    outages: Outages
    randomness: Callable[[int], bytes]

    # Abilities are looked up once: to hold an object against a Protocol takes ten microseconds, each time.

    @cached_property
    def _enrollable(self) -> Mapping[str, Enrollable]:
        return enrollable(self.methods)

    @cached_property
    def _ask_repository(self) -> frozenset[str]:
        return frozenset(name for name, method in self.methods.items() if asks_repository(method))

    @cached_property
    def _accept_appended_code(self) -> frozenset[str]:
        return frozenset(name for name, method in self.methods.items() if accepts_appended_code(method))

    @cached_property
    def _pretend(self) -> Mapping[str, Pretends]:
        return {name: each for name, each in self.repositories.items() if isinstance(each, Pretends)}

    def named(self, attempt: Attempt) -> Named:
        """Take apart what was typed as a name."""
        return self.events[attempt.event].named(attempt.name)

    def guess(self, attempt: Attempt, named: Named) -> PasswordGuess:
        """Return what counts the password that came with an attempt while its user is looked up."""
        event = self.events[attempt.event]
        return PasswordGuess(self.lockout, event, attempt, named, partial(self._asks_password, choose=event.choose))

    async def running(self, attempt: Attempt, named: Named, guess: PasswordGuess, log: LoginLog) -> Running | Rejected:
        """Find the user and their chain. Unavailable: a repository or the store could not tell."""
        event = self.events[attempt.event]
        try:
            found = await self._found(event, attempt, named, guess)
        except AmbiguousUserError:
            return await self._unknown(Reason.AMBIGUOUS_USER, named)
        if guess.trouble is not None:
            raise guess.trouble
        if guess.refused:
            log.user(guess.name)
            return Rejected(guess.refused)
        if found is None:
            return await self._unknown(Reason.UNKNOWN_USER, named)
        log.facts(found.facts)
        chains = event.chains_for(found.user, attempt, named.chain)
        if not chains:
            misfits = event.misfits(found.user, attempt, named.chain)
            return Rejected(Reason.NO_CHAIN, "; ".join(f"{chain.name} {reason}" for chain, reason in misfits))
        chains = await asked_of(self._enrollable, found.user, chains, choose=event.choose)
        chains = open_to(found.user, chains, self.asks_repository)
        if found.user.barred and not chains:
            return Rejected(found.user.barred.reason, found.user.barred.because)
        login = Login(
            reference=log.reference,
            nonce=self.randomness(NONCE_OCTETS),
            name=attempt.name,
            user=found.user,
            event=attempt.event,
            client=attempt.client,
            chain=chains[0],
            calling_station=attempt.calling_station,
            others=chains[1:],
            proof=found.proof if guess.count else None,  # uncounted, it isn't believed
            proven=event.test,
            signed_in=event.test,
            discreet=event.decoy,
            mark=self._mark(attempt, named) if event.decoy else "",
        )
        return Running(login=login, answer=attempt.answer)

    def decoy(self, attempt: Attempt, named: Named, log: LoginLog) -> Running:
        """Return a login that asks what a right password leads to, for a user who isn't let in (ASVS 6.3.8)."""
        chain = self.events[attempt.event].chains[0]
        mark = self._mark(attempt, named)
        login = Login(
            reference=log.reference,
            nonce=self.randomness(NONCE_OCTETS),
            name=attempt.name,
            user=User(name=mark, repository="", handle=""),
            event=attempt.event,
            client=attempt.client,
            chain=chain,
            calling_station=attempt.calling_station,
            discreet=True,
            decoy=True,
            mark=mark,
        )
        return Running(login=login, position=self._asks_at(chain))

    def _mark(self, attempt: Attempt, named: Named) -> str:
        """Return what the same attempt has again, and no other: made of what was typed, not of what is known."""
        password = attempt.answer.text if self._asks_at(self.events[attempt.event].chains[0]) else None
        # A password that nothing looks at makes no difference.
        return self.lockout.mark([attempt.event, named.repository, named.key], password or Secret(b""))

    def _asks_at(self, chain: Chain) -> int:
        """Return the position of the first method that asks: a password comes with the attempt."""
        return 1 if self.methods[chain.methods[0]].proves == "password" else 0

    async def is_same(self, attempt: Attempt, login: Login) -> bool:
        """Say whether an attempt is by the user who began a login. Unavailable.

        For a discreet one the directory isn't asked: that two names are one user's would tell it from a decoy.
        """
        if attempt.event not in self.events:
            return False
        if not login.discreet:
            return await self.is_user(attempt, login.user)
        one, other = self.named(attempt), self.named(replace(attempt, name=login.name))
        return (one.repository, one.key) == (other.repository, other.key)

    async def is_user(self, attempt: Attempt, user: User) -> bool:
        """Say whether an attempt is by this user, under any of their names. Unavailable."""
        if attempt.event not in self.events:
            return False
        event, named = self.events[attempt.event], self.named(attempt)
        repository = self.repositories.get(user.repository)  # None: a reload has taken it away
        if repository is None or named.repository not in ("", user.repository):
            return False
        if named.key == user.key:
            return True
        try:
            found = await repository.find(named.name, None, without_password, attempt.deadline)
        except AmbiguousUserError:
            return False
        return found is not None and user.repository in event.repositories and found.user.key == user.key

    async def _unknown(self, reason: Reason, named: Named) -> Rejected:
        """Count a failure of a name that is no one user's."""
        return Rejected(reason if await self.lockout.count_unknown(named.key) else Reason.LOCKED)

    async def _found(self, event: Event, attempt: Attempt, named: Named, guess: PasswordGuess) -> Found | None:
        """Ask the event's repositories, in order; the password is checked on the way where it comes first."""
        password = None if attempt.answer.empty or attempt.maybe_split else attempt.answer.text
        for name in [named.repository] if named.repository else event.repositories:
            repository = self.repositories[name]
            found = await repository.find(named.name, password, guess.admit, attempt.deadline)
            self.outages.up(f"repository {name}")
            if found and password and guess.refused and name in self._pretend:
                # Where many wait for their turns, a refusal that needs none would tell which users exist.
                await self._pretend[name].pretend(found.user, attempt.deadline)
            if found is not None or guess.refused or guess.trouble:
                return found
        return None

    def _asks_password(self, chains: Sequence[Chain], *, choose: bool) -> bool:
        """Say whether any of these chains that may be asked begins with a password that the repository checks.

        With `choose` any of them may be, and where they begin differently the user is asked before any password is.
        """
        begins = {chain.methods[0] for chain in (chains if choose else self._firsts(chains))}
        return set(map(self.asks_repository, begins)) == {True} and not (choose and len(begins) > 1)

    def _firsts(self, fits: Sequence[Chain]) -> Sequence[Chain]:
        """Return the chains that may turn out to be the one asked: up to one that needs no enrolment."""
        for number, chain in enumerate(fits):
            if not any(method in self._enrollable for method in chain.methods):
                return fits[: number + 1]
        return fits

    def judge_of(self, method: str) -> str:
        """Return which method calls a password wrong; empty: the user's repository does."""
        return "" if self.asks_repository(method) else method

    def asks_repository(self, method: str) -> bool:
        """Say whether a method is a password that the user's repository checks."""
        return method in self._ask_repository

    def shuts_out(self, event: str, user: User) -> Bar | None:
        """Return what ends the session of a user who has logged in for `event`: their account is barred by now.

        An unknown state ends none where each chain of the event asks the repository for the password: it decided then.
        """
        bar, chains = user.barred, self.events[event].chains
        if bar and bar.reason == Reason.ACCOUNT_UNKNOWN and open_to(user, chains, self.asks_repository) == chains:
            return None
        return bar

    def accepts_appended_code(self, method: str) -> bool:
        """Say whether a method takes a code that came with the password, before it asked for any."""
        return method in self._accept_appended_code

    async def split_off_code(self, running: Running, attempt: Attempt, waits: Waits) -> tuple[Running, Attempt]:
        """Decide whether a code stands behind the password, where only its length tells.

        It does if a challenge waits for one, or the next method takes one unasked.
        """
        if attempt.maybe_split is None:
            return running, attempt
        password, code = attempt.maybe_split
        methods = running.login.chain.methods
        apart = replace(attempt, answer=password, appended_code=code, maybe_split=None)
        login = running.login
        if login.mark:
            login = replace(login, mark=self._mark(apart, self.named(apart)))
        if len(methods) > 1 and (
            self.accepts_appended_code(methods[1]) or await waits(Running(login=login, position=1))
        ):
            return replace(running, login=login, answer=password), apart
        return running, replace(attempt, maybe_split=None)


def enrollable(methods: Mapping[str, Any]) -> Mapping[str, Enrollable]:
    """Return those of the methods that users are enrolled for."""
    return {name: method for name, method in methods.items() if isinstance(method, Enrollable)}


async def asked_of(
    methods: Mapping[str, Enrollable], user: User, fits: Sequence[Chain], *, choose: bool
) -> tuple[Chain, ...]:
    """Return the chain that is asked, and with `choose` the others too. Unavailable: a method could not tell.

    A chain with a method that the user isn't enrolled for gives way to those behind it; if they could pass none, the
    first is asked, and refuses them when it comes to that method.
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


async def not_ready(methods: Mapping[str, Enrollable], user: User, chain: Chain) -> str:
    """Return the first method of a chain that the user isn't enrolled for, or "". Unavailable."""
    for name in chain.methods:
        if name in methods and not await methods[name].ready(user):
            return name
    return ""
