"""A login for a website or a page: attempt -> engine -> reply, a rejection delayed as RADIUS delays it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from aad.core import rejection
from aad.core.answer import Plain
from aad.core.conversation import Accepted, Rejected
from aad.core.identity import Attempt, odd, presentable
from aad.core.penalties import Failed
from aad.core.secret import Secret
from aad.core.turns import Source, share
from aad.core.user_address import UNKNOWN, Networks, Unknown, UserAddress, written
from aad.https import problems
from aad.https.problems import ProblemError, TooManyFailuresError, again_in
from aad.https.slowing import Slowing
from aad.login.engine import Asked, Engine
from aad.ports import Record, Unavailable

MARGIN = 0.1  # seconds of a deadline that the response needs to get there


@dataclass(frozen=True, kw_only=True)
class LoginRequest:
    """The client that asks for a login, and the event. `client`: an API key's name, or the portal's own.

    `deadline`: seconds that the client waits. `user_address`: the user's own address, as far as it is known. `counted`:
    whose turns it takes, as in Attempt.
    """

    client: str
    event: str
    deadline: float
    user_address: UserAddress = UNKNOWN
    counted: str = ""


@dataclass(frozen=True)
class Refusal:
    """A rejection; `words` are all that the user may learn of it."""

    words: str


LoginReply = Asked | Accepted | Refusal


@dataclass(kw_only=True)
class LoginFront:
    """Translates between HTTPS and the engine. It decides nothing about which users get in.

    `reject_delay`: seconds; `at_work`: new logins of one client at the same time, at most; `random()`: from 0 to 1;
    `telling`: the events whose users learn why they are rejected, once they have proved who they are. `slowing`: of
    the sources that fail, except those in `never_slowed`; it may outlive the front.
    """

    engine: Engine
    record: Record
    reject_message: str
    reject_delay: float
    at_work: int
    random: Callable[[], float]
    slowing: Slowing
    never_slowed: Networks = field(default_factory=lambda: Networks(()))
    telling: frozenset[str] = frozenset()
    _at_work: Counter[str | Source] = field(default_factory=Counter)

    async def begin(self, request: LoginRequest, name: str, password: Secret, received: float) -> LoginReply:
        """Begin a login. `received`: `time.monotonic()` seconds.

        ProblemError: a back end is down, too many logins are in progress, or too many from this source have failed.
        An empty password means none was given: the user is asked for what their chain begins with, or rejected.
        """
        source = self._source(request)
        if source and (seconds := self.slowing.left(source)):
            await self._late(received)  # so a flood costs its sender connections that wait
            raise TooManyFailuresError(seconds)
        if odd(name):
            self._failed(source, Failed.LOGIN)
            who = {"user": presentable(name), "client": request.client, "login_event": request.event}
            self.record("login.rejected", reason="a name that nobody could have", **who)
            return await self.refused(received)
        with self._working(request.client, self.at_work), self._working(source, share(self.at_work)):
            return await self._reply(self._attempt(request, name, password, received), None, received, source)

    async def answer(
        self, request: LoginRequest, name: str, ticket: bytes, answer: Secret, received: float
    ) -> LoginReply:
        """Answer a challenge by the ticket of `Asked`, with the `request` and name it was begun with. ProblemError."""
        return await self._reply(
            self._attempt(request, name, answer, received), ticket, received, self._source(request)
        )

    async def refused(self, received: float, words: str = "") -> Refusal:
        """Return a rejection, after the same delay as any other one."""
        await self._late(received)
        return Refusal(words or self.reject_message)

    async def _late(self, received: float) -> None:
        await asyncio.sleep(received + rejection.delay(self.reject_delay, self.random()) - time.monotonic())

    @contextmanager
    def _working(self, whose: str | Source | None, most: int) -> Iterator[None]:
        """Count a login in progress for a client, or for one source of it. ProblemError: there are too many."""
        if whose is None:
            yield
            return
        if self._at_work[whose] >= most:
            # One flood would make all others wait for the directory; answers to challenges always pass.
            raise ProblemError(problems.TOO_MANY_LOGINS, headers=again_in(1))
        self._at_work[whose] += 1
        try:
            yield
        finally:
            self._at_work[whose] -= 1
            if not self._at_work[whose]:
                del self._at_work[whose]

    def _source(self, request: LoginRequest) -> Source | None:
        """Return the source to slow down for failures; None: it is unknown, and shared with users who do no wrong."""
        unslowed = isinstance(request.user_address, Unknown) or request.user_address in self.never_slowed
        return None if unslowed else Source(request.client, request.counted)

    def _failed(self, source: Source | None, what: Failed) -> None:
        if source:
            self.slowing.failed(source, what)

    async def _reply(
        self, attempt: Attempt, ticket: bytes | None, received: float, source: Source | None
    ) -> LoginReply:
        try:
            reply = await (self.engine.begin(attempt) if ticket is None else self.engine.answer(ticket, attempt))
        except Unavailable:
            raise ProblemError(problems.UNAVAILABLE, headers=again_in(2)) from None
        if isinstance(reply, Rejected):
            self._failed(source, Failed.ANSWER if ticket else Failed.LOGIN)
            telling = attempt.event in self.telling
            return await self.refused(received, rejection.words(self.reject_message, reply, telling=telling))
        if isinstance(reply, Asked) and not reply.proven and ticket is None:
            self._failed(source, Failed.UNPROVEN)
        if isinstance(reply, Asked) and reply.late:
            await self._late(received)
        return reply

    @staticmethod
    def _attempt(request: LoginRequest, name: str, answer: Secret, received: float) -> Attempt:
        return Attempt(
            event=request.event,
            client=request.client,
            name=name,
            answer=Plain(answer),
            deadline=received + request.deadline - MARGIN,
            user_address=request.user_address,
            calling_station=written(request.user_address),
            counted=request.counted,
        )
