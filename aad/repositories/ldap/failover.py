"""The servers of one directory: where they are, which of them works, and how one after the other is asked.

1. Servers are asked in order; each gets `timeout`, or what is left until the deadline.
2. A server that is out of order isn't asked, so that nobody pays its timeout again. After a pause one job tries it;
   the pause grows from 0.5 to 3 s.
3. A server is put out of order by what keeps it from being asked at all: no connection, no LDAP, no answer in time, our
   own account refused, "busy", "unavailable". By nothing else that it says, even if that can't be read: else one user
   could stop them all.
4. What it says of one user is final: no other server is asked for it again.
5. A kept connection that turns out to be closed is opened again, once; that is no outage.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit

from aad.core.outcome import Fact
from aad.core.secret import Secret
from aad.ports import Unavailable
from aad.repositories.ldap.connect import BrokenConnectionError, OutOfOrderError, Peer, SlowServerError
from aad.repositories.ldap.connection import Connection
from aad.repositories.ldap.decode import Entry, UnreadableAnswerError
from aad.repositories.ldap.encode import Search
from aad.repositories.ldap.health import Health
from aad.repositories.ldap.resolve import Resolver
from aad.repositories.ldap.result_codes import BUSY, SUCCESS, UNAVAILABLE, Result
from aad.repositories.ldap.transport import Turns

_PORTS = {"ldap": 389, "ldaps": 636}
A = TypeVar("A")
Question = Callable[["Connections"], Awaitable[A]]


class ServerRefusedError(Exception):
    """The server answered this question with neither yes nor no; other questions it may answer.

    `ours`: it means our account or our base, so it would say the same to any question.
    """

    def __init__(self, what: str, *, ours: bool = False) -> None:
        """Say `what` it answered."""
        super().__init__(what)
        self.ours = ours


class OneUserRefusedError(ServerRefusedError):
    """It means one user, so other servers aren't asked."""


class UndecidedError(Unavailable):
    """Nobody could tell of this one user; nothing is out of order."""


@dataclass(frozen=True)
class Server:
    """One server of aad.toml, and its health; what changed about that goes to `news`, for the log.

    `turns`: which the answers of all servers take.
    """

    url: str
    peer: Peer
    news: deque[Fact]
    turns: Turns
    health: Health = field(default_factory=Health)

    def failed(self, outage: int, what: str) -> None:
        """Note that it is down."""
        if self.health.failed(outage, what):
            self.news.append(Fact(name="server.down", fields={"server": self.url, "reason": what}))

    def worked(self) -> None:
        """Note that it works."""
        if self.health.worked():
            self.news.append(Fact(name="server.up", fields={"server": self.url}))


@dataclass(frozen=True)
class Account:
    """Who searches; an empty `dn` does so anonymously."""

    dn: str
    password: Secret


def host_and_port(url: str) -> tuple[str, str, int]:
    """Split "ldaps://host[:port]" into scheme, host and port; ValueError."""
    parts = urlsplit(url)
    bare = f"{parts.scheme}://{parts.netloc}"
    if parts.scheme not in _PORTS or not parts.hostname or url.removesuffix("/") != bare or "@" in url:
        raise ValueError(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme]


def peer(url: str, tls: ssl.SSLContext | None, *, starttls: bool) -> Peer:
    """Return where `url` leads."""
    scheme, host, port = host_and_port(url)
    security = "tls" if scheme == "ldaps" else "starttls" if starttls else "none"
    return Peer(host=host, port=port, security=security, tls=tls if security != "none" else None)


class Connections:
    """One asker's lines to one server: on one the account searches, on the other users are bound."""

    def __init__(self, server: Server, names: Resolver, account: Account) -> None:
        """Open nothing yet."""
        self._server = server
        self._names = names
        self._account = account
        self._open: dict[str, Connection] = {}
        self.until = 0.0

    @property
    def kept(self) -> bool:
        """Whether any line is open."""
        return bool(self._open)

    @property
    def url(self) -> str:
        """The server's, as in aad.toml."""
        return self._server.url

    async def search(self, wanted: Search) -> tuple[Result, list[Entry]]:
        """Search as the account. BrokenConnectionError, UnreadableAnswerError."""
        line = self._open.get("account") or await self._searching()
        with self._readable("account"):
            result, entries = await line.search(wanted, self.until)
        return _in_order(result), entries

    async def base_found(self, base: str) -> Result:
        """Look for `base` as the account. BrokenConnectionError, UnreadableAnswerError."""
        line = self._open.get("account") or await self._searching()
        with self._readable("account"):
            return _in_order(await line.base_found(base, self.until))

    async def bind(self, dn: str, password: bytes) -> Result:
        """Bind as a user; the caller judges the rest. BrokenConnectionError, UnreadableAnswerError."""
        line = self._open.get("users") or await self._dialled("users")
        with self._readable("users"):
            return _in_order(await line.bind(dn, password))

    def close(self) -> None:
        """Close both."""
        while self._open:
            self._open.popitem()[1].close()

    @contextmanager
    def _readable(self, use: str) -> Iterator[None]:
        """Give a line up whose answer can't be read: it has ended; the others are as good as before."""
        try:
            yield
        except UnreadableAnswerError:
            if line := self._open.pop(use, None):
                line.close()
            raise

    async def _searching(self) -> Connection:
        line = await self._dialled("stranger")
        if self._account.dn:
            try:
                result = await line.bind(self._account.dn, self._account.password.reveal())
                refused = "" if result.code == SUCCESS else str(result)
            except UnreadableAnswerError as unreadable:
                refused = str(unreadable)
            if refused:
                message = f"our own account {self._account.dn} was refused: {refused}"
                raise OutOfOrderError(message)
        self._open["account"] = self._open.pop("stranger", line)
        return line

    async def _dialled(self, use: str) -> Connection:
        """Connect to the first address that takes it; each gets its share of the time."""
        addresses = await self._names.addresses(self._server.peer.host, self.until)
        for left in range(len(addresses), 0, -1):
            share = max(0.001, (self.until - time.monotonic()) / left)
            # At once, so that it is closed.
            line = self._open[use] = Connection(self._server.peer, addresses[-left], share, self._server.turns)
            try:
                await line.open()
            except BrokenConnectionError:
                self._open.pop(use, line).close()  # who stops has taken it out
                if left == 1:
                    raise
            else:
                return line
        raise AssertionError  # Names never returns an empty list


def _in_order(result: Result) -> Result:
    """Return the result, unless it says that the server is out of order as a whole."""
    if result.code in {BUSY, UNAVAILABLE}:
        raise OutOfOrderError(str(result))
    return result


class Failover:
    """What one job of the pool asks with: lines to each server, kept open."""

    def __init__(self, servers: Sequence[Server], names: Resolver, account: Account, timeout: float) -> None:
        """Open nothing yet. `timeout`: seconds for one server."""
        self._lines = [(server, Connections(server, names, account)) for server in servers]
        self._timeout = timeout
        self._stopped = False

    async def ask(self, question: Question[A], deadline: float) -> A:
        """Ask one server after the other; Unavailable: none could tell. What else `question` raises is its own."""
        said: dict[str, str] = {}
        works = False
        for position, (server, lines) in enumerate(self._lines):
            now = time.monotonic()
            # Each server gets its share of the time that is left, so that one that is mute doesn't use up all of it.
            until = now + min(self._timeout, (deadline - now) / (len(self._lines) - position))
            if now >= until or self._stopped:
                break
            outage = server.health.admits(now, until)
            if outage is None:
                said[server.url] = server.health.what
                continue
            try:
                answer = await self._asked(lines, question, now, until)
            except BrokenConnectionError as broken:
                said[server.url] = str(broken)
                if (
                    not isinstance(broken, SlowServerError) or until - now >= self._timeout / 4
                ):  # else it had hardly a chance
                    server.failed(outage, str(broken))
            except (ServerRefusedError, UnreadableAnswerError) as refused:
                server.worked()
                said[server.url] = str(refused)
                works = works or not (isinstance(refused, ServerRefusedError) and refused.ours)
                if isinstance(refused, OneUserRefusedError):
                    break
            else:
                server.worked()
                for _, later in self._lines[position + 1 :]:
                    later.close()
                return answer
        raise (UndecidedError if works else Unavailable)(_joined(said) or "no time was left to ask a server")

    async def ask_each(self, question: Question[str]) -> AsyncIterator[tuple[str, str, bool]]:
        """Ask every server, whatever is known of it: its URL, what it said, and whether it could tell."""
        for server, lines in self._lines:
            now = time.monotonic()
            try:
                yield server.url, await self._asked(lines, question, now, now + self._timeout), True
            except (BrokenConnectionError, ServerRefusedError, UnreadableAnswerError) as error:
                yield server.url, str(error), False

    def stop(self) -> None:
        """Begin nothing any more, and end what is at work."""
        self._stopped = True
        for _, lines in self._lines:
            lines.close()

    async def _asked(self, lines: Connections, question: Question[A], now: float, until: float) -> A:
        kept, lines.until = lines.kept, until
        try:
            async with asyncio.timeout_at(until):
                try:
                    return await question(lines)
                except BrokenConnectionError as broken:
                    lines.close()
                    if not kept or isinstance(broken, SlowServerError | OutOfOrderError) or self._stopped:
                        raise
                return await question(lines)
        except TimeoutError:
            lines.close()
            message = f"no answer within {until - now:.1f} s"
            raise SlowServerError(message) from None
        except (BrokenConnectionError, asyncio.CancelledError):
            lines.close()
            raise


def _joined(said: Mapping[str, str]) -> str:
    return "; ".join(f"{url}: {what}" for url, what in said.items())
