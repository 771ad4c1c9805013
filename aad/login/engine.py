"""Does what the conversation says; alone awaits methods, and writes one record for each transition."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from aad.core import chain_choice
from aad.core.answer import Answer, mangled
from aad.core.asker import ASKER
from aad.core.chain_choice import Choice
from aad.core.conversation import Accepted, Rejected, Running, State, Waiting
from aad.core.grants import Granted, Granter
from aad.core.identity import Attempt, User
from aad.core.outcome import Failure, Outcome, Reason, guessed
from aad.core.row import Kind
from aad.core.turns import Source
from aad.core.user_address import written
from aad.login.identify import Identify
from aad.login.lease import Lease
from aad.login.lockout import Count, Lockout
from aad.login.login_log import LoginLog
from aad.login.outages import Outages
from aad.login.pending import NoRoomError, Pending, owner
from aad.login.single_flight import SingleFlight
from aad.login.write_ahead import WriteAhead
from aad.ports import Method, MisbehavedError, Record, Unavailable

REFERENCE_LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # none that is taken for another
REFERENCE_LENGTH = 6
DISCREET = 0.5  # seconds that a discreet login waits for its message; what becomes of it later is in the log
STRAGGLES = 0.5  # seconds: nobody has read a mail and typed its code sooner


@dataclass(frozen=True)
class Asked:
    """The user has to answer: `ticket` comes back with the answer, good for `seconds`. `values`: as in a Challenge."""

    ticket: bytes
    prompt: str
    seconds: float
    values: Mapping[str, str] = field(default_factory=dict)
    method: str = ""  # which one asks; none: the user has to choose a chain
    again: bool = field(default=False, compare=False)  # the login was begun before, and gets the challenge of then
    late: bool = False  # it leaves as late as a refusal, so that nobody can tell the one from the other
    proven: bool = field(default=False, compare=False)  # a method has succeeded; never said of a `late` one


Reply = Asked | Accepted | Rejected


async def _nobody_is_warned(user: User, place: str) -> None:
    """Tell nobody."""


@dataclass
class Turn:
    """One request at work. `began`: the store's clock; `count`: the answer, counted as a guess when it was taken.

    `right`: guesses that were counted and turned out to be none. `decoy`: what is asked if the user isn't let in.
    """

    attempt: Attempt
    story: LoginLog
    claim: Lease
    ahead: WriteAhead
    began: float
    count: Count | None = None
    right: list[Count] = field(default_factory=list)
    decoy: Callable[[], Running] | None = None

    def drop(self) -> None:
        """Count the answer no longer as a guess: it was right, or could not be compared."""
        if self.count:
            self.right.append(self.count)
            self.count = None


@dataclass(kw_only=True)
class Engine:
    """One configuration at work. `now` is the store's clock; deadlines are `time.monotonic()` seconds.

    `same` may outlive a configuration: a login begun before a reload and again after it is one login. `warn` tells a
    user that wrong codes came after the right password, and from where.
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
    same: SingleFlight[Reply] = field(default_factory=SingleFlight)
    warn: Callable[[User, str], Awaitable[None]] = _nobody_is_warned

    async def begin(self, attempt: Attempt) -> Reply:
        """Begin a login, or join the same one that is at work. Unavailable: nobody could tell."""
        return await self.same.begin(attempt, self._begin)

    async def answer(self, ticket: bytes, attempt: Attempt) -> Reply:
        """Go on with a waiting login. Unavailable: nobody could tell; the login goes on waiting."""
        count, story = self.lockout.guess(attempt.answer), LoginLog(self.record, "", attempt)
        try:
            taken = await self.pending.take(ticket, None if attempt.answer.empty else count.in_row)
        except Unavailable as error:
            self._unavailable(story, error)
            raise
        waiting, refused = taken or (None, False)
        if waiting is None:
            if taken and count.row:  # something waited there, which we don't believe: nobody has guessed
                with suppress(Unavailable):
                    await self.lockout.take_back(count)
            return _rejected(story, Rejected(Reason.STATE_UNKNOWN))
        story.continues(waiting.login.reference)
        if refused and not waiting.login.discreet:
            return _rejected(story, Rejected(count.refused or Reason.LOCKED))
        try:
            if refused:  # the same as before to its user, but for that nothing is compared
                if await self.pending.take(ticket) is None:
                    return _rejected(story, Rejected(Reason.STATE_UNKNOWN))
                waiting = replace(waiting, login=replace(waiting.login, decoy=True))
            async with self._turn(attempt, story) as turn:
                turn.count = count if count.row else None
                if count.name != self.pending.row(waiting):  # the store names another row than the signed login does
                    turn.drop()
                return await self._answered(ticket, waiting, turn)
        except Unavailable as error:
            self._unavailable(story, error)
            if not isinstance(error, MisbehavedError):  # else it could be asked about one code after the other
                with suppress(NoRoomError):
                    await self.pending.put_back(ticket, waiting)
            raise

    async def _answered(self, ticket: bytes, waiting: Waiting, turn: Turn) -> Reply:
        attempt, login = turn.attempt, waiting.login
        if attempt.key != login.key and await self.identify.is_same(attempt, login):
            attempt = turn.attempt = replace(attempt, name=login.name)
        state = waiting.answered(attempt)
        if isinstance(state, Rejected):  # a stray answer ends nothing, and is no guess of the user's
            with suppress(NoRoomError):
                await self.pending.put_back(ticket, waiting)
            return _rejected(turn.story, state)
        turn.story.user(login.user.name)
        return await self._settled(state, turn)

    async def _begin(self, attempt: Attempt) -> Reply:
        story = LoginLog(self.record, self._reference(), attempt)
        story.tell("login.started", caller=attempt.calling_station)
        if mangled(attempt.answer):
            return _rejected(story, Rejected(Reason.NAME_MANGLED))
        try:
            async with self._turn(attempt, story) as turn:
                reply = await self._first(turn)
        except Unavailable as error:
            self._unavailable(story, error)
            raise
        # Password and code in one field: the code answers what was asked before, or what needs nothing sent.
        if isinstance(reply, Asked) and (code := self._follows(reply, turn)):
            return await self.answer(reply.ticket, replace(turn.attempt, answer=code, appended_code=None))
        return reply

    async def _first(self, turn: Turn) -> Reply:
        """Find the user, and let his first methods work."""
        if await self.pending.full():
            return _rejected(turn.story, Rejected(Reason.TOO_MANY_WAITING))
        named = self.identify.named(turn.attempt)
        guess = self.identify.guess(turn.attempt, named)
        try:
            state: State = await self.identify.running(turn.attempt, named, guess, turn.story)
        finally:
            turn.count = guess.count
        if self.identify.events[turn.attempt.event].decoy:
            turn.decoy = lambda: self.identify.decoy(turn.attempt, named, turn.story)
        if isinstance(state, Running):
            turn.story.user(state.login.user.name)
            state, turn.attempt = await self.identify.read(state, turn.attempt, self._waits)
        elif turn.decoy:  # where the code begins must not depend on who the user is
            _, turn.attempt = await self.identify.read(turn.decoy(), turn.attempt, self._waits)
        return await self._settled(state, turn)

    @asynccontextmanager
    async def _turn(self, attempt: Attempt, story: LoginLog) -> AsyncIterator[Turn]:
        ASKER.set(Source(attempt.client, attempt.counted))
        turn = Turn(attempt, story, self.pending.claim(attempt.deadline), WriteAhead(self.pending), self.now())
        try:
            try:
                yield turn
            except Exception:
                turn.drop()
                raise
            turn.drop()
        finally:
            for count in turn.right:
                with suppress(Unavailable):  # then it is taken back before the next one counts
                    await self.lockout.take_back(count)
            await turn.ahead.end()
            await turn.claim.end()

    async def _settled(self, state: State, turn: Turn) -> Reply:
        """Run methods until the user has to answer, or the login is settled."""
        try:
            while isinstance(state, Running):
                if refused := await self._locked(state, turn):
                    state = Rejected(refused)
                    break
                if served := await self._served(state, turn):
                    return self._asked(*served, turn, because="begun again")
                state = await self._step(state, turn)
            if isinstance(state, Waiting):
                return self._asked(await turn.ahead.settle(state), state, turn)
        except NoRoomError:
            state = Rejected(Reason.TOO_MANY_CHALLENGES)
        if isinstance(state, Rejected):
            return await self._refused(state, turn)
        return await self._accepted(state, turn)

    async def _refused(self, rejected: Rejected, turn: Turn) -> Reply:
        """Refuse; where the event says so by asking for a code that nothing answers."""
        _rejected(turn.story, rejected)
        if turn.decoy is None:
            return rejected
        running, turn.decoy = turn.decoy(), None
        await turn.ahead.end()
        await turn.claim.end()
        if await self.pending.room_for_decoy(running.login):
            return await self._settled(running, turn)
        state = running.after(await self._outcome(running, turn, self.now()))
        return self._asked(self.pending.ticket(), state, turn) if isinstance(state, Waiting) else rejected

    async def _step(self, running: Running, turn: Turn) -> State:
        """Let one method work."""
        now = self.now()
        await turn.ahead.keep(self._foreseen(running, now))
        if isinstance(running.memo, Choice) and running.answer is not None:
            chosen = chain_choice.answered(running, running.memo, running.answer, now)
            return chosen if isinstance(chosen, Running) else running.after(chosen)
        if running.memo is None and running.choices:
            return running.after(chain_choice.ask(running, now))
        try:
            return running.after(await self._judged(running, turn, now))
        except Unavailable as error:
            if turn.decoy is None:
                raise
            # Only who gave a right password gets as far as this: silence would tell.
            self.outages.down(error)
            turn.story.facts(error.facts)
            return Rejected(error.what)

    async def _judged(self, running: Running, turn: Turn, now: float) -> Outcome[Any]:
        """Let the method work; what the user gave is counted before as a wrong guess, and taken back if it was none."""
        if turn.count is None and (refused := await self._count(running, turn)):
            return Failure(refused)
        outcome = await self._outcome(running, turn, now)
        if (count := turn.count) and guessed(outcome):
            turn.count = None
            if count.locks:
                turn.story.locked(count.kind, count.failures)
                if count.kind is Kind.CODES:
                    with suppress(Unavailable):  # it is in the log
                        await self.warn(running.login.user, written(turn.attempt.user_address))
            count.by = self.identify.compares(running.method)  # of an answer it wasn't known before
            await self.lockout.wrong(count)
        elif count and running.position + 1 < len(running.login.chain.methods):
            turn.count = None  # what comes may take long; others of the same user shouldn't wait for it
            await self.lockout.take_back(count)
        turn.drop()
        return outcome

    async def _count(self, running: Running, turn: Turn) -> Reason | None:
        """Count what the user gave, if it is a guess; return why it must not be compared."""
        answer = None if self._begins(running) else running.answer
        if answer is None or answer.empty or not (row := self.pending.row(running)):
            return None
        count = await self.lockout.count(row, answer, self.identify.compares(running.method))
        turn.count = None if count.refused else count
        return count.refused

    async def _accepted(self, accepted: Accepted, turn: Turn) -> Reply:
        """Let the user in. Who has given a right code has no failures behind him any more."""
        login = accepted.login
        proves = {self.methods[name].proves for name in login.chain.methods}
        if proves != {"password"} and not login.signed_in:
            await self.lockout.end(login.user)
            turn.right.clear()
        self.outages.up("store")
        granted = self.grant(login)
        if isinstance(granted, Rejected):
            return _rejected(turn.story, granted)
        turn.story.facts(granted.facts)
        turn.story.end("login.accepted")
        return replace(accepted, granted=granted.attributes)

    async def _locked(self, running: Running, turn: Turn) -> Reason | None:
        """Say why no code may be asked of this user now. Unavailable: he has logged in since this request began.

        That is the same login begun again at a slow node: it sends no second message.
        """
        kind = self.pending.asks(running) if self._begins(running) else None
        if kind is None:
            return None
        row = await self.lockout.row(kind, running.login.user)
        if not row.count and row.since > turn.began and time.monotonic() >= turn.story.began + STRAGGLES:
            what = "the user has logged in meanwhile"
            raise Unavailable(what)
        return kind.reason if self.lockout.locked(row) else None

    async def _served(self, running: Running, turn: Turn) -> tuple[bytes, Waiting] | None:
        """Return the challenge that waits already, if a method would begin that would send another one."""
        serving = partial(self.pending.serving, running, self.now, answerable=turn.attempt.appended_code is not None)
        return await turn.claim.unless(owner(running.login), serving) if self._begins(running) else None

    def _begins(self, running: Running) -> bool:
        """Say whether a method begins: nothing came that it could check. One that sends a message never looks."""
        return running.needs_no_answer or (running.memo is None and self._foresees(running.method) is not None)

    def _foresees(self, method: str) -> Callable[..., Any] | None:
        found: Callable[..., Any] | None = getattr(self.methods[method], "foreseen", None)
        return found

    def _foreseen(self, running: Running, now: float) -> Waiting | None:
        """Return what the login will wait for, if a method begins that knows it before it has sent anything."""
        foreseen = self._foresees(running.method)
        if foreseen is None or running.memo is not None or running.choices:
            return None
        challenge = foreseen(running.login, now)
        waiting = running.after(challenge) if challenge else None
        return waiting if isinstance(waiting, Waiting) else None

    async def _waits(self, running: Running) -> bool:
        return await self.pending.serving(running, self.now, answerable=True) is not None

    async def _outcome(self, running: Running, turn: Turn, now: float) -> Outcome[Any]:
        """Let the method work, and write what happened."""
        method, login, deadline = self.methods[running.method], running.login, turn.attempt.deadline
        if login.discreet and self._foresees(running.method) is not None:
            deadline = min(deadline, time.monotonic() + DISCREET)
        began = time.monotonic() if login.proof is None else turn.story.began  # it was asked on the way
        if running.memo is None or running.answer is None:
            outcome = await method.begin(login, running.answer, now, deadline)
        else:
            outcome = await method.verify(login, running.memo, running.answer, now, deadline)
        turn.story.outcome(method.proves, outcome, answered=running.answer is not None, began=began)
        return outcome

    def _asked(self, ticket: bytes, waiting: Waiting, turn: Turn, because: str = "") -> Asked:
        challenge = waiting.challenge
        method = "" if isinstance(challenge.memo, Choice) else waiting.login.chain.methods[waiting.position]
        left = challenge.expires - self.now()
        login = waiting.login
        proven = login.proven and not login.discreet
        asked = Asked(ticket, challenge.prompt, left, challenge.values, method, bool(because), login.discreet, proven)
        turn.story.continues(waiting.login.reference)
        if not self._follows(asked, turn):
            name = "decoy.sent" if login.decoy else "challenge.sent"
            turn.story.end(name, reason=because or challenge.because)
        return asked

    def _follows(self, asked: Asked, turn: Turn) -> Answer | None:
        """Return the answer to a challenge that came with the password."""
        return turn.attempt.appended_code if asked.again or self.identify.unasked(asked.method) else None

    def _unavailable(self, story: LoginLog, error: Unavailable) -> None:
        self.outages.down(error)
        story.facts(error.facts)
        story.end("login.unavailable", reason=error.what)

    def _reference(self) -> str:
        octets = self.randomness(REFERENCE_LENGTH)
        return "".join(REFERENCE_LETTERS[octet % len(REFERENCE_LETTERS)] for octet in octets)


def _rejected(story: LoginLog, rejected: Rejected) -> Rejected:
    story.end("login.rejected", reason=": ".join(filter(None, (rejected.reason, rejected.because))))
    return rejected
