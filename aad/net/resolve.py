"""Addresses of host names, without waiting long for a name server that is dead.

getaddrinfo can't be interrupted. So each name is looked up in a daemon thread of its own, at most one thread for one
name, and nothing waits for it at exit: a dead name server takes no thread that other work needs.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from contextlib import suppress


class NoAnswerError(TimeoutError):
    """The name server has not answered yet, and no address is known from before."""


class Resolver:
    """Looks host names up, and remembers the addresses that were found last. For one event loop."""

    def __init__(self) -> None:
        """Know no name yet."""
        self._known: dict[str, list[str]] = {}
        self._lookups: dict[str, asyncio.Future[list[str]]] = {}

    async def addresses(self, host: str, until: float) -> list[str]:
        """Return the IP addresses of `host`, one at least, in the system's order.

        The lookup gets half the time that is left until `until` (`time.monotonic()`), so that the other half is left
        to connect; it goes on for those who ask next. If it fails or takes longer, the addresses of the last time are
        returned. OSError: there are none; NoAnswerError: there are none yet.
        """
        lookup = self._lookup(host)
        await asyncio.wait((lookup,), timeout=max(0.0, (until - time.monotonic()) / 2))
        if found := self._known.get(host):
            return found
        if not lookup.done():
            message = f"no answer to what the address of {host} is"
            raise NoAnswerError(message)
        return lookup.result()

    def _lookup(self, host: str) -> asyncio.Future[list[str]]:
        """Begin a lookup, or join the one that is in progress."""
        lookup = self._lookups.get(host)
        if lookup is None or lookup.done():
            loop = asyncio.get_running_loop()
            lookup = loop.create_future()
            arguments = (host, loop, lookup)
            threading.Thread(target=self._ask, args=arguments, name=f"lookup of {host}", daemon=True).start()
            self._lookups[host] = lookup  # only now: one without a thread would never end
        return lookup

    def _ask(self, host: str, loop: asyncio.AbstractEventLoop, lookup: asyncio.Future[list[str]]) -> None:
        found: list[str] | OSError
        try:
            infos = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            found = list(dict.fromkeys(str(info[4][0]) for info in infos)) or OSError(f"{host} has no address")
        except OSError as error:
            found = error
        except UnicodeError:  # a label that is empty or too long
            found = OSError(f"{host} is no host name")
        with suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(self._settle, host, lookup, found)

    def _settle(self, host: str, lookup: asyncio.Future[list[str]], found: list[str] | OSError) -> None:
        if isinstance(found, OSError):
            lookup.set_exception(found)
            lookup.exception()  # those who asked may have left: then it's no "exception was never retrieved"
        else:
            self._known[host] = found
            lookup.set_result(found)
