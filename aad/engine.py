"""Does what the conversation says; alone awaits methods, and writes one record for each transition."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aad.core.answer import mangled
from aad.core.conversation import Accepted, Login, Rejected, Running, State, Waiting
from aad.core.identity import Attempt, User
from aad.core.outcome import UNCOUNTED, Outcome, Reason
from aad.core.policy import Event
from aad.lockout import Lockout
from aad.outages import Outages
from aad.pending import Pending
from aad.ports import AmbiguousUser, Found, Method, Record, Repository, Unavailable
from aad.story import Story

REFERENCE_LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # none that is taken for another
REFERENCE_LENGTH = 6
NONCE_OCTETS = 16


@dataclass(frozen=True)
class Asked:
    """The user has to answer: `ticket` comes back with the answer, good for `seconds`. `values`: as in a Challenge."""

    ticket: bytes
    prompt: str
    seconds: float
    values: Mapping[str, str] = field(default_factory=dict)


Reply = Asked | Accepted | Rejected
AtWork = dict[tuple[str, ...], asyncio.Future[Reply]]
"""The logins that are begun now, by what would make another one the same."""


@dataclass(kw_only=True)
class Engine:
    """One configuration at work. `now` is the store's clock; deadlines are `time.monotonic()` seconds.

    `at_work` may outlive a configuration: a login begun before a reload and again after it is one login.
    """

    events: Mapping[str, Event]
    repositories: Mapping[str, Repository]
    methods: Mapping[str, Method[Any]]
    pending: Pending
    lockout: Lockout
    outages: Outages
    record: Record
    now: Callable[[], float]
    randomness: Callable[[int], bytes]
    at_work: AtWork = field(default_factory=dict)

    async def begin(self, attempt: Attempt) -> Reply:
        """Begin a login. Unavailable: nobody could tell.

        Who begins the same login again while it is at work gets the same reply: one bind, one mail.
        """
        key = _same(attempt)
        if key in self.at_work:
            return await asyncio.shield(self.at_work[key])
        same: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self.at_work[key] = same
        try:
            reply = await self._begin(attempt)
        except BaseException as error:
            same.set_exception(error if isinstance(error, Unavailable) else Unavailable("see the record before"))
            same.exception()  # maybe nobody else waits for it
            raise
        finally:
            del self.at_work[key]
        same.set_result(reply)
        return reply

    async def answer(self, ticket: bytes, attempt: Attempt) -> Reply:
        """Go on with a waiting login. Unavailable: nobody could tell; the login goes on waiting."""
        try:
            waiting = await self.pending.take(ticket)
        except Unavailable as error:
            self._unavailable(Story(self.record, "", attempt), error)
            raise
        if waiting is None:
            return _rejected(Story(self.record, "", attempt), Rejected(Reason.STATE_UNKNOWN))
        story = Story(self.record, waiting.login.reference, attempt)
        try:
            reply, failed = await self._walk(waiting.answered(attempt), story, attempt.deadline)
            if failed:
                await self._failed(story, attempt.event, waiting.login.user.key)
        except Unavailable as error:
            self._unavailable(story, error)
            await self.pending.put_back(ticket, waiting)
            raise
        return reply

    async def _begin(self, attempt: Attempt) -> Reply:
        story = Story(self.record, self._reference(), attempt)
        story.tell("login.started", caller=attempt.caller)
        if mangled(attempt.answer):
            return _rejected(story, Rejected(Reason.NAME_MANGLED))
        try:
            return await self._counted(attempt, story)
        except Unavailable as error:
            self._unavailable(story, error)
            raise

    async def _counted(self, attempt: Attempt, story: Story) -> Reply:
        """Walk a new login, with a failure counted before, and taken back unless it was one."""
        if await self.pending.full():
            return _rejected(story, Rejected(Reason.TOO_MANY_WAITING))
        event, key, failed = attempt.event, attempt.key, False
        failures = await self.lockout.count(event, key)
        if not failures:
            return _rejected(story, Rejected(Reason.LOCKED))
        try:
            state = await self._identified(attempt, story)
            if isinstance(state, Running) and state.login.user.key != key:  # another name of the same user
                await self.lockout.take_back(event, key)
                key = state.login.user.key
                failures = await self.lockout.count(event, key)
                if not failures:
                    return _rejected(story, Rejected(Reason.LOCKED))
            reply, failed = await self._walk(state, story, attempt.deadline)
        finally:
            if failures and not failed:
                await self.lockout.take_back(event, key)
        if failed and self.lockout.locks(failures):
            story.tell("user.locked", reason=f"{failures} failed logins in a row")
        return reply

    async def _identified(self, attempt: Attempt, story: Story) -> Running | Rejected:
        """Find out who asks, and which chain is asked of him."""
        event = self.events[attempt.event]
        try:
            found = await self._found(event, attempt)
        except AmbiguousUser:
            return Rejected(Reason.AMBIGUOUS_USER)
        if found is None:
            return Rejected(Reason.UNKNOWN_USER)
        story.facts(found.facts)
        chain = event.chain_for(found.user)
        if chain is None:
            return Rejected(Reason.NO_CHAIN)
        login = Login(
            reference=story.reference,
            nonce=self.randomness(NONCE_OCTETS),
            name=attempt.name,
            user=found.user,
            event=attempt.event,
            endpoint=attempt.endpoint,
            chain=chain,
            caller=attempt.caller,
            proof=found.proof,
        )
        return Running(login=login, answer=attempt.answer)

    async def _found(self, event: Event, attempt: Attempt) -> Found | None:
        """Ask the event's repositories, in order; the password is checked on the way where it comes first."""
        password = None if attempt.answer.empty else attempt.answer.text

        def admit(user: User) -> bool:
            # Under another name the failure isn't counted yet, so there is no bind yet.
            chain = event.chain_for(user)
            return user.key == attempt.key and chain is not None and self._proves(chain.methods[0]) == "password"

        for name in event.repositories:
            found = await self.repositories[name].find(attempt.name, password, admit, attempt.deadline)
            self.outages.up(f"repository {name}")
            if found is not None:
                return found
        return None

    async def _walk(self, state: State, story: Story, deadline: float) -> tuple[Reply, bool]:
        """Run methods until the login is settled; say too whether it became a failed one, by a guess."""
        failed = isinstance(state, Rejected) and state.reason not in UNCOUNTED
        while isinstance(state, Running):
            if served := await self._served(state):
                return _asked(*served, story, self.now(), because="begun again"), failed
            outcome = await self._outcome(state, story, deadline)
            failed = failed or state.failed_by(outcome)
            state = state.after(outcome)
        if isinstance(state, Waiting):
            return _asked(await self.pending.keep(state), state, story, self.now()), failed
        if isinstance(state, Rejected):
            return _rejected(story, state), failed
        await self.lockout.clear(state.login.event, state.login.user.key)
        self.outages.up("store")
        story.end("login.accepted")
        return state, failed

    async def _served(self, running: Running) -> tuple[bytes, Waiting] | None:
        """Return the challenge that waits already, if a method would begin that would send another one."""
        begins = running.memo is None and (running.answer is None or running.answer.empty)
        return await self.pending.serving(running, self.now()) if begins else None

    async def _outcome(self, running: Running, story: Story, deadline: float) -> Outcome[Any]:
        """Let the method work, and write what happened."""
        method, login, now = self.methods[running.method], running.login, self.now()
        began = time.monotonic() if login.proof is None else story.began  # it was asked on the way
        if running.memo is None or running.answer is None:
            outcome = await method.begin(login, running.answer, now, deadline)
        else:
            outcome = await method.verify(login, running.memo, running.answer, now, deadline)
        story.outcome(method.proves, outcome, answered=running.answer is not None, began=began)
        return outcome

    async def _failed(self, story: Story, event: str, key: str) -> None:
        """Count a failed login whose first step went well."""
        if self.lockout.locks(failures := await self.lockout.count(event, key)):
            story.tell("user.locked", reason=f"{failures} failed logins in a row")

    def _unavailable(self, story: Story, error: Unavailable) -> None:
        self.outages.down(error)
        story.facts(error.facts)
        story.end("login.unavailable", reason=error.what)

    def _proves(self, method: str) -> str:
        return self.methods[method].proves

    def _reference(self) -> str:
        octets = self.randomness(REFERENCE_LENGTH)
        return "".join(REFERENCE_LETTERS[octet % len(REFERENCE_LETTERS)] for octet in octets)


def _same(attempt: Attempt) -> tuple[str, ...]:
    """Return what two attempts have in common that are one login begun twice. The password isn't kept, a digest is."""
    typed = attempt.answer.text
    digest = hashlib.sha256(typed.reveal()).hexdigest() if typed is not None else str(id(attempt))
    return (attempt.event, attempt.endpoint, attempt.name, digest)


def _asked(ticket: bytes, waiting: Waiting, story: Story, now: float, because: str = "") -> Asked:
    challenge = waiting.challenge
    story.continues(waiting.login.reference)
    story.end("challenge.sent", reason=because or challenge.because)
    return Asked(ticket, challenge.prompt, challenge.expires - now, challenge.values)


def _rejected(story: Story, rejected: Rejected) -> Rejected:
    story.end("login.rejected", reason=rejected.reason)
    return rejected
