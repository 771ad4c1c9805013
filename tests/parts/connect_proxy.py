"""An HTTP proxy of the test's own that opens tunnels by CONNECT, and can answer otherwise."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

from tests.parts.part import Part
from tests.parts.ports import free_port
from tests.parts.waiting import NotInTimeError

OPEN = b"HTTP/1.1 200 Connection established\r\n\r\n"


class ConnectProxy(Part):
    """Runs in a thread; `targets` are those that were asked for. `reply`: what it answers."""

    def __init__(self) -> None:
        """Choose a port."""
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.targets: list[str] = []
        self.reply = OPEN
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen."""
        ready = threading.Event()
        self._thread = threading.Thread(target=asyncio.run, args=(self._serve(ready),), daemon=True)
        self._thread.start()
        if not ready.wait(10):
            what = "the proxy"
            raise NotInTimeError(what, 10)

    def stop(self) -> None:
        """Close the port and all tunnels."""
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._ended.set)
            self._thread.join(10)
            self._thread = None

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        async with await asyncio.start_server(self._tunnel, "127.0.0.1", self.port):
            ready.set()
            await self._ended.wait()

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read a CONNECT, answer, and carry octets both ways until one side ends."""
        method, target, _ = (await reader.readuntil(b"\r\n\r\n")).decode().split(" ", 2)
        assert method == "CONNECT"
        self.targets.append(target)
        writer.write(self.reply)
        if self.reply == OPEN:
            host, _, port = target.rpartition(":")
            back, forth = await asyncio.open_connection(host.strip("[]"), int(port))
            await asyncio.wait(
                {asyncio.create_task(_pump(reader, forth)), asyncio.create_task(_pump(back, writer))},
                return_when=asyncio.FIRST_COMPLETED,
            )
            forth.transport.abort()
        elif self.reply:
            with suppress(OSError):
                await reader.read()
        writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):  # it hung up, which ends the tunnel
        while octets := await reader.read(65536):
            writer.write(octets)
