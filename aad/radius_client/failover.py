"""Several RADIUS servers that know the same users: when one fails, the next is asked and it is left alone a while."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Sequence

from aad.core.outcome import Fact
from aad.core.secret import Secret
from aad.net.backoff import Backoff
from aad.net.resolve import Resolver
from aad.ports import Unavailable
from aad.radius_client.connection import AllIdentifiersUsedError, Connection, UnansweredError
from aad.radius_client.nas import host_and_port
from aad.radius_client.request import PasswordCheck, Verdict, verdict


def fault(name: str) -> str:
    """Say what is wrong with a server's name, and what would be right; empty: nothing is."""
    try:
        host_and_port(name)
    except ValueError as error:
        return str(error)
    return ""


class Server:
    """One server: its connection, and whether it is down. What changes about that goes to `news`, for the log."""

    def __init__(self, name: str, secret: Secret, resolver: Resolver, news: list[Fact]) -> None:
        """Open nothing yet. `name`: HOST or HOST:PORT, as in aad.toml."""
        self.name = name
        self._host, self._port = host_and_port(name)
        self._secret = secret
        self._news = news
        self._resolver = resolver
        self._connection: Connection | None = None
        self._opening = asyncio.Lock()
        self._backoff = Backoff()

    @property
    def ready(self) -> bool:
        """Whether it may be asked now."""
        return self._backoff.admits(time.monotonic())

    @property
    def reason(self) -> str:
        """Why it is down; empty: it isn't."""
        return self._backoff.reason

    async def ask(self, question: PasswordCheck, again: float, until: float) -> Verdict:
        """Ask, once more after each `again` seconds without a reply. UnansweredError: there was none by `until`."""
        began = time.monotonic()
        self._backoff.admit(began, until)
        try:
            connection = await self._opened_in_time(until)
            reply = await connection.ask(question, again, until)
        except AllIdentifiersUsedError:
            raise
        except UnansweredError as error:
            self._failed(str(error), began)
            raise
        finally:
            self._backoff.abandoned(began)
        self._worked()
        return verdict(reply)

    def close(self) -> None:
        """Close its socket."""
        if self._connection is not None:
            self._connection.close()

    async def _opened_in_time(self, until: float) -> Connection:
        """Return an open connection. UnansweredError: its address isn't known, or the system refuses a socket to it."""
        try:
            async with asyncio.timeout_at(until):
                return await self._opened(until)
        except TimeoutError:
            message = "its name isn't found in time"
            raise UnansweredError(message) from None
        except OSError as error:
            message = f"can't be reached: {error.strerror or error}"
            raise UnansweredError(message) from None

    async def _opened(self, until: float) -> Connection:
        """Return an open connection; if the server is down, to the address that its name has now. OSError."""
        async with self._opening:
            if self._connection is not None and self._backoff.down and not self._connection.busy:
                self._connection.close()
                self._connection = None
            if self._connection is None or self._connection.closed:
                address = (await self._resolver.addresses(self._host, until))[0]
                _, self._connection = await asyncio.get_running_loop().create_datagram_endpoint(
                    lambda: Connection(self._secret),
                    remote_addr=(address, self._port),
                    family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                )
            return self._connection

    def _failed(self, why: str, began: float) -> None:
        """Count a failure, unless the server has answered others since the attempt `began`."""
        if self._connection is not None and self._connection.last_reply >= began:
            return
        if self._backoff.failed(began, time.monotonic(), why):
            self._news.append(Fact(name="server.down", fields={"server": self.name, "reason": why}))

    def _worked(self) -> None:
        if self._backoff.worked(time.monotonic()):
            self._news.append(Fact(name="server.up", fields={"server": self.name}))


class Failover:
    """Asks the first that answers. `timeout`: seconds until a request is sent again, `retries` times."""

    def __init__(self, names: Sequence[str], secret: Secret, timeout: float, retries: int) -> None:
        """Open nothing yet."""
        self._news: list[Fact] = []
        resolver = Resolver()
        self._servers = [Server(name, secret, resolver, self._news) for name in names]
        self._timeout = timeout
        self._patience = timeout * (1 + retries)

    async def ask(self, question: PasswordCheck, deadline: float) -> Verdict:
        """Return the verdict of the first that replies; each gets an equal share of the time. Unavailable: none did."""
        ready = [server for server in self._servers if server.ready]
        reasons = []
        for number, server in enumerate(ready):
            now = time.monotonic()
            if now >= deadline:
                reasons.append(f"{server.name}: no time was left to ask it")
                break
            share = (deadline - now) / (len(ready) - number)
            try:
                return await server.ask(question, self._timeout, now + min(share, self._patience))
            except UnansweredError as error:
                reasons.append(f"{server.name}: {error}")
        what = "; ".join(reasons or [f"{server.name}: {server.reason}" for server in self._servers])
        raise Unavailable(what, facts=self.news())

    def news(self) -> tuple[Fact, ...]:
        """Return, once, which servers went down or came back since the last call."""
        facts = tuple(self._news)
        self._news.clear()
        return facts

    def close(self) -> None:
        """Close the sockets of all."""
        for server in self._servers:
            server.close()
