"""The ways to log in, honest and not, and what each must come to."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable

from aad.radius.protocol import constants
from aad.radius.protocol.client_packets import Reply
from tests.parts.directory import Person
from tests.parts.raw import Request
from tools.soak_parts.users import Crowd, OddError, expect, reference_of

LOCKED = 15.0  # seconds of a lockout
QUEUE = 10.0  # seconds until the last mail is delivered by a server without delay
SERVED_AGAIN = 30.0  # seconds that a login begun again is served the challenge of before (resend_after)
ATTEMPTS = 3


class Ways(Crowd):
    """A crowd that knows them all."""

    async def _right(self, person: Person) -> None:
        mails = self._room.by_user[person.name]
        challenge = await self._challenged(person)
        await self._finish(person, challenge, time.monotonic(), mails)

    async def _wrong_code(self, person: Person) -> None:
        """Give one or two wrong codes, then the right one."""
        mails = self._room.by_user[person.name]
        challenge, challenged = await self._challenged(person), time.monotonic()
        typed = await self._mailed(person, challenge)
        for _ in range(self._random.randint(1, ATTEMPTS - 1)):
            wrong = b"%06d" % ((int(typed) + self._random.randint(1, 999_999)) % 1_000_000)
            challenge = expect(await self._answer(person.name, challenge, wrong), constants.ACCESS_CHALLENGE)
        await self._finish(person, challenge, challenged, mails)

    async def _wrong_password(self, person: Person) -> None:
        """Guess until locked out; then even the right one is refused; after a while it is right again."""
        for number in range(ATTEMPTS + 1):
            typed = person.password if number == ATTEMPTS else f"wrong-{number}"
            expect(await self._ask(Request(person.name, typed), "password"), constants.ACCESS_REJECT)
            self.tally.refused += 1
        await asyncio.sleep(LOCKED + 1.0)
        await self._right(person)

    async def _no_mailbox(self, person: Person) -> None:
        """Log in where the mail server knows no such address; it may not say so in time while it holds up others.

        Nor for a while after that: those it held up are in front, and who was asked meanwhile is asked the same again.
        """
        lately = time.monotonic() - QUEUE - SERVED_AGAIN
        reply = await self._ask(Request(person.name, person.password), "password")
        if reply.code != constants.ACCESS_CHALLENGE or not self._outages.blame(lately, mail_only=True):
            expect(reply, constants.ACCESS_REJECT)
        self.tally.refused += 1

    async def _sent_again(self, person: Person) -> None:
        """Send the same octets again from another port, at both steps: the same reply."""
        mails = self._room.by_user[person.name]
        challenge = await self._twice(Request(person.name, person.password), "password")
        challenged, typed = time.monotonic(), await self._mailed(person, expect(challenge, constants.ACCESS_CHALLENGE))
        state = (constants.STATE, challenge.first(constants.STATE) or b"")
        accept = await self._twice(Request(person.name, typed, state), "code", may=True)
        expect(accept, constants.ACCESS_ACCEPT)
        self._went_well(person, challenged, mails)

    async def _twice(self, request: Request, step: str, *, may: bool = False) -> Reply:
        again = self._later(lambda: self._ask(request, step, may=may))
        one, two = await _both(self._ask(request, step, may=may), again)
        if one.datagram != two.datagram:
            what = f"two replies to the same octets, at the {step}"
            raise OddError(what)
        return two

    async def _later(self, ask: Callable[[], Awaitable[Reply]]) -> Reply:
        await asyncio.sleep(self._random.choice((0.0, 0.002, 0.05, 0.3)))
        return await ask()

    async def _begun_again(self, person: Person) -> None:
        """Begin again with a new authenticator, as some NAS retry: the same code is asked for."""
        mails = self._room.by_user[person.name]
        one, two = await _both(self._challenged(person), self._later(lambda: self._challenged(person)))
        if reference_of(one) != reference_of(two):
            self.tally.second_mails.append(f"{person.name}: {reference_of(one)!r} and {reference_of(two)!r}")
        await self._finish(person, self._random.choice((one, two)), time.monotonic(), mails)

    async def _answered_twice(self, person: Person) -> None:
        """Give the right code four times at once, and once more: one Access-Accept."""
        mails = self._room.by_user[person.name]
        challenge, challenged = await self._challenged(person), time.monotonic()
        typed = await self._mailed(person, challenge)
        answers = [self._answer(person.name, challenge, typed, may=True) for _ in range(4)]
        replies = [*await asyncio.gather(*answers), await self._answer(person.name, challenge, typed, may=True)]
        accepts = sum(reply.code == constants.ACCESS_ACCEPT for reply in replies)
        if accepts > 1:
            self.tally.double_accepts.append(f"{person.name}: {accepts}")
        if not accepts:
            what = "no Access-Accept"
            raise OddError(what)
        self.tally.refused += len(replies) - accepts
        self._went_well(person, challenged, mails)

    async def _stolen(self, person: Person) -> None:
        """Give the right code under another name, then with an unknown State; then log in properly."""
        challenge = await self._challenged(person)
        typed = await self._mailed(person, challenge)
        expect(await self._answer("user0000", challenge, typed), constants.ACCESS_REJECT)
        state = (constants.STATE, secrets.token_hex(16).encode())
        expect(await self._ask(Request(person.name, typed, state), "code"), constants.ACCESS_REJECT)
        self.tally.refused += 2
        await self._right(person)


async def _both(one: Awaitable[Reply], two: Awaitable[Reply]) -> tuple[Reply, Reply]:
    """Await both to the end, and only then fail."""
    first, second = await asyncio.gather(one, two, return_exceptions=True)
    if isinstance(first, BaseException):
        raise first
    if isinstance(second, BaseException):
        raise second
    return first, second
