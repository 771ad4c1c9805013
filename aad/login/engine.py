"""The loop that takes a login from state to state, until the user has to answer or the login is settled.

A request begins a login, or brings the answer to a challenge: that makes the first state. `Engine._settle` is the loop,
`Engine._run` calls one method, with the checks before it and the counting after it. `core/conversation.py` says which
state follows which.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from aad.core import chain_choice
from aad.core.answer import Answer, mangled
from aad.core.chain_choice import Choice
from aad.core.conversation import Accepted, Rejected, Running, State, Waiting
from aad.core.grants import Granted, Granter
from aad.core.identity import Attempt, User
from aad.core.outcome import Reason
from aad.login.guess_counting import GuessCounting
from aad.login.guess_rows import GuessRows
from aad.login.identify import Identify
from aad.login.lockout import CountedGuess, Lockout
from aad.login.login_log import LoginLog
from aad.login.method_calls import MethodCalls
from aad.login.outages import Outages
from aad.login.pending import NoRoomError, Pending, TakenLogin, owner
from aad.login.single_flight import SingleFlight
from aad.login.turn import Turn
from aad.login.write_ahead import WriteAhead
from aad.ports import Method, MisbehavedError, Record, Unavailable

REFERENCE_LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # none that is taken for another
REFERENCE_LENGTH = 6
STRAGGLES = 0.5  # seconds: no user reads a mail and types its code faster, so a younger request wasn't overtaken


@dataclass(frozen=True)
class Asked:
    """The user has to answer: `ticket` comes back with the answer, good for `seconds`. `values`: as in a Challenge."""

    ticket: bytes
    prompt: str
    seconds: float
    values: Mapping[str, str] = field(default_factory=dict)
    method: str = ""  # which one asks; none: the user has to choose a chain
    again: bool = field(default=False, compare=False)  # the login was begun before, and gets the same challenge
    late: bool = False  # the reply is delayed as a refusal's is, so that the two can't be told apart
    proven: bool = field(default=False, compare=False)  # a method has succeeded; never said of a `late` one


Reply = Asked | Accepted | Rejected


async def _no_warning(user: User, place: str) -> None:
    """Warn no user."""


@dataclass(kw_only=True)
class Engine:
    """The logins of one configuration. `now` is the store's clock; deadlines are `time.monotonic()` seconds.

    `single_flight` may outlive a configuration: a login begun before a reload and again after it is one login. `warn`
    tells a user that wrong codes came after the right password, and from where. `grant` returns what the client is told
    of the user, and may still reject.
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
    single_flight: SingleFlight[Reply] = field(default_factory=SingleFlight)
    warn: Callable[[User, str], Awaitable[None]] = _no_warning

    def __post_init__(self) -> None:
        """Put together what the loop uses."""
        self._rows = GuessRows(self.methods)
        self._calls = MethodCalls(self.methods)
        self._counting = GuessCounting(
            lockout=self.lockout,
            rows=self._rows,
            calls=self._calls,
            judge_of=self.identify.judge_of,
            warn=self.warn,
        )

    async def begin(self, attempt: Attempt) -> Reply:
        """Begin a login, or join the same one in progress. Unavailable: no verdict was possible."""
        return await self.single_flight.begin(attempt, self._begin)

    async def _begin(self, attempt: Attempt) -> Reply:
        log = LoginLog(self.record, self._reference(), attempt)
        log.write("login.started", caller=attempt.calling_station)
        if mangled(attempt.answer):
            return log.rejected(Rejected(Reason.NAME_MANGLED))
        try:
            async with self._turn(attempt, log) as turn:
                reply = await self._settle(await self._identified(turn), turn)
        except Unavailable as error:
            self._unavailable(log, error)
            raise
        # Password and code in one field: the code answers a challenge that waited already, or one that sends nothing.
        if isinstance(reply, Asked) and (code := self._appended_code(reply, turn)):
            return await self.answer(reply.ticket, replace(turn.attempt, answer=code, appended_code=None))
        return reply

    async def answer(self, ticket: bytes, attempt: Attempt) -> Reply:
        """Go on with a waiting login. Unavailable: no verdict was possible; the login goes on waiting."""
        count, log = self.lockout.guess(attempt.answer), LoginLog(self.record, "", attempt)
        waiting: Waiting | None = None
        try:
            waiting, locked = await self._take(ticket, attempt, count)
            if waiting is None:
                return log.rejected(Rejected(Reason.STATE_UNKNOWN))
            log.set_reference(waiting.login.reference)
            if locked and not waiting.login.discreet:
                return log.rejected(Rejected(count.refused or Reason.LOCKED))
            if locked:  # it must not show: go on as a decoy, which compares nothing; the refused take has left it there
                if await self.pending.take(ticket) is None:
                    return log.rejected(Rejected(Reason.STATE_UNKNOWN))
                waiting = replace(waiting, login=replace(waiting.login, decoy=True))
            async with self._turn(attempt, log) as turn:
                turn.count = count if count.row else None
                if count.name != self._rows.name(waiting):  # the store counted in a row that isn't the signed login's
                    turn.withdraw_guess()
                return await self._settle(await self._answered(ticket, waiting, turn), turn)
        except Unavailable as error:
            self._unavailable(log, error)
            # After a plugin's misbehaviour the login is over: else many codes could be tried.
            if waiting is not None and not isinstance(error, MisbehavedError):
                await self._put_back(ticket, waiting)
            raise

    async def _settle(self, state: State | Asked, turn: Turn) -> Reply:
        """Go from state to state. It ends: a chain is chosen once, the position rises, one decoy follows at most."""
        while True:
            match state:
                case Running():
                    state = await self._run(state, turn)
                case Waiting():
                    state = await self._ask(state, turn)
                case Asked():
                    return state
                case Accepted():
                    return await self._accept(state, turn)
                case Rejected():
                    turn.log.rejected(state)
                    if (instead := await self._decoy(turn)) is None:
                        return state
                    state = instead

    async def _run(self, running: Running, turn: Turn) -> State | Asked:
        """Call the current method: checks before it, counting after it. Unavailable: it could not tell."""
        if self._calls.begins(running) and (instead := await self._reason_not_to_begin(running, turn)):
            return instead
        now = self.now()
        if (chosen := chain_choice.after(running, now)) is not None:  # which chain, the user decides
            return chosen
        try:  # before a message leaves: a node that takes over must find its challenge
            await turn.write_ahead.keep(self._calls.foreseen(running, now))
        except NoRoomError:
            return Rejected(Reason.TOO_MANY_CHALLENGES)
        try:
            if refused := await self._counting.before(running, turn):
                return Rejected(refused)
            outcome = await self._calls.call(running, turn, now)
            await self._counting.after(running, outcome, turn)
        except Unavailable as error:
            if turn.decoy_for is None:
                raise
            # Only a right password gets this far; no reply would give that away, so reject (and show a decoy).
            self.outages.down(error)
            turn.log.facts(error.facts)
            return Rejected(error.what)
        return running.after(outcome)

    async def _reason_not_to_begin(self, running: Running, turn: Turn) -> Rejected | Asked | None:
        """Return what follows if the method must not begin: the user is locked out, or has been asked already."""
        if locked := await self._locked(running, turn):
            return Rejected(locked)
        answerable = turn.attempt.appended_code is not None
        kept_challenge = partial(self.pending.challenge_for, running, self.now, answerable=answerable)
        if kept := await turn.lease.acquire_or(owner(running.login), kept_challenge):
            return self._asked(*kept, turn, because="begun again")
        return None

    async def _locked(self, running: Running, turn: Turn) -> Reason | None:
        """Return why the user is locked out; None: they aren't.

        Unavailable: they have logged in since this request began. So it is a late duplicate, which sends no message.
        """
        kind = self._rows.of_codes(running)
        if kind is None:
            return None
        row = await self.lockout.row(kind, running.login.user)
        if not row.count and row.since > turn.began and time.monotonic() >= turn.log.began + STRAGGLES:
            what = "the user has logged in meanwhile"
            raise Unavailable(what)
        return kind.reason if self.lockout.locked(row) else None

    async def _ask(self, waiting: Waiting, turn: Turn) -> Asked | Rejected:
        """Let the login wait for the user's answer."""
        try:
            ticket = await turn.write_ahead.settle(waiting)
        except NoRoomError:
            return Rejected(Reason.TOO_MANY_CHALLENGES)
        return self._asked(ticket, waiting, turn)

    async def _accept(self, accepted: Accepted, turn: Turn) -> Reply:
        """Let the user in. A right code ends all their rows of failures."""
        login = accepted.login
        proves = {self.methods[name].proves for name in login.chain.methods}
        if proves != {"password"} and not login.signed_in:
            await self.lockout.end(login.user)
            turn.withdrawn.clear()  # the rows are gone: nothing is left to take back
        self.outages.up("store")
        granted = self.grant(login)
        if isinstance(granted, Rejected):
            return turn.log.rejected(granted)
        turn.log.facts(granted.facts)
        turn.log.end("login.accepted")
        return replace(accepted, granted=granted.attributes)

    async def _decoy(self, turn: Turn) -> Running | Asked | None:
        """Return what a refused user is asked all the same, so that the refusal doesn't show; None: nothing."""
        if turn.decoy_for is None:
            return None
        running, turn.decoy_for = self.identify.decoy(turn.attempt, turn.decoy_for, turn.log), None
        await turn.write_ahead.end()
        await turn.lease.end()
        if await self.pending.room_for_decoy(running.login):
            return running
        # No room: ask all the same, under a ticket that is not kept.
        state = running.after(await self._calls.call(running, turn, self.now()))
        return self._asked(self.pending.ticket(), state, turn) if isinstance(state, Waiting) else None

    async def _identified(self, turn: Turn) -> Running | Rejected:
        """Return the first state of a login: who the user is, and which methods come."""
        if await self.pending.full():
            return Rejected(Reason.TOO_MANY_WAITING)
        named = self.identify.named(turn.attempt)
        guess = self.identify.guess(turn.attempt, named)
        try:
            state = await self.identify.running(turn.attempt, named, guess, turn.log)
        finally:
            turn.count = guess.count
        if self.identify.events[turn.attempt.event].decoy:
            turn.decoy_for = named
        if isinstance(state, Running):
            turn.log.user(state.login.user.name)
            state, turn.attempt = await self.identify.split_off_code(state, turn.attempt, self._is_waited_for)
        elif turn.decoy_for:  # password and code are split alike for an unknown user
            decoy = self.identify.decoy(turn.attempt, named, turn.log)
            _, turn.attempt = await self.identify.split_off_code(decoy, turn.attempt, self._is_waited_for)
        return state

    async def _take(self, ticket: bytes, attempt: Attempt, count: CountedGuess) -> TakenLogin:
        """Take what waits under a ticket; the answer is counted as a wrong guess in the same commit."""
        taken = await self.pending.take(ticket, None if attempt.answer.empty else count.in_row)
        if taken is None:
            return TakenLogin(None, refused=False)
        if taken.waiting is None and count.row:  # what was kept there isn't genuine: take the count back
            with suppress(Unavailable):
                await self.lockout.take_back(count)
        return taken

    async def _put_back(self, ticket: bytes, waiting: Waiting) -> None:
        with suppress(NoRoomError):
            await self.pending.put_back(ticket, waiting)

    async def _answered(self, ticket: bytes, waiting: Waiting, turn: Turn) -> Running | Rejected:
        """Return what follows the answer to a challenge, if it is its user's."""
        attempt, login = turn.attempt, waiting.login
        if attempt.key != login.key and await self.identify.is_same(attempt, login):
            attempt = turn.attempt = replace(attempt, name=login.name)
        state = waiting.answered(attempt)
        if isinstance(state, Rejected):  # another user's or client's answer doesn't end this login, and isn't counted
            await self._put_back(ticket, waiting)
        else:
            turn.log.user(login.user.name)
        return state

    async def _is_waited_for(self, running: Running) -> bool:
        return await self.pending.challenge_for(running, self.now, answerable=True) is not None

    def _asked(self, ticket: bytes, waiting: Waiting, turn: Turn, because: str = "") -> Asked:
        login, challenge = waiting.login, waiting.challenge
        asked = Asked(
            ticket,
            challenge.prompt,
            challenge.expires - self.now(),
            challenge.values,
            method="" if isinstance(challenge.memo, Choice) else login.chain.methods[waiting.position],
            again=bool(because),
            late=login.discreet,
            proven=login.proven and not login.discreet,
        )
        turn.log.set_reference(login.reference)
        if not self._appended_code(asked, turn):
            turn.log.end("decoy.sent" if login.decoy else "challenge.sent", reason=because or challenge.because)
        return asked

    def _appended_code(self, asked: Asked, turn: Turn) -> Answer | None:
        """Return the answer to a challenge that came with the password."""
        return turn.attempt.appended_code if asked.again or self.identify.accepts_appended_code(asked.method) else None

    def _turn(self, attempt: Attempt, log: LoginLog) -> Turn:
        lease = self.pending.lease(attempt.deadline)
        return Turn(attempt, log, self.lockout, lease, WriteAhead(self.pending), self.now())

    def _unavailable(self, log: LoginLog, error: Unavailable) -> None:
        self.outages.down(error)
        log.facts(error.facts)
        log.end("login.unavailable", reason=error.what)

    def _reference(self) -> str:
        octets = self.randomness(REFERENCE_LENGTH)
        return "".join(REFERENCE_LETTERS[octet % len(REFERENCE_LETTERS)] for octet in octets)
