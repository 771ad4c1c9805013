"""The soak's outages: slapd and the mail server, in turn; the affected logins, and the time to recover."""

from __future__ import annotations

import asyncio
import itertools
import random
import re
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from tests.parts.directory import Directory
from tests.parts.lies.smtp import LIES, NONSENSE, Lie
from tools.parts.mail_sink import CODE, Sink

REFERENCE = re.compile(rb"reference ([2-9A-Z]{6})")
GONE = b"gone0000@example.com"
LIED = [lie for lie in LIES.values() if lie.at in {"MAIL", "RCPT"} and lie.told == NONSENSE]
"""Lies before the mail, after which aad knows at once that it didn't leave."""
PIECES = 16  # of a lie without end
HEALED = 30.0  # seconds that an outage's consequences may last


class MoodySink(Sink):
    """One connection to the mail room, which may be in a bad mood."""

    def __init__(self, room: MailRoom) -> None:
        """Serve the room."""
        super().__init__(room.taken)
        self._room = room
        self.idle = True

    def connection_made(self, transport: Any) -> None:
        """Greet."""
        self._room.lines[self] = transport
        super().connection_made(transport)

    def connection_lost(self, _error: Exception | None) -> None:
        """Forget it."""
        self._room.lines.pop(self, None)

    def _command(self, line: bytes) -> bytes:
        if self._room.lie and line[:4].upper() == self._room.lie.at.encode():
            return b"".join(itertools.islice(self._room.lie.says(), PIECES))
        answer = super()._command(line)
        self.idle = self.idle and line[:4].upper() != b"MAIL"
        if line[:4].upper() != b"RCPT":
            return answer
        if self._recipient == GONE:
            return b"550 5.1.1 no such user\r\n"
        return b"450 4.2.0 come again later\r\n" if self._room.busy else answer

    def _queued(self) -> None:
        # The mail has arrived by now: a sender that repeats it because the answer is late sends two.
        asyncio.get_running_loop().call_later(self._room.hold, self._answered)

    def _answered(self) -> None:
        self.idle = True
        super()._queued()


class MailRoom:
    """The mail sink: the codes by the reference of their login, how many mails came, and its moods."""

    def __init__(self, port: int) -> None:
        """Note the port. `busy`: each recipient gets 450; `hold`: seconds until a mail is answered; `lie`: its lie."""
        self.busy, self.hold = False, 0.0
        self.lie: Lie | None = None
        self.lines: dict[MoodySink, Any] = {}
        self.codes: dict[str, asyncio.Future[bytes]] = {}
        self.by_reference: Counter[str] = Counter()
        self.by_user: Counter[str] = Counter()
        self._port = port
        self._server: asyncio.Server | None = None

    async def open(self, listener: socket.socket | None = None) -> None:
        """Take connections; `listener` is a socket that is bound already, on another host."""
        where: dict[str, Any] = {"sock": listener} if listener else {"host": "127.0.0.1", "port": self._port}
        self._server = await asyncio.get_running_loop().create_server(lambda: MoodySink(self), **where)

    async def shut(self) -> None:
        """Refuse connections from now on, and cut those that stand."""
        if self._server:
            self._server.close()
        self.cut(idle_only=False)

    def cut(self, *, idle_only: bool) -> None:
        """Cut connections, every one or those that carry no mail now."""
        for line, transport in list(self.lines.items()):
            if line.idle or not idle_only:
                transport.abort()

    def taken(self, recipient: bytes, octets: bytes) -> None:
        """Count a mail and hand its code to who waits for it."""
        code, reference = CODE.search(octets), REFERENCE.search(octets)
        if code and reference:
            user, word = recipient.partition(b"@")[0].decode(), reference[1].decode()
            self.by_reference[f"{user} {word}"] += 1
            self.by_user[user] += 1
            if not (waiting := self.code(user, word)).done():
                waiting.set_result(code[1])

    def code(self, user: str, reference: str) -> asyncio.Future[bytes]:
        """Return the code of a user's login, in future. Of ten thousand references two may be the same."""
        return self.codes.setdefault(f"{user} {reference}", asyncio.get_running_loop().create_future())


@dataclass
class Outage:
    """One outage. Times: `time.monotonic()`.

    `by` is the cause of unanswered requests meanwhile; empty: no request may go unanswered.
    """

    kind: str
    by: str
    began: float = field(default_factory=time.monotonic)
    returned: float = 0.0
    healed: float = 0.0
    seen: Counter[str] = field(default_factory=Counter)

    @property
    def recovery(self) -> float:
        """Seconds from the back end's return to the next login that went well; infinite: there was none."""
        return self.healed - self.returned if self.healed else float("inf")


class Outages:
    """Breaks one thing after the other, and remembers."""

    def __init__(self, directory: Directory, room: MailRoom, reload: Callable[[], None], seed: int) -> None:
        """`reload()` has the daemon read its configuration again."""
        self.all: list[Outage] = []
        self._longest = 8.0
        self._directory, self._room, self._reload = directory, room, reload
        self._random = random.Random(seed)  # noqa: S311 - to be repeated
        self._acts: dict[tuple[str, str], Callable[[], Awaitable[None]]] = {
            ("slapd stopped", "slapd"): self._slapd_stopped,
            ("mail sink stopped", "mail sink"): self._sink_stopped,
            ("slapd paused", "slapd"): self._slapd_paused,
            ("mail sink answers 450", "mail sink"): self._sink_busy,
            ("mail sink holds at DATA", "mail sink"): self._sink_holds,
            ("mail sink lies", "mail sink"): self._sink_lies,
            ("idle connections dropped", ""): self._sink_drops,
            ("reload", ""): self._reloaded,
            ("reload while slapd is paused", "slapd"): self._reloaded_amid_logins,
        }

    async def drive(self, end: float, *, stops_only: bool) -> None:
        """Go on until `end`; `stops_only`: slapd and the sink stopped, in turn."""
        kinds = list(self._acts)[: 2 if stops_only else None]
        if stops_only:
            self._longest = 16.0
        while True:
            if not stops_only:
                self._random.shuffle(kinds)
            for kind in kinds:
                await asyncio.sleep(self._random.uniform(3.0, 7.0))
                if time.monotonic() > end - self._longest - 6.0:
                    return
                await self._break(*kind)

    async def _break(self, kind: str, by: str) -> None:
        outage = Outage(kind, by)
        self.all.append(outage)
        await self._acts[kind, by]()
        outage.returned = time.monotonic()
        while not outage.healed and time.monotonic() < outage.returned + HEALED:  # noqa: ASYNC110 - see `well`
            await asyncio.sleep(0.05)

    @property
    def now(self) -> str:
        """The outage in progress."""
        last = self.all[-1] if self.all else None
        return last.kind if last and not last.healed else ""

    def blame(self, began: float, *, mail_only: bool = False) -> str:
        """Say whose fault it is that what `began` then got no answer until now; empty: the daemon's."""
        for outage in reversed(self.all):
            guilty = outage.by and not (mail_only and outage.by == "slapd")
            if guilty and (not outage.healed or outage.healed >= began):
                return outage.by
        return ""

    def saw(self, what: str, began: float) -> None:
        """Note what became of a password that was sent at `began`, or rather while something was broken."""
        last = self.all[-1] if self.all else None
        if last and (not last.returned or began < last.returned):
            last.seen[what] += 1

    def well(self, challenged: float) -> None:
        """Note a login that went well; it was `challenged` then."""
        for outage in self.all[-1:]:
            if outage.returned and not outage.healed and challenged > outage.returned:
                outage.healed = time.monotonic()

    async def _for(self, least: float, most: float) -> None:
        await asyncio.sleep(self._random.uniform(least, most))

    async def _slapd_stopped(self) -> None:
        await asyncio.to_thread(self._directory.stop)
        await self._for(2.0, self._longest)
        await asyncio.to_thread(self._directory.start)

    async def _slapd_paused(self) -> None:
        self._directory.pause()
        await self._for(1.0, 3.0)
        self._directory.resume()

    async def _sink_stopped(self) -> None:
        await self._room.shut()
        await self._for(2.0, self._longest)
        await self._room.open()

    async def _sink_busy(self) -> None:
        self._room.busy = True
        await self._for(1.0, 4.0)
        self._room.busy = False

    async def _sink_holds(self) -> None:
        self._room.hold = self._random.uniform(1.0, 6.0)
        await self._for(1.0, 4.0)
        await asyncio.sleep(self._room.hold)  # until those that came last are answered
        self._room.hold = 0.0

    async def _sink_lies(self) -> None:
        for lie in self._random.sample(LIED, 3):
            self._room.lie = lie
            await self._for(0.5, 1.5)
        self._room.lie = None

    async def _sink_drops(self) -> None:
        self._room.cut(idle_only=True)

    async def _reloaded(self) -> None:
        self._reload()

    async def _reloaded_amid_logins(self) -> None:
        self._directory.pause()
        await self._for(0.1, 0.5)
        self._reload()
        await self._for(0.3, 1.0)
        self._directory.resume()
