"""From a host's name to a connected socket, with one thread at most: dead DNS must not eat the threads of others."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import suppress
from typing import Any

Place = tuple[int, int, int, Any]
"""Family, type, protocol and address, as `socket` takes them."""


class Dialler:
    """Connects to one host and port. The address that answered last is tried first."""

    def __init__(self, host: str, port: int) -> None:
        """Note where; nothing is looked up yet."""
        self._host = host
        self._port = port
        self._lookup: asyncio.Future[list[Place]] | None = None
        self._good: Place | None = None

    async def dial(self, timeout: float) -> socket.socket:  # noqa: ASYNC109 - shared out among the addresses
        """Return a connected, non-blocking socket within `timeout` seconds. OSError (TimeoutError among them): none."""
        async with asyncio.timeout(timeout):
            places = sorted(await self._looked_up(), key=lambda place: place != self._good)
            failure = OSError(f"{self._host} has no address")
            for place in places:
                try:
                    async with asyncio.timeout(timeout / len(places)):
                        found = await _connected(place)
                except OSError as error:
                    failure = error
                else:
                    self._good = place
                    return found
            raise failure

    async def _looked_up(self) -> list[Place]:
        """Ask the resolver, in a thread of its own, unless that is being done already; then share the answer."""
        if self._lookup is None or self._lookup.done():
            loop = asyncio.get_running_loop()
            self._lookup = loop.create_future()
            # A daemon thread: getaddrinfo can't be interrupted, and nobody should wait for it at exit.
            threading.Thread(target=self._resolve, args=(loop, self._lookup), daemon=True).start()
        return await asyncio.shield(self._lookup)

    def _resolve(self, loop: asyncio.AbstractEventLoop, lookup: asyncio.Future[list[Place]]) -> None:
        found: list[Place] | OSError
        try:
            infos = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
            found = [(family, kind, protocol, address) for family, kind, protocol, _, address in infos]
        except OSError as error:
            found = error
        except UnicodeError:  # a label that is empty or too long
            found = OSError(f"{self._host} is no host name")
        with suppress(RuntimeError):  # the loop is gone, and so is who asked
            loop.call_soon_threadsafe(_settle, lookup, found)


def _settle(lookup: asyncio.Future[list[Place]], found: list[Place] | OSError) -> None:
    if isinstance(found, OSError):
        lookup.set_exception(found)
        lookup.exception()  # whoever asked may have left: then nobody else needs to be told
    else:
        lookup.set_result(found)


async def _connected(place: Place) -> socket.socket:
    family, kind, protocol, address = place
    connection = socket.socket(family, kind, protocol)
    try:
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, address)
    except BaseException:
        connection.close()
        raise
    return connection
