"""Addresses of servers, without waiting for a name server that is dead."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from contextlib import suppress

from aad.repositories.ldap.connect import BrokenConnectionError, SlowServerError


class Resolver:
    """Addresses of host names. Each name is asked for in a thread of its own, as getaddrinfo can't be stopped."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._known: dict[str, list[str]] = {}
        self._asked: dict[str, asyncio.Event] = {}

    async def addresses(self, host: str, until: float) -> list[str]:
        """Return the addresses of `host`; those of last time if none come in half the time. BrokenConnectionError."""
        answered = self._asked.get(host)
        if answered is None or answered.is_set():
            answered = self._asked[host] = asyncio.Event()
            ask = (host, asyncio.get_running_loop(), answered)
            threading.Thread(target=self._ask, args=ask, name=f"name of {host}", daemon=True).start()
        with suppress(TimeoutError):
            await asyncio.wait_for(answered.wait(), max(0.0, (until - time.monotonic()) / 2))
        if not (found := self._known.get(host)):
            if not answered.is_set():
                message = f"no answer to what the address of {host} is"
                raise SlowServerError(message)
            message = f"no address is known for {host}"
            raise BrokenConnectionError(message)
        return found

    def _ask(self, host: str, loop: asyncio.AbstractEventLoop, answered: asyncio.Event) -> None:
        try:
            infos = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            self._known[host] = list(dict.fromkeys(str(info[4][0]) for info in infos))
        except (OSError, UnicodeError):
            pass  # those of the last time are better than none
        finally:
            with suppress(RuntimeError):  # the loop is gone, and so is who asked
                loop.call_soon_threadsafe(answered.set)
