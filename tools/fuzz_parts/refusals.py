"""Four kinds of refused logins side by side: whether a stranger can tell them apart, by octets or by time."""

from __future__ import annotations

import asyncio
import itertools
import math
import statistics
import time
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.parts.authority import Authority
from tests.parts.daemon import HEAD, Daemon
from tests.parts.directory import Directory, Person
from tests.parts.ports import free_port
from tests.parts.raw import Request
from tools.parts.nas import Slot
from tools.parts.site import configuration

PER_SECOND = 160  # requests: far below what the directory can do, so that no request queues
RIGHT, WRONG = "right", "wrong"
KINDS = {"unknown user": WRONG, "wrong password": WRONG, "locked out": RIGHT, "no usable address": RIGHT}


@dataclass
class Refused:
    """Observations of one kind: the times of its answers in seconds, and the octets that are no signature."""

    times: list[float] = field(default_factory=list)
    octets: set[tuple[int, object]] = field(default_factory=set)


def name_of(kind: str, number: int) -> str:
    """Return the name of the user by whom one sample of a kind is taken."""
    return f"{kind.replace(' ', '-')}-{number:04}"


@contextmanager
def daemon_for(folder: Path, count: int, delay: str = "1s") -> Iterator[Daemon]:
    """Start a daemon whose directory has so many users of each kind; the first failed login locks."""
    people = [
        Person(name_of(kind, number), RIGHT, mail=() if "address" in kind else (f"{number}@example.com",))
        for kind in KINDS
        for number in range(count)
        if "unknown" not in kind
    ]
    (folder / "ldap").mkdir(parents=True)
    head = HEAD.replace('"50ms"', f'"{delay}"')
    with Directory(folder / "ldap", Authority(folder / "ca"), people) as directory:
        text = configuration(directory, free_port())
        with Daemon(folder / "aad", text + "[lockout]\nattempts = 1\n", head=head) as daemon:
            yield daemon


async def refusals(daemon: Daemon, count: int) -> dict[str, Refused]:
    """Take so many samples of each kind, all kinds mixed."""
    await _asked(daemon, [("locked out", number) for number in range(count)], typed=WRONG)
    return await _asked(daemon, [(kind, number) for number in range(count) for kind in KINDS])


async def _asked(daemon: Daemon, which: list[tuple[str, int]], typed: str = "") -> dict[str, Refused]:
    loop, found = asyncio.get_running_loop(), {kind: Refused() for kind in KINDS}
    began = loop.time()

    async def one(place: int, kind: str, number: int) -> None:
        transport, slot = await loop.create_datagram_endpoint(Slot, remote_addr=(daemon.host, daemon.port))
        await asyncio.sleep(began + place / PER_SECOND - loop.time())
        asked = time.monotonic()
        reply = await slot.ask(Request(name_of(kind, number), typed or KINDS[kind]))
        found[kind].times.append(time.monotonic() - asked)
        found[kind].octets.add((reply.code, reply.attributes[1:]))
        transport.close()

    await asyncio.gather(*(one(place, *each) for place, each in enumerate(which)))
    return found


def distance(one: list[float], other: list[float]) -> float:
    """Return the Kolmogorov-Smirnov distance of two samples: 0 alike, 1 nothing in common."""
    ones, others = sorted(one), sorted(other)
    return max(
        abs(bisect_right(ones, at) / len(ones) - bisect_right(others, at) / len(others)) for at in [*ones, *others]
    )


def alike(count: int) -> float:
    """Return the distance that two samples of `count` from one distribution exceed once in ten thousand times."""
    return math.sqrt(math.log(2 / 0.0001) / count)


def distances(found: dict[str, Refused]) -> dict[str, float]:
    """Return the distance of each two kinds."""
    return {f"{a} / {b}": distance(found[a].times, found[b].times) for a, b in itertools.combinations(KINDS, 2)}


def report(found: dict[str, Refused]) -> bool:
    """Print the figures; return whether the kinds are indistinguishable."""
    for kind, one in found.items():
        cuts = statistics.quantiles(one.times, n=20)
        print(
            f"{kind:18} {len(one.times)} samples: least {min(one.times):.3f} s, 5 % {cuts[0]:.3f}, "
            f"median {cuts[9]:.3f}, 95 % {cuts[18]:.3f}, most {max(one.times):.3f}; {len(one.octets)} kind of octets"
        )
    limit = alike(min(len(one.times) for one in found.values()))
    for pair, apart in distances(found).items():
        print(f"{pair:36} distance {apart:.3f} (chance alone stays below {limit:.3f})")
    same = len(set().union(*(one.octets for one in found.values()))) == 1
    return same and max(distances(found).values()) < limit
