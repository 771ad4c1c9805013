"""The servers of one directory: how one after the other is asked, over kept connections.

1. Servers are asked in order; each gets `timeout`, or what is left until the deadline.
2. A server that is down isn't asked, so that its timeout is paid once; after a pause one job tries it (Backoff).
3. A server is down by what keeps it from being asked at all: no connection, no LDAP, no answer in time, our own account
   refused, "busy", "unavailable". By nothing else that it says, even if that can't be read: else one user could stop
   them all.
4. What it says of one user is final: no other server is asked about that user again.
5. A kept connection that turns out to be closed is opened again, once; that is no outage.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from aad.core.outcome import Fact
from aad.core.secret import Secret
from aad.net.backoff import Backoff
from aad.net.resolve import NoAnswerError, Resolver
from aad.ports import Unavailable
from aad.repositories.ldap.connect import BrokenConnectionError, ServerUnavailableError, SlowServerError, Target
from aad.repositories.ldap.connection import Connection
from aad.repositories.ldap.decode import Entry, UnreadableAnswerError
from aad.repositories.ldap.encode import Search
from aad.repositories.ldap.result_codes import BUSY, SUCCESS, UNAVAILABLE, Result
from aad.repositories.ldap.transport import Turns

A = TypeVar("A")
Work = Callable[["Connections"], Awaitable[A]]
"""What is asked of one server: it may be called again, for the next server or over a fresh connection."""


class ServerRefusedError(Exception):
    """The server answered this request with neither yes nor no; other requests it may answer.

    `ours`: it means our account or our base, so it would say the same to any request.
    """

    def __init__(self, what: str, *, ours: bool = False) -> None:
        """Say `what` it answered."""
        super().__init__(what)
        self.ours = ours


class OneUserRefusedError(ServerRefusedError):
    """The refusal means one user, so other servers aren't asked."""


class UndecidedError(Unavailable):
    """No server could tell of this one user; none of them is down."""


@dataclass(frozen=True)
class Server:
    """One server of aad.toml, and whether it is worth asking; what changes about that goes to `news`, for the log.

    `turns`: what the long answers of all servers share.
    """

    url: str
    target: Target
    news: deque[Fact]
    turns: Turns
    backoff: Backoff = field(default_factory=Backoff)

    def failed(self, began: float, what: str) -> None:
        """Count the failure of an attempt that began at `began` (monotonic)."""
        if self.backoff.failed(began, time.monotonic(), what):
            self.news.append(Fact(name="server.down", fields={"server": self.url, "reason": what}))

    def worked(self) -> None:
        """Count a success."""
        if self.backoff.worked(time.monotonic()):
            self.news.append(Fact(name="server.up", fields={"server": self.url}))


@dataclass(frozen=True)
class Account:
    """The account that searches; with an empty `dn`, anonymously."""

    dn: str
    password: Secret


class Connections:
    """Up to two kept connections to one server: on one the account searches, on the other users are bound.

    Used by one job at a time. `until`: when what is being asked has to be answered (monotonic).
    """

    def __init__(self, server: Server, resolver: Resolver, account: Account) -> None:
        """Open nothing yet."""
        self._server = server
        self._resolver = resolver
        self._account = account
        self._open: dict[str, Connection] = {}  # "account", "users"; "unbound" before the account is bound
        self.until = 0.0

    @property
    def kept(self) -> bool:
        """Whether any connection is open."""
        return bool(self._open)

    @property
    def url(self) -> str:
        """The server's, as in aad.toml."""
        return self._server.url

    async def search(self, wanted: Search) -> tuple[Result, list[Entry]]:
        """Search as the account. BrokenConnectionError, UnreadableAnswerError."""
        connection = self._open.get("account") or await self._bound_as_account()
        with self._dropped_if_unreadable("account"):
            result, entries = await connection.search(wanted, self.until)
        return _served(result), entries

    async def base_found(self, base: str) -> Result:
        """Look for `base` as the account. BrokenConnectionError, UnreadableAnswerError."""
        connection = self._open.get("account") or await self._bound_as_account()
        with self._dropped_if_unreadable("account"):
            return _served(await connection.base_found(base, self.until))

    async def bind(self, dn: str, password: bytes) -> Result:
        """Bind as a user; the caller judges the result. BrokenConnectionError, UnreadableAnswerError."""
        connection = self._open.get("users") or await self._connected("users")
        with self._dropped_if_unreadable("users"):
            return _served(await connection.bind(dn, password))

    def close(self) -> None:
        """Close both."""
        while self._open:
            self._open.popitem()[1].close()

    @contextmanager
    def _dropped_if_unreadable(self, use: str) -> Iterator[None]:
        """Drop a connection whose answer can't be read: it has ended; the other is as good as before."""
        try:
            yield
        except UnreadableAnswerError:
            if connection := self._open.pop(use, None):
                connection.close()
            raise

    async def _bound_as_account(self) -> Connection:
        connection = await self._connected("unbound")
        if self._account.dn:
            try:
                result = await connection.bind(self._account.dn, self._account.password.reveal())
                refused = "" if result.code == SUCCESS else str(result)
            except UnreadableAnswerError as unreadable:
                refused = str(unreadable)
            if refused:
                message = f"our own account {self._account.dn} was refused: {refused}"
                raise ServerUnavailableError(message)
        self._open["account"] = self._open.pop("unbound", connection)
        return connection

    async def _connected(self, use: str) -> Connection:
        """Connect to the first address that takes it; each gets its share of the time. BrokenConnectionError."""
        addresses = await self._addresses()
        for left in range(len(addresses), 0, -1):
            share = max(0.001, (self.until - time.monotonic()) / left)
            # Into the table before it is open, so that `close` closes it.
            connection = Connection(self._server.target, addresses[-left], share, self._server.turns)
            self._open[use] = connection
            try:
                await connection.open()
            except BrokenConnectionError:
                self._open.pop(use, connection).close()  # `close` may have taken it out
                if left == 1:
                    raise
            else:
                return connection
        raise AssertionError  # the resolver never returns an empty list

    async def _addresses(self) -> list[str]:
        host = self._server.target.host
        try:
            return await self._resolver.addresses(host, self.until)
        except NoAnswerError as error:
            raise SlowServerError(str(error)) from None
        except OSError:
            message = f"no address is known for {host}"
            raise BrokenConnectionError(message) from None


def _served(result: Result) -> Result:
    """Return the result. ServerUnavailableError: it says that the server as a whole can't serve us."""
    if result.code in {BUSY, UNAVAILABLE}:
        raise ServerUnavailableError(str(result))
    return result


class Failover:
    """What one job of the pool asks with: kept connections to each server."""

    def __init__(self, servers: Sequence[Server], resolver: Resolver, account: Account, timeout: float) -> None:
        """Open nothing yet. `timeout`: seconds for one server."""
        self._servers = [(server, Connections(server, resolver, account)) for server in servers]
        self._timeout = timeout
        self._stopped = False

    async def ask(self, work: Work[A], deadline: float) -> A:
        """Ask one server after the other, until one can tell; return what `work` returns.

        Unavailable: none could tell; UndecidedError: but one works. What else `work` raises is passed on.
        """
        reasons: dict[str, str] = {}
        works = False
        for position, (server, connections) in enumerate(self._servers):
            now = time.monotonic()
            # Each server gets its share of the time that is left, so that one that is mute doesn't use up all of it.
            until = now + min(self._timeout, (deadline - now) / (len(self._servers) - position))
            if now >= until or self._stopped:
                break
            if not server.backoff.admit(now, until):
                reasons[server.url] = server.backoff.reason
                continue
            try:
                answer = await self._asked(connections, work, now, until)
            except BrokenConnectionError as broken:
                reasons[server.url] = str(broken)
                # with less time it had hardly a chance
                if not isinstance(broken, SlowServerError) or until - now >= self._timeout / 4:
                    server.failed(now, str(broken))
            except (ServerRefusedError, UnreadableAnswerError) as refused:
                server.worked()
                reasons[server.url] = str(refused)
                works = works or not (isinstance(refused, ServerRefusedError) and refused.ours)
                if isinstance(refused, OneUserRefusedError):
                    break
            else:
                server.worked()
                for _, later in self._servers[position + 1 :]:
                    later.close()
                return answer
        raise (UndecidedError if works else Unavailable)(_joined(reasons) or "no time was left to ask a server")

    async def ask_each(self, work: Work[str]) -> AsyncIterator[tuple[str, str, bool]]:
        """Ask every server, up or down: its URL, its answer or the error, and whether it could tell."""
        for server, connections in self._servers:
            now = time.monotonic()
            try:
                yield server.url, await self._asked(connections, work, now, now + self._timeout), True
            except (BrokenConnectionError, ServerRefusedError, UnreadableAnswerError) as error:
                yield server.url, str(error), False

    def stop(self) -> None:
        """Begin nothing any more, and end what is in progress."""
        self._stopped = True
        for _, connections in self._servers:
            connections.close()

    async def _asked(self, connections: Connections, work: Work[A], now: float, until: float) -> A:
        kept, connections.until = connections.kept, until
        try:
            async with asyncio.timeout_at(until):
                try:
                    return await work(connections)
                except BrokenConnectionError as broken:
                    connections.close()
                    if not kept or isinstance(broken, SlowServerError | ServerUnavailableError) or self._stopped:
                        raise
                return await work(connections)
        except TimeoutError:
            connections.close()
            message = f"no answer within {until - now:.1f} s"
            raise SlowServerError(message) from None
        except (BrokenConnectionError, asyncio.CancelledError):
            connections.close()
            raise


def _joined(reasons: Mapping[str, str]) -> str:
    return "; ".join(f"{url}: {what}" for url, what in reasons.items())
