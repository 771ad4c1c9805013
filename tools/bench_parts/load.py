"""The load, and the mail server it reads its codes from, in a process of their own; told what to do by lines of JSON.

Usage: python -m tools.bench_parts.load MAIL_PORT MAIL_MS; it ends with its standard input.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import resource
import sys
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from aad.daemon.event_loop import run
from aad.radius.protocol import constants
from tests.parts.raw import Request
from tools.bench_parts.figures import Tally
from tools.parts.mail_sink import CODE, Sink
from tools.parts.nas import LOST, Slot

EVERY = 0.5  # seconds from one sign of life to the next


@dataclass(frozen=True, kw_only=True)
class Order:
    """The load to make: `in_flight` logins at a time or `rate` a second, for `seconds`, or until `logins` were begun.

    Of users `first` to `first + users`, each logs in once at a time. `wrong`: they type a wrong password.
    """

    port: int
    users: int
    first: int = 0
    in_flight: int = 0
    rate: float = 0.0
    seconds: float = 1e9
    logins: int = 10**9
    wrong: bool = False


class LostError(Exception):
    """The login came to nothing; says at which step."""


class SlowSink(Sink):
    """A mail server that delays each mail; the mail can be read after that."""

    def __init__(self, seconds: float, mails: dict[bytes, asyncio.Future[bytes]]) -> None:
        """Hand each code to its waiting user in `mails`, by recipient."""
        super().__init__(self._read)
        self._seconds, self._mails = seconds, mails

    def _mail(self, octets: bytes) -> None:
        if not self._seconds:
            super()._mail(octets)
            return
        self._data = False
        asyncio.get_running_loop().call_later(self._seconds, super()._mail, octets)

    def _queued(self) -> None:
        if not self._transport.is_closing():
            super()._queued()

    def _read(self, recipient: bytes, octets: bytes) -> None:
        code, waiting = CODE.search(octets), self._mails.get(recipient)
        if code and waiting and not waiting.done():
            waiting.set_result(code[1])


class Load:
    """Users who log in, each from a NAS of their own."""

    def __init__(self) -> None:
        """Begin with no connection."""
        self.mails: dict[bytes, asyncio.Future[bytes]] = {}
        self._slots: list[tuple[asyncio.DatagramTransport, Slot]] = []
        self._users: deque[int] = deque()
        self._order: Order
        self._end = self._first = 0.0
        self.tally = Tally()

    async def run(self, order: Order) -> Tally:
        """Do it, to the end of the last login."""
        self._order, self._users, self.tally = order, deque(range(order.first, order.first + order.users)), Tally()
        began = time.monotonic()
        self._end = began + order.seconds
        await (self._by_the_clock(began) if order.rate else self._in_flight())
        for transport, _ in self._slots:  # the next order may be for another port
            transport.close()
        self._slots.clear()
        return self.tally

    def _more(self) -> bool:
        return self.tally.begun < self._order.logins and time.monotonic() < self._end

    async def _in_flight(self) -> None:
        """Begin a login when another one has ended."""

        async def one_after_the_other() -> None:
            while self._more():
                await self._one()

        await asyncio.gather(*(one_after_the_other() for _ in range(self._order.in_flight)))

    async def _by_the_clock(self, began: float) -> None:
        """Begin each login at its time, whether earlier ones have ended or not; no user has two logins at a time."""
        tasks: set[asyncio.Task[None]] = set()
        number = 0
        while (due := began + number / self._order.rate) < self._end and self._more():
            late = time.monotonic() - due
            await asyncio.sleep(max(0.0, -late))
            self.tally.behind = max(self.tally.behind, late * 1000)
            number += 1
            if not self._users:
                self.tally.shed += 1
                continue
            task = asyncio.create_task(self._one())
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)

    async def _one(self) -> None:
        """Let the next user log in, and count what came of it."""
        tally, number, began = self.tally, self._users.popleft(), time.monotonic()
        tally.begun += 1
        slot = self._slots.pop() if self._slots else await self._slot()
        try:
            await self._login(slot[1], number)
        except LostError as lost:
            tally.losses[str(lost)] = tally.losses.get(str(lost), 0) + 1
        else:
            tally.accepted += 1
            now = time.monotonic()
            self._first = min(began, self._first) if tally.accepted > 1 else began
            tally.seconds = now - self._first
        finally:
            self._users.append(number)
            self._slots.append(slot)

    async def _slot(self) -> tuple[asyncio.DatagramTransport, Slot]:
        loop = asyncio.get_running_loop()
        return await loop.create_datagram_endpoint(Slot, remote_addr=("127.0.0.1", self._order.port))

    async def _login(self, slot: Slot, number: int) -> None:
        """Log in as user0007 does; LostError."""
        name = f"user{number:04}"
        code = self.mails[f"{name}@example.com".encode()] = asyncio.get_running_loop().create_future()
        began = time.perf_counter()
        challenge = await asked(slot, Request(name, "wrong" if self._order.wrong else f"pw-{number:04}"), "password")
        challenged = time.perf_counter()
        if self._order.wrong and challenge.code == constants.ACCESS_REJECT:
            return
        if challenge.code != constants.ACCESS_CHALLENGE:
            what = f"reply {challenge.code} to the password"
            raise LostError(what)
        try:
            typed = await asyncio.wait_for(code, LOST)
        except TimeoutError:
            what = "no mail"
            raise LostError(what) from None
        before = time.perf_counter()
        accept = await asked(
            slot, Request(name, typed, (constants.STATE, challenge.first(constants.STATE) or b"")), "code"
        )
        if accept.code != constants.ACCESS_ACCEPT:
            what = f"reply {accept.code} to the code"
            raise LostError(what)
        self.tally.challenge.append((challenged - began) * 1000)
        self.tally.accept.append((time.perf_counter() - before) * 1000)


async def asked(slot: Slot, request: Request, step: str) -> Any:
    """Return the reply; LostError: there was none."""
    try:
        return await slot.ask(request)
    except TimeoutError:
        what = f"no reply to the {step}"
        raise LostError(what) from None


async def obey(mail_port: int, mail_seconds: float) -> None:
    """Take mail, and orders until there are no more; write a sign of life now and then, and each tally."""
    load, loop = Load(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: SlowSink(mail_seconds, load.mails), "127.0.0.1", mail_port, backlog=1024)
    print(json.dumps({"ready": True}), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        doing = asyncio.create_task(load.run(Order(**json.loads(line))))
        while not doing.done():
            await asyncio.wait((doing,), timeout=EVERY)
            print(json.dumps({"begun": load.tally.begun, "accepted": load.tally.accepted}), flush=True)
        print(json.dumps({"tally": dataclasses.asdict(doing.result())}), flush=True)
    server.close()


def main() -> None:
    """Run until standard input ends."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    run(obey(int(sys.argv[1]), float(sys.argv[2]) / 1000))


if __name__ == "__main__":
    main()
