"""Does what the conversation says; alone awaits methods, and writes one record for each transition."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from aad.ahead import Ahead
from aad.claim import Claim
from aad.core import choice
from aad.core.answer import mangled
from aad.core.choice import Choice
from aad.core.conversation import Accepted, Rejected, Running, State, Waiting
from aad.core.grants import Granted, Granter
from aad.core.identity import Attempt
from aad.core.outcome import UNCOUNTED, Outcome, Reason
from aad.identify import Identify
from aad.lockout import Lockout
from aad.outages import Outages
from aad.pending import Pending, owner
from aad.ports import Method, Record, Unavailable
from aad.same import Same
from aad.story import Story

REFERENCE_LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # none that is taken for another
REFERENCE_LENGTH = 6
STRAGGLES = 0.5  # seconds: nobody has read a mail and typed its code sooner


@dataclass(frozen=True)
class Asked:
    """The user has to answer: `ticket` comes back with the answer, good for `seconds`. `values`: as in a Challenge."""

    ticket: bytes
    prompt: str
    seconds: float
    values: Mapping[str, str] = field(default_factory=dict)
    method: str = ""  # which one asks; none: the user has to choose a chain


Reply = Asked | Accepted | Rejected


@dataclass(kw_only=True)
class Engine:
    """One configuration at work. `now` is the store's clock; deadlines are `time.monotonic()` seconds.

    `same` may outlive a configuration: a login begun before a reload and again after it is one login.
    """

    identify: Identify
    methods: Mapping[str, Method[Any]]
    pending: Pending
    lockout: Lockout
    outages: Outages
    record: Record
    now: Callable[[], float]
    randomness: Callable[[int], bytes]
    grant: Granter = lambda _login: Granted()
    same: Same[Reply] = field(default_factory=Same)

    async def begin(self, attempt: Attempt) -> Reply:
        """Begin a login, or join the same one that is at work. Unavailable: nobody could tell."""
        return await self.same.begin(attempt, self._begin)

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
        if attempt.key == waiting.login.key:
            story.user(waiting.login.user.name)
        try:
            reply, failed = await self._walk(waiting.answered(attempt), story, attempt)
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
        named = self.identify.named(attempt)
        event, key, failed = attempt.event, named.key, False
        failures = await self.lockout.count(event, key)
        if not failures:
            return _rejected(story, Rejected(Reason.LOCKED))
        try:
            state: State = await self.identify.running(attempt, named, story)
            if isinstance(state, Running) and state.login.user.key != key:  # another name of the same user
                await self.lockout.take_back(event, key)
                key = state.login.user.key
                failures = await self.lockout.count(event, key)
                if not failures:
                    return _rejected(story, Rejected(Reason.LOCKED))
            if isinstance(state, Running):
                story.user(state.login.user.name)
                state, attempt = await self.identify.read(state, attempt, self._waits)
                await self._not_late(story, event, key)
            reply, failed = await self._walk(state, story, attempt)
        finally:
            if failures and not failed:
                await self.lockout.take_back(event, key)
        if failed and self.lockout.locks(failures):
            story.tell("user.locked", reason=f"{failures} failed logins in a row")
        return reply

    async def _not_late(self, story: Story, event: str, key: str) -> None:
        """Raise Unavailable if the user has logged in since this, the same login begun again at a slow node, began."""
        if time.monotonic() >= story.began + STRAGGLES and await self.lockout.cleared(event, key):
            what = "the user has logged in meanwhile"
            raise Unavailable(what)

    async def _walk(self, state: State, story: Story, attempt: Attempt) -> tuple[Reply, bool]:
        """Run methods until the login is settled; say too whether it became a failed one, by a guess."""
        claim, ahead = self.pending.claim(attempt.deadline), Ahead(self.pending)
        try:
            return await self._walked(state, story, attempt, claim, ahead)
        finally:
            await ahead.end()
            await claim.end()

    async def _walked(
        self, state: State, story: Story, attempt: Attempt, claim: Claim, ahead: Ahead
    ) -> tuple[Reply, bool]:
        failed, code = isinstance(state, Rejected) and state.reason not in UNCOUNTED, attempt.code
        while isinstance(state, Running):
            if code and (kept := await self._waiting(state)):  # the code to a challenge of before came with it
                story.continues(kept[1].login.reference)
                attempt = replace(attempt, answer=code, code=None)
                try:
                    return await self._walk(kept[1].answered(attempt), story, attempt)
                except Unavailable:
                    await self.pending.put_back(*kept)
                    raise
            if served := await self._served(state, claim):
                return _asked(*served, story, self.now(), because="begun again"), failed
            now = self.now()
            await ahead.keep(self._foreseen(state, now))
            outcome = await self._outcome(state, story, attempt.deadline, now)
            if isinstance(outcome, Running):
                state = outcome
                continue
            failed = failed or state.failed_by(outcome)
            unasked = code if self.identify.unasked(state.method) else None
            state = state.after(outcome)
            if isinstance(state, Waiting) and unasked:
                state, code = state.answered(replace(attempt, answer=unasked)), None
        if isinstance(state, Waiting):
            return _asked(await ahead.settle(state), state, story, self.now()), failed
        if isinstance(state, Rejected):
            return _rejected(story, state), failed
        await self.lockout.clear(state.login.event, state.login.user.key)
        self.outages.up("store")
        granted = self.grant(state.login)
        if isinstance(granted, Rejected):
            return _rejected(story, granted), failed
        story.facts(granted.facts)
        story.end("login.accepted")
        return replace(state, granted=granted.attributes), failed

    async def _served(self, running: Running, claim: Claim) -> tuple[bytes, Waiting] | None:
        """Return the challenge that waits already, if a method would begin that would send another one."""
        serving = partial(self.pending.serving, running, self.now)
        return await claim.unless(owner(running.login), serving) if running.begins else None

    def _foreseen(self, running: Running, now: float) -> Waiting | None:
        """Return what the login will wait for, if a method begins that knows it before it has sent anything."""
        foreseen = getattr(self.methods[running.method], "foreseen", None)
        if foreseen is None or not running.begins or running.fork:
            return None
        challenge = foreseen(running.login, now)
        waiting = running.after(challenge) if challenge else None
        return waiting if isinstance(waiting, Waiting) else None

    async def _waiting(self, running: Running) -> tuple[bytes, Waiting] | None:
        """Take the challenge that this login, begun again, answers; None: there is none."""
        if not running.begins:
            return None
        kept = await self.pending.answerable(running, self.now())
        waiting = await self.pending.take(kept[0]) if kept else None
        return (kept[0], waiting) if kept and waiting else None

    async def _waits(self, running: Running) -> bool:
        return await self.pending.answerable(running, self.now()) is not None

    async def _outcome(self, running: Running, story: Story, deadline: float, now: float) -> Outcome[Any] | Running:
        """Let the method work, and write what happened. Running: the user chose another chain."""
        if isinstance(running.memo, Choice) and running.answer is not None:
            return choice.answered(running, running.memo, running.answer, now)
        if running.memo is None and running.fork:
            return choice.ask(running, now)
        method, login = self.methods[running.method], running.login
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

    def _reference(self) -> str:
        octets = self.randomness(REFERENCE_LENGTH)
        return "".join(REFERENCE_LETTERS[octet % len(REFERENCE_LETTERS)] for octet in octets)


def _asked(ticket: bytes, waiting: Waiting, story: Story, now: float, because: str = "") -> Asked:
    challenge = waiting.challenge
    story.continues(waiting.login.reference)
    story.end("challenge.sent", reason=because or challenge.because)
    method = "" if isinstance(challenge.memo, Choice) else waiting.login.chain.methods[waiting.position]
    return Asked(ticket, challenge.prompt, challenge.expires - now, challenge.values, method)


def _rejected(story: Story, rejected: Rejected) -> Rejected:
    story.end("login.rejected", reason=": ".join(filter(None, (rejected.reason, rejected.because))))
    return rejected
