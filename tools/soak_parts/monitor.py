"""The daemon seen from outside during a soak: its memory, its answers to probes and to garbage."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from aad.core.secret import Secret
from aad.radius.protocol import client_packets, constants
from aad.radius.protocol.wire import PacketError
from tests.parts.daemon import SECRET, Daemon
from tests.parts.raw import Request
from tools.parts.readings import descriptors, memory
from tools.soak_parts.outages import Outages
from tools.soak_parts.users import Tally

PROBE = 2.0  # seconds until a Status-Server counts as unanswered


@dataclass
class Health:
    """The daemon seen from outside: (KiB, descriptors) each second, probes, garbage."""

    samples: list[tuple[int, int]] = field(default_factory=list)
    probes: list[float] = field(default_factory=list)
    unanswered: int = 0
    garbage: int = 0
    replies: int = 0


def sample(pid: int) -> tuple[int, int]:
    """Return resident KiB and open descriptors of a process."""
    return memory(pid) // 1024, descriptors(pid)


class Catcher(asyncio.DatagramProtocol):
    """Catches replies."""

    def __init__(self) -> None:
        """Begin with none."""
        self.caught: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, _address: object) -> None:
        """Keep it."""
        self.caught.put_nowait(data)


async def probe(port: int, health: Health, end: float) -> None:
    """Ask with Status-Server whether the daemon is there, twice a second."""
    transport, catcher = await asyncio.get_running_loop().create_datagram_endpoint(
        Catcher, remote_addr=("127.0.0.1", port)
    )
    secret = Secret(SECRET)
    while time.monotonic() < end:
        authenticator, identifier, began = secrets.token_bytes(16), secrets.randbelow(256), time.monotonic()
        transport.sendto(client_packets.request(identifier, authenticator, [], secret, code=constants.STATUS_SERVER))
        try:
            reply = await asyncio.wait_for(catcher.caught.get(), PROBE)
            client_packets.check_reply(reply, authenticator, identifier, secret)
            health.probes.append(time.monotonic() - began)
        except (TimeoutError, PacketError):
            health.unanswered += 1
        await asyncio.sleep(0.5)
    transport.close()


def rubbish(rng: random.Random) -> Iterator[bytes]:
    """Make datagrams that must not be answered: noise, cut and bent requests, wrong Message-Authenticators."""
    while True:
        good = Request(f"user{rng.randrange(1000):04}", "a password").octets
        at = rng.randrange(22, 38)  # within Message-Authenticator, which comes first
        yield rng.randbytes(rng.randrange(0, 200))
        yield good[: rng.randrange(len(good))]
        yield good[:at] + bytes((good[at] ^ (1 << rng.randrange(8)),)) + good[at + 1 :]
        yield good[:2] + rng.randbytes(2) + rng.randbytes(len(good) - 4)
        yield Request("user0001", "a password", secret="another secret").octets  # noqa: S106 - a wrong one, on purpose


async def litter(port: int, health: Health, seed: int, end: float) -> None:
    """Send rubbish; whatever comes back is too much."""
    transport, catcher = await asyncio.get_running_loop().create_datagram_endpoint(
        Catcher, remote_addr=("127.0.0.1", port)
    )
    rng = random.Random(seed)  # noqa: S311 - to be repeated
    for datagram in rubbish(rng):
        if time.monotonic() > end:
            break
        transport.sendto(datagram)
        health.garbage += 1
        await asyncio.sleep(rng.uniform(0.0, 0.04))
    health.replies = catcher.caught.qsize()
    transport.close()


async def watch(daemon: Daemon, tally: Tally, outages: Outages, health: Health) -> None:
    """Sample the daemon each second, and say every ten how it goes."""
    began = time.monotonic()
    while True:
        memory, descriptors = sample(daemon.child.pid)
        health.samples.append((memory, descriptors))
        if len(health.samples) % 10 == 1:
            print(
                f"{time.monotonic() - began:4.0f} s: {tally.offered} logins, {tally.accepted} accepted, "
                f"{tally.refused} refused, {tally.unanswered.total()} unanswered, {len(tally.lost)} lost; "
                f"{memory / 1024:.1f} MiB, {descriptors} descriptors; {outages.now or 'nothing broken'}",
                flush=True,
            )
        await asyncio.sleep(1.0)
