"""Large answers that come at once are read in turns, so that others are served between them."""

from __future__ import annotations

import asyncio
import socket

from aad.repositories.ldap.decode import BOUND, Head, Question
from aad.repositories.ldap.transport import Transport, Turns
from tests.repositories.ldap.crooked import ber, result

SMALL, LARGE = b"", b"x" * 20_000


class Noting(Question):
    """Notes in which turn of the event loop it is answered."""

    def __init__(self, rounds: Rounds) -> None:
        super().__init__(1, BOUND)
        self._rounds = rounds
        self.heard = 0

    def add(self, message: bytes, head: Head) -> bool:
        self.heard = self._rounds.count
        return super().add(message, head)


class Rounds:
    """Counts the turns of the event loop."""

    def __init__(self) -> None:
        self.count = 0
        self.begin()

    def begin(self) -> None:
        self.count += 1
        self._next = asyncio.get_running_loop().call_soon(self.begin)

    def end(self) -> None:
        self._next.cancel()


async def answered(text: bytes, count: int = 8) -> list[int]:
    """Let so many connections have an answer with this text at once; return when each is read."""
    rounds, turns = Rounds(), Turns()
    pairs = [socket.socketpair() for _ in range(count)]
    for _, theirs in pairs:
        theirs.sendall(ber(0x30, ber(0x02, b"\1"), result(BOUND, 0, text)))
    transports, questions = [Transport(ours, turns) for ours, _ in pairs], [Noting(rounds) for _ in pairs]
    await asyncio.gather(
        *(transport.ask(b"?", question) for transport, question in zip(transports, questions, strict=True))
    )
    rounds.end()
    for transport, (_, theirs) in zip(transports, pairs, strict=True):
        transport.end(ConnectionAbortedError())
        theirs.close()
    return [question.heard for question in questions]


async def test_large_answers_are_read_one_in_each_turn_of_the_loop() -> None:
    heard = await answered(LARGE)
    assert len(set(heard)) == len(heard)


async def test_small_ones_at_once() -> None:
    assert len(set(await answered(SMALL))) == 1


async def test_what_fails_in_its_turn_keeps_nobody_from_theirs() -> None:
    turns, done = Turns(), asyncio.Event()
    raised: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(context))
    turns.wait(lambda: next(iter(())))
    turns.wait(done.set)
    await asyncio.wait_for(done.wait(), 5)
    assert len(raised) == 1
