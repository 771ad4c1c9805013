"""Two nodes with one store, during a load: a node is killed, its link to the store cut, the store frozen, or killed.

Each node, the store (redis-server, appendonly yes), slapd, the mail server and the NAS have a network of their own. A
NAS without a reply sends again after 1.5 s, then to the other node. Every login is another user's, so two mails to
one user are a doubled mail; a doubled accept is one for each of two requests, or of two nodes, in one login. Ends with
a table, and 1 if a mail or an accept was doubled, a node complained, or logins no longer succeed after a trouble.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tools.failover_parts.nas import Login, Nas
from tools.failover_parts.options import parser
from tools.failover_parts.site import Site, site

CALM = 10.0  # seconds without trouble at the beginning, and after each one
FROZEN = (5.0, 10.0)  # seconds that a store is frozen, if not told otherwise
HEALED = 20.0  # seconds that a node may take to be of use again
KINDS = ("node killed", "node's link to the store cut", "store frozen", "store killed")


@dataclass
class Trouble:
    """One outage, from `began` to `returned` (`time.monotonic()`), and the nodes that suffer from it."""

    kind: str
    nodes: tuple[int, ...] = (0, 1)
    began: float = field(default_factory=time.monotonic)
    returned: float = 0.0

    def recovery(self, logins: Sequence[Login]) -> float:
        """Return the seconds from its end until each node has challenged a login at the first request; or infinity."""
        firsts = [
            [one.challenged for one in logins if one.began >= self.returned and one.node == node and one.sends == 1]
            for node in self.nodes
        ]
        return max((min(filter(None, each), default=float("inf")) for each in firsts), default=0.0) - self.returned


class Troubles:
    """Breaks one thing after the other."""

    def __init__(self, place: Site, logins: Sequence[Login], seconds: float, seed: int) -> None:
        """Let each last for `seconds`; 0: as long as it does in life. `logins` tell when it is over."""
        self.all: list[Trouble] = [Trouble("none", nodes=())]
        self.over = False
        self._site, self._logins, self._seconds = place, logins, seconds
        self._random = random.Random(seed)  # noqa: S311 - to be repeated
        acts = (self._node_killed, self._cable_cut, self._store_frozen, self._store_killed)
        self._acts: dict[str, Callable[[int], Awaitable[None]]] = dict(zip(KINDS, acts, strict=True))

    async def drive(self, rounds: int, calm: float = CALM) -> None:
        """Break everything once in each round; the nodes take turns."""
        await asyncio.sleep(calm)
        self.all[0].returned = time.monotonic()
        for number in range(rounds):
            for kind in KINDS:
                node = (number + KINDS.index(kind)) % 2
                alone = kind.startswith("node")
                self.all.append(Trouble(kind, (node,) if alone else (0, 1)))
                await self._acts[kind](node)
                self.all[-1].returned = time.monotonic()
                await self._healed(self.all[-1])
                await asyncio.sleep(calm)
        self.over = True

    async def _healed(self, trouble: Trouble) -> None:
        while time.monotonic() < trouble.returned + HEALED and trouble.recovery(self._logins) > HEALED:  # noqa: ASYNC110
            await asyncio.sleep(0.2)

    async def _wait(self, least: float = 5.0, most: float = 5.0) -> None:
        await asyncio.sleep(self._seconds or self._random.uniform(least, most))

    async def _node_killed(self, node: int) -> None:
        self._site.nodes[node].kill()
        await self._wait()
        await asyncio.to_thread(self._site.start_node, node)

    async def _cable_cut(self, node: int) -> None:
        self._site.cables[node].cut()
        await self._wait()
        self._site.cables[node].mend()

    async def _store_frozen(self, _node: int) -> None:
        self._site.store.pause()
        await self._wait(*FROZEN)
        self._site.store.resume()

    async def _store_killed(self, _node: int) -> None:
        self._site.store.kill()
        await self._wait(2.0, 4.0)
        await asyncio.to_thread(self._site.start_store)


@dataclass(kw_only=True)
class Figures:
    """The result; the requirement is that the lists are empty."""

    seconds: float
    logins: list[Login]
    troubles: list[Trouble]
    doubled_mails: list[str]
    doubled_accepts: list[str]
    complaints: list[str]

    @property
    def well(self) -> bool:
        """Whether every must was kept."""
        healed = all(each.recovery(self.logins) < HEALED for each in self.troubles)
        return healed and not (self.doubled_mails or self.doubled_accepts or self.complaints)

    def rows(self) -> list[tuple[str, ...]]:
        """Return a row for each trouble: of the logins that ended between its beginning and the next one's."""
        ends = [*(each.began for each in self.troubles[1:]), float("inf")]
        return [
            self._row(each, [one for one in self.logins if each.began <= one.ended < end])
            for each, end in zip(self.troubles, ends, strict=True)
        ]

    def _row(self, trouble: Trouble, logins: list[Login]) -> tuple[str, ...]:
        lost = Counter(one.lost for one in logins if one.lost)
        names = {one.name for one in logins}
        waited = sorted(one.challenged - one.began for one in logins if one.challenged)
        cut = [waited[int(len(waited) * share)] if waited else 0.0 for share in (0.5, 0.99)]
        return (
            trouble.kind + "".join(f" ({node + 1})" for node in trouble.nodes if len(trouble.nodes) == 1),
            f"{trouble.returned - trouble.began:.1f}",
            str(len(logins)),
            str(sum(one.accepted for one in logins)),
            ", ".join(f"{count} {why}" for why, count in lost.most_common()) or "0",
            str(sum(each.split(":")[0] in names for each in self.doubled_mails)),
            str(sum(each.split(":")[0] in names for each in self.doubled_accepts)),
            f"{cut[0]:.2f} / {cut[1]:.2f} / {waited[-1] if waited else 0:.1f}",
            f"{trouble.recovery(self.logins):.1f}" if trouble.nodes else "",
        )


HEADS: tuple[str, ...] = ("trouble", "s", "logins", "accepted", "lost", "doubled mails", "doubled accepts")
HEADS += ("s to a challenge, p50 / p99 / most", "recovery s")


async def fail_over(place: Site, options: argparse.Namespace, calm: float = CALM) -> Figures:
    """Load the nodes, break things, and return the figures."""
    room, began = place.room, time.monotonic()
    room.hold = options.mail_takes
    await room.open(place.mail)
    nas = Nas(place.nas, place.addresses, room, options.seed)
    troubles = Troubles(place, nas.logins, options.seconds, options.seed)
    driving = asyncio.create_task(troubles.drive(options.rounds, calm))
    watching = asyncio.create_task(_progress(nas, troubles))
    await nas.load(options.rate, lambda: not troubles.over and len(nas.logins) < options.users)
    await driving
    watching.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watching
    await room.shut()
    return Figures(
        seconds=time.monotonic() - began,
        logins=nas.logins,
        troubles=troubles.all,
        doubled_mails=[
            f"{user}: {count} mails, of {len(of)} {'logins' if len(of) > 1 else 'login'}"
            for user, count in room.by_user.items()
            if count > 1
            for of in ([each for each in room.by_reference if each.split()[0] == user],)
        ],
        doubled_accepts=[f"{one.name}: {len(one.accepts)} accepts" for one in nas.logins if len(one.accepts) > 1],
        complaints=place.complaints(),
    )


async def _progress(nas: Nas, troubles: Troubles) -> None:
    """Say on one line how it goes; where that is no terminal, on a line every five seconds."""
    live, last = sys.stderr.isatty(), 0
    began = time.monotonic()
    while True:
        await asyncio.sleep(0.5 if live else 5.0)
        done = [one for one in nas.logins if one.accepted or one.lost]
        now = "" if troubles.all[-1].returned else troubles.all[-1].kind
        rate, last = (len(nas.logins) - last) / (0.5 if live else 5.0), len(nas.logins)
        line = (
            f"{time.monotonic() - began:4.0f} s: {len(nas.logins)} logins, {rate:.0f}/s, "
            f"{sum(one.accepted for one in done)} accepted, {sum(bool(one.lost) for one in done)} lost; {now or 'calm'}"
        )
        print(f"\r\033[K{line}" if live else line, end="" if live else "\n", file=sys.stderr, flush=True)


def print_table(figures: Figures) -> None:
    """Print the figures, and the first of each kind that must not be."""
    offered = len(figures.logins)
    span = max(1.0, figures.logins[-1].began - figures.logins[0].began) if offered else 1.0
    print(f"\n{offered} logins, {offered / span:.0f}/s\n")
    rows: list[Sequence[str]] = [HEADS, ["---" for _ in HEADS], *figures.rows()]
    for row in rows:
        print(f"| {' | '.join(row)} |")
    for what, those in (
        ("doubled mail", figures.doubled_mails),
        ("doubled accept", figures.doubled_accepts),
        ("complaint of a node", figures.complaints),
    ):
        for line in those[:10]:
            print(f"BROKEN: {what}: {line}")


def main() -> int:
    """Start the parts, break them, and say how it went."""
    options = parser().parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a login under way has a port of the NAS's
    print(f"seed {options.seed}; starting the parts, {options.users} users", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix="aad-failover-") as name:
        users, local = options.users, options.on_unavailable
        with site(Path(name), users=users, on_unavailable=local, workers=options.workers) as place:
            figures = asyncio.run(fail_over(place, options))
            if not figures.well or options.keep:
                print(f"records: {', '.join(place.kept(Path(tempfile.gettempdir())))}", file=sys.stderr)
    print_table(figures)
    return 0 if figures.well else 1


if __name__ == "__main__":
    raise SystemExit(main())
