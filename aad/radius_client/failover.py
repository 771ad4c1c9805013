"""Several RADIUS servers that know the same: the next one when one fails, which is then left alone for a while."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from aad.core.backoff import longer
from aad.core.outcome import Fact
from aad.core.secret import Secret
from aad.ports import Unavailable
from aad.radius_client.connection import AllIdentifiersUsedError, Connection, UnansweredError
from aad.radius_client.nas import host_and_port
from aad.radius_client.request import PasswordCheck, Verdict, verdict


def wrong(name: str) -> str:
    """Say what is wrong with a server's name, and what would be right; empty: nothing."""
    try:
        host_and_port(name)
    except ValueError as error:
        return str(error)
    return ""


class Server:
    """One server: its line, and its health. What changes about that goes to `news`, for the log."""

    def __init__(self, name: str, secret: Secret, news: list[Fact]) -> None:
        """Open nothing yet. `name`: HOST or HOST:PORT, as in aad.toml."""
        self.name = name
        self.why = ""
        self._host, self._port = host_and_port(name)
        self._secret = secret
        self._news = news
        self._line: Connection | None = None
        self._opening = asyncio.Lock()
        # A lookup can't be stopped: one thread, so that a dead name server holds up this server alone.
        self._lookup = ThreadPoolExecutor(1, thread_name_prefix=f"lookup of {name}")
        self._pause = self._until = 0.0
        self._trying = False

    @property
    def ready(self) -> bool:
        """Whether it may be asked: it works, or its pause is over and nobody tries it yet."""
        return not self._pause or (time.monotonic() >= self._until and not self._trying)

    async def ask(self, question: PasswordCheck, again: float, until: float) -> Verdict:
        """Ask, once more after each `again` seconds without a reply. UnansweredError: there was none by `until`."""
        began, self._trying = time.monotonic(), bool(self._pause)
        try:
            try:
                async with asyncio.timeout(until - began):
                    line = await self._opened()
            except TimeoutError:
                message = "its name isn't found in time"
                raise UnansweredError(message) from None
            except OSError as error:
                message = f"can't be reached: {error.strerror or error}"
                raise UnansweredError(message) from None
            reply = await line.ask(question, again, until)
        except AllIdentifiersUsedError:
            raise
        except UnansweredError as error:
            self._failed(str(error), began)
            raise
        finally:
            self._trying = False
        self._worked()
        return verdict(reply)

    def close(self) -> None:
        """Close its socket; nobody waits for a lookup any more."""
        if self._line is not None:
            self._line.close()
        self._lookup.shutdown(wait=False, cancel_futures=True)

    async def _opened(self) -> Connection:
        """Return an open line; after a pause to where the name leads now. OSError."""
        async with self._opening:
            if self._line is not None and self._pause and not self._line.busy:
                self._line.close()
                self._line = None
            if self._line is None or self._line.closed:
                loop = asyncio.get_running_loop()
                lookup = partial(socket.getaddrinfo, self._host, self._port, type=socket.SOCK_DGRAM)
                family, _, _, _, address = (await loop.run_in_executor(self._lookup, lookup))[0]
                _, self._line = await loop.create_datagram_endpoint(
                    lambda: Connection(self._secret), remote_addr=(str(address[0]), self._port), family=family
                )
            return self._line

    def _failed(self, why: str, began: float) -> None:
        """Leave it alone, unless it answered others meanwhile, or this failure is one of a row that is known."""
        if (self._line is not None and self._line.heard >= began) or began < self._until:
            return
        if not self._pause:
            self._news.append(Fact(name="server.down", fields={"server": self.name, "reason": why}))
        self.why, self._pause = why, longer(self._pause)
        self._until = time.monotonic() + self._pause

    def _worked(self) -> None:
        if self._pause:
            self._pause = self._until = 0.0
            self._news.append(Fact(name="server.up", fields={"server": self.name}))


class Failover:
    """Asks the first that answers. `timeout`: until a request is sent again, `retries` times."""

    def __init__(self, names: Sequence[str], secret: Secret, timeout: float, retries: int) -> None:
        """Open nothing yet."""
        self._news: list[Fact] = []
        self._servers = [Server(name, secret, self._news) for name in names]
        self._timeout = timeout
        self._patience = timeout * (1 + retries)

    async def ask(self, question: PasswordCheck, deadline: float) -> Verdict:
        """Return what the first says that replies. Unavailable: none did; each gets an equal share of the time."""
        ready = [server for server in self._servers if server.ready]
        said = []
        for number, server in enumerate(ready):
            now = time.monotonic()
            if now >= deadline:
                said.append(f"{server.name}: no time was left to ask it")
                break
            share = (deadline - now) / (len(ready) - number)
            try:
                return await server.ask(question, self._timeout, now + min(share, self._patience))
            except UnansweredError as error:
                said.append(f"{server.name}: {error}")
        what = "; ".join(said or [f"{server.name}: {server.why}" for server in self._servers])
        raise Unavailable(what, facts=self.news())

    def news(self) -> tuple[Fact, ...]:
        """Return what changed since it was asked for: servers that went, or are back."""
        facts = tuple(self._news)
        self._news.clear()
        return facts

    def close(self) -> None:
        """Close them all."""
        for server in self._servers:
            server.close()
