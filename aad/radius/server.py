"""The RADIUS server: reads datagrams, checks client, form and signature, drops repetitions; one task a request."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from aad.core import rejection
from aad.core.secret import Secret
from aad.logs.discards import Discards
from aad.ports import Record
from aad.radius.clients import Client, Clients
from aad.radius.duplicates import AT_WORK, FULL, NEW, Duplicates, key_of
from aad.radius.front import Front
from aad.radius.protocol import constants, packet
from aad.radius.protocol.packet import Request
from aad.radius.protocol.password import answer_of
from aad.radius.protocol.wire import PacketError
from aad.radius.udp import Origin, UdpSocket
from aad.radius.worker_relay import Relayed

AT_A_TIME = 64  # datagrams read before other tasks get their turn


@dataclass(frozen=True, kw_only=True)
class Setup:
    """The parts that a reload exchanges. `reject_delay`: seconds; `at_work`: new logins of one client, at most."""

    clients: Clients
    front: Front
    reject_delay: float
    at_work: int


class Server:
    """Serves Access-Request and Status-Server on some UDP sockets."""

    def __init__(self, setup: Setup, record: Record, jitter: Callable[[], float]) -> None:
        """`jitter()` gives random numbers from 0 to 1."""
        self.setup = setup
        self.discards = Discards(record)
        self._duplicates: Duplicates[tuple[UdpSocket | Relayed, Origin]] = Duplicates()
        self._jitter = jitter
        self._record = record
        self._at_work: Counter[str] = Counter()
        self._secrets: dict[str, int] = {}  # client -> which of its secrets it used last
        self._tasks: set[asyncio.Task[None]] = set()
        self._sockets: Sequence[UdpSocket | Relayed] = []
        self.answered_again = self.passed_over = 0  # duplicates

    def listen(self, sockets: Sequence[UdpSocket | Relayed]) -> None:
        """Read from these sockets from now on."""
        self._sockets = sockets
        for each in sockets:
            asyncio.get_running_loop().add_reader(each.fileno(), self._readable, each)

    def at_work(self) -> set[asyncio.Task[None]]:
        """Return the tasks of the requests in progress."""
        return set(self._tasks)

    @property
    def discarded(self) -> Mapping[tuple[str, str], int]:
        """Return how many requests got no reply on purpose, by client and reason."""
        return self.discards.totals

    def ailing(self) -> str:
        """Return which socket is closed or isn't read; empty: none. For the watchdog, at each of its turns."""
        return ", ".join(f"socket {each.name} isn't read" for each in self._sockets if each.neglected())

    async def drain(self, patience: float) -> None:
        """Take no more requests, and wait up to `patience` seconds for the replies that are due.

        What arrives from now on stays in the sockets: where systemd holds them, for the next process.
        """
        for each in self._sockets:
            asyncio.get_running_loop().remove_reader(each.fileno())
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=patience)
        for each in self._sockets:
            each.close()

    def _readable(self, udp: UdpSocket | Relayed) -> None:
        for _ in range(AT_A_TIME):
            received = udp.receive()
            if received is None:
                return
            self._received(udp, *received)

    def _received(self, udp: UdpSocket | Relayed, datagram: bytes, origin: Origin) -> None:
        """Discard a datagram, answer it from memory, or start a task for it."""
        now = time.monotonic()
        client = self.setup.clients.find(origin.host)
        if client is None:
            self.discards.discard("no [clients.*] has its address", now, source=origin.host)
            return
        try:
            request = packet.decode(datagram)
            secret = client.verified_secret(request)
        except PacketError as error:
            self.discards.discard(str(error), now, client=client.name, source=origin.host)
            return
        if len(client.secrets) > 1 and request.has_message_authenticator:
            self._record_secret(client, secret)
        if request.code == constants.STATUS_SERVER:
            udp.send(packet.reply(request, constants.ACCESS_ACCEPT, (), secret), origin)
            return
        # Only now: a forged request must not change the kept replies (RFC 5080 2.2.2).
        key = key_of(origin.host, request.datagram)
        sighting = self._duplicates.seen(key, (udp, origin), now)
        if isinstance(sighting, bytes):
            self.answered_again += 1
            udp.send(sighting, origin)
        elif sighting is AT_WORK:
            self.passed_over += 1
        elif sighting is FULL:
            self.discards.discard("too many requests are at work", now, client=client.name)
        elif sighting is NEW and request.state is None and self._at_work[client.name] >= self.setup.at_work:
            # One client's flood would make all others wait for the directory; answers to a challenge always pass.
            self._duplicates.silent(key)
            self.discards.discard("too many logins of this client are at work", now, client=client.name)
        elif sighting is NEW:
            self._at_work[client.name] += 1
            task = asyncio.get_running_loop().create_task(self._work(request, client, secret, key, now))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _record_secret(self, client: Client, secret: Secret) -> None:
        """Record which of its secrets a client uses, once, and again when it uses another."""
        number = client.secrets.index(secret)
        if self._secrets.get(client.name) != number:
            self._secrets[client.name] = number
            old = f"secret {number + 1} of {len(client.secrets)}, an old one"
            self._record("client.secret", client=client.name, reason=old if number else "the first of its secrets")

    async def _work(self, request: Request, client: Client, secret: Secret, key: bytes, received: float) -> None:
        """Ask the front, and reply. A request without a reply is forgotten, so that a retransmission is tried again."""
        setup, reply = self.setup, b""
        try:
            try:
                verdict = await setup.front.verdict(request, client, answer_of(request, secret), received)
            finally:
                self._at_work[client.name] -= 1
            if verdict is None:
                return
            if verdict.code == constants.ACCESS_REJECT or verdict.late:
                leaves = received + rejection.delay(setup.reject_delay, self._jitter())
                await asyncio.sleep(leaves - time.monotonic())
            reply = packet.reply(request, verdict.code, verdict.attributes, secret)
        finally:
            if not reply:
                self._duplicates.silent(key)
        udp, origin = self._duplicates.answered(key, reply, time.monotonic())
        udp.send(reply, origin)
