"""A NAS that fails over as real ones do: silence, the same again, then the next node; and what came of each login.

Every login is another user's: two mails to one user, or two accepts of one, are two for one login.
"""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aad.radius.protocol import constants
from aad.radius.protocol.client_packets import Reply
from aad.radius.protocol.wire import PacketError
from tests.parts.network import Host
from tests.parts.raw import Request
from tools.soak_parts.outages import MailRoom
from tools.soak_parts.users import reference_of

WAIT, SENDS, ROUNDS = 1.5, 2, 2  # seconds for a reply; sends to one node before the next; times through all nodes
MAIL = 5.0  # seconds that a user waits for the mail
READS = (2.0, 4.0)  # seconds until they have read it and typed the code: quick users
LINGER = 3.0  # seconds that late replies are still counted
Address = tuple[str, int]


@dataclass
class Login:
    """One login: who, by which node first, and what came of it."""

    number: int
    node: int
    way: str
    began: float = field(default_factory=time.monotonic)
    challenged: float = 0.0
    ended: float = 0.0
    sends: int = 0
    lost: str = ""
    accepted: bool = False
    accepts: set[tuple[Address, bytes]] = field(default_factory=set)

    @property
    def name(self) -> str:
        """The user's name."""
        return f"user{self.number:04}"


class Port(asyncio.DatagramProtocol):
    """A port of the NAS, with one login under way."""

    def __init__(self) -> None:
        """Begin with none."""
        self.login: Login | None = None
        self.asked: dict[tuple[Address, bytes], tuple[Request, asyncio.Future[Reply]]] = {}

    def connection_made(self, transport: Any) -> None:
        """Keep the transport."""
        self._transport = transport

    def close(self) -> None:
        """Close it."""
        self._transport.close()

    def send(self, request: Request, node: Address) -> asyncio.Future[Reply]:
        """Send, and return what will hold the reply to these octets from this node."""
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        _, future = self.asked.setdefault((node, request.octets), (request, future))
        self._transport.sendto(request.octets, node)
        return future

    def datagram_received(self, data: bytes, node: Address) -> None:
        """Hand a reply over; count an accept once for each request and node, since they answer again what they said."""
        for (where, octets), (request, future) in self.asked.items():
            if where != node or octets[1] != data[1]:
                continue
            try:
                reply = request.reply(data)
            except PacketError:
                continue
            if reply.code == constants.ACCESS_ACCEPT and self.login:
                self.login.accepts.add((where, octets))
            if not future.done():
                future.set_result(reply)


class Nas:
    """Logs people in by two nodes; half of them by the second one first."""

    def __init__(self, host: Host, nodes: Sequence[Address], room: MailRoom, seed: int) -> None:
        """Ask from `host`."""
        self.logins: list[Login] = []
        self._host, self._nodes, self._room = host, nodes, room
        self._random = random.Random(seed)  # noqa: S311 - to be repeated
        self._opened: list[Port] = []
        self._ports: list[Port] = []  # those with no login under way

    async def load(self, rate: float, goes_on: Callable[[], bool]) -> None:
        """Begin `rate` logins a second, whatever becomes of them."""
        began, under_way = time.monotonic(), set()
        while goes_on():
            number = len(self.logins)
            await asyncio.sleep(began + number / rate - time.monotonic())
            way = self._random.choices(("same node", "other node", "both nodes"), (3, 1, 1))[0]
            self.logins.append(Login(number, self._random.randrange(len(self._nodes)), way))
            task = asyncio.create_task(self._login(self.logins[-1]))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        await asyncio.gather(*under_way)
        await asyncio.sleep(LINGER)
        for port in self._opened:
            port.close()
        await asyncio.sleep(0)

    async def _login(self, login: Login) -> None:
        port = self._ports.pop() if self._ports else await self._open()
        port.login = login
        try:
            login.lost = await self._steps(login, port)
        finally:
            asyncio.get_running_loop().call_later(LINGER, self._release, port)
        login.accepted, login.ended = not login.lost, time.monotonic()

    def _happens(self, share: float) -> bool:
        return self._random.random() < share

    def _release(self, port: Port) -> None:
        port.asked.clear()
        self._ports.append(port)

    async def _open(self) -> Port:
        with self._host.inside():
            opened = socket.socket(type=socket.SOCK_DGRAM)
        opened.setblocking(False)
        opened.bind(("0.0.0.0", 0))  # noqa: S104 - alone in its network
        port = (await asyncio.get_running_loop().create_datagram_endpoint(Port, sock=opened))[1]
        self._opened.append(port)
        return port

    async def _steps(self, login: Login, port: Port) -> str:
        """Log in; return why it was lost, or nothing."""
        order = [self._nodes[login.node], self._nodes[1 - login.node]]
        password = f"pw-{login.number:04}"
        found = await self._ask(login, port, lambda: Request(login.name, password), order)
        if found is None:
            return "no answer to the password"
        challenge, node = found
        if challenge.code != constants.ACCESS_CHALLENGE:
            return f"reply {challenge.code} to the password"
        login.challenged = time.monotonic()
        try:
            code = self._room.code(login.name, reference_of(challenge))
            typed = await asyncio.wait_for(asyncio.shield(code), MAIL)
        except TimeoutError:
            return "no mail"
        await asyncio.sleep(self._random.uniform(*READS))
        given = (constants.STATE, challenge.first(constants.STATE) or b"")
        if node != order[0]:
            order.reverse()
        if login.way == "other node":
            order.reverse()
        said = await self._answered(login, port, lambda: Request(login.name, typed, given), order)
        if said is None:
            return "no answer to the code"
        return "" if said.code == constants.ACCESS_ACCEPT else f"reply {said.code} to the code"

    async def _answered(
        self, login: Login, port: Port, make: Callable[[], Request], order: Sequence[Address]
    ) -> Reply | None:
        """Give the code to one node, or to both at once: in the same octets, or not."""
        if login.way == "both nodes":
            request = make()
            other = request if self._happens(0.5) else make()
            both = [port.send(request, order[0]), port.send(other, order[1])]
            done, _ = await asyncio.wait(both, timeout=WAIT)
            replies = sorted((each.result() for each in done), key=lambda reply: reply.code)  # an accept first
            if replies and (len(replies) == len(both) or replies[0].code == constants.ACCESS_ACCEPT):
                return replies[0]
        found = await self._ask(login, port, make, order)
        return found[0] if found else None

    async def _ask(
        self, login: Login, port: Port, make: Callable[[], Request], order: Sequence[Address]
    ) -> tuple[Reply, Address] | None:
        """Ask until there is a reply: some send the same octets to all nodes, some each node others of its own.

        Some networks double what they carry.
        """
        begins_again, doubled = self._happens(0.5), self._happens(0.2)
        request, sent = make(), {}
        for number, node in enumerate([*order] * ROUNDS):
            if number and begins_again:
                request = make()
            for _ in range(SENDS):
                sent[port.send(request, node)] = node
                if doubled:
                    port.send(request, node)
                login.sends += not login.challenged
                done, _ = await asyncio.wait(sent, timeout=WAIT, return_when=asyncio.FIRST_COMPLETED)
                for each in done:
                    return each.result(), sent[each]
        return None
