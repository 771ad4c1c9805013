"""The users of a soak: who logs in next, and the steps that all logins are made of."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aad.radius.protocol import constants
from aad.radius.protocol.client_packets import Reply
from tests.parts.directory import Person
from tests.parts.raw import Request
from tools.parts.nas import Slot
from tools.soak_parts.outages import MailRoom, Outages

SENDS, WAIT = 4, 1.5  # a NAS sends four times in six seconds
MAIL = 15.0  # seconds that a user waits for the mail
SHELF = 40.0  # seconds until a user whose login came to nothing tries again: longer than resend_after and a lockout
_PROMPTED = re.compile(rb"\(ref ([2-9A-Z]{6})\)")


class UnansweredError(Exception):
    """No reply, or no mail; `step`: "password", "mail" or "code"; since `began`."""

    def __init__(self, step: str, began: float) -> None:
        super().__init__(step)
        self.step, self.began = step, began


class OddError(Exception):
    """A reply that should have been another."""


@dataclass
class Tally:
    """Outcomes of all logins; the lists are violations."""

    offered: int = 0
    accepted: int = 0
    refused: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    unanswered: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    let_in: list[str] = field(default_factory=list)
    second_mails: list[str] = field(default_factory=list)
    double_accepts: list[str] = field(default_factory=list)


class Crowd:
    """Logs people in; the ways to do so are methods of their own, see ways.py."""

    def __init__(self, port: int, room: MailRoom, outages: Outages, seed: int) -> None:
        """Ask the daemon at `port`."""
        self.tally = Tally()
        self._port, self._room, self._outages = port, room, outages
        self._random = random.Random(seed)  # noqa: S311 - to be repeated
        self._open: list[Slot] = []

    async def walk(self, people: deque[Person], ways: dict[str, int], pause: float, end: float) -> None:
        """Let one after the other log in, in one of the ways, by weight."""
        while time.monotonic() < end:
            way = self._random.choices(list(ways), list(ways.values()))[0]
            while not people:  # noqa: ASYNC110 - they come back from the shelf by themselves
                await asyncio.sleep(1.0)
            person = people.popleft()
            if await self._login(way, person):
                people.append(person)
            else:
                asyncio.get_running_loop().call_later(SHELF, people.append, person)
            await asyncio.sleep(self._random.uniform(0.0, pause))

    async def _login(self, way: str, person: Person) -> bool:
        """Log in, and say whether it came to what it should."""
        self.tally.offered += 1
        self.tally.kinds[way] += 1
        steps: Callable[[Person], Awaitable[None]] = getattr(self, f"_{way}")
        try:
            await steps(person)
        except UnansweredError as error:
            by = "" if error.step == "code" else self._outages.blame(error.began, mail_only=error.step == "mail")
            if by:
                self.tally.unanswered[by] += 1
            else:
                self._lost(f"{way}: {person.name}: no answer to the {error.step}")
        except OddError as error:
            self._lost(f"{way}: {person.name}: {error}")
        else:
            return True
        return False

    def _lost(self, what: str) -> None:
        line = f"{time.strftime('%H:%M:%S')} {what} ({self._outages.now or 'nothing broken'})"
        self.tally.lost.append(line)
        print(f"  lost: {line}", flush=True)

    # What a login is made of.

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[Slot]:
        if not self._open:
            loop = asyncio.get_running_loop()
            _, slot = await loop.create_datagram_endpoint(Slot, remote_addr=("127.0.0.1", self._port))
            self._open.append(slot)
        slot = self._open.pop()
        try:
            yield slot
        finally:
            self._open.append(slot)

    async def _ask(self, request: Request, step: str, *, may: bool = False) -> Reply:
        """Ask as a NAS does; `may`: it may be an Access-Accept. UnansweredError."""
        began = time.monotonic()
        async with self._slot() as slot:
            try:
                reply = await slot.ask(request, sends=SENDS, wait=WAIT)
            except TimeoutError:
                if step == "password":
                    self._outages.saw("silence", began)
                raise UnansweredError(step, began) from None
        if reply.code == constants.ACCESS_ACCEPT and not may:
            self.tally.let_in.append(f"{step} of {request.name}")
        if step == "password":
            what = {constants.ACCESS_CHALLENGE: "challenge", constants.ACCESS_REJECT: "reject"}
            self._outages.saw(what.get(reply.code, "accept"), began)
        return reply

    async def _challenged(self, person: Person) -> Reply:
        return expect(await self._ask(Request(person.name, person.password), "password"), constants.ACCESS_CHALLENGE)

    async def _mailed(self, person: Person, challenge: Reply) -> bytes:
        began = time.monotonic()
        try:
            return await asyncio.wait_for(asyncio.shield(self._room.code(person.name, reference_of(challenge))), MAIL)
        except TimeoutError:
            step, asked = "mail", began - SENDS * WAIT
            raise UnansweredError(step, asked) from None

    async def _answer(self, name: str, challenge: Reply, typed: bytes, *, may: bool = False) -> Reply:
        state = (constants.STATE, challenge.first(constants.STATE) or b"")
        return await self._ask(Request(name, typed, state), "code", may=may)

    async def _finish(self, person: Person, challenge: Reply, challenged: float, mails: int) -> None:
        """Type the right code."""
        typed = await self._mailed(person, challenge)
        expect(await self._answer(person.name, challenge, typed, may=True), constants.ACCESS_ACCEPT)
        self._went_well(person, challenged, mails)

    def _went_well(self, person: Person, challenged: float, mails: int) -> None:
        self.tally.accepted += 1
        self._outages.well(challenged)
        if (more := self._room.by_user[person.name] - mails) > 1:
            self.tally.second_mails.append(f"{person.name}: {more} mails")


def expect(reply: Reply, code: int) -> Reply:
    """Return the reply if it is as expected. OddError."""
    if reply.code != code:
        what = f"reply {reply.code} instead of {code}"
        raise OddError(what)
    return reply


def reference_of(challenge: Reply) -> str:
    """Return the reference that the prompt shows."""
    found = _PROMPTED.search(challenge.first(constants.REPLY_MESSAGE) or b"")
    return found[1].decode() if found else ""
