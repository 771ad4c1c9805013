"""A policy server that Postfix asks about each recipient: it greylists, takes its time, or lets pass."""

import asyncio
import time
from typing import Self

GREYLISTED = "DEFER_IF_PERMIT 4.2.0 Greylisted, come again"


class Policy:
    """Listens on a free port of 127.0.0.1; for `Beside`. Who is greylisted may pass after so many seconds."""

    def __init__(self, *, greylisted: str = "", seconds: float = 3.0, slow: str = "") -> None:
        self.port = 0
        self.asked: list[str] = []
        self._greylisted, self._seconds, self._slow = greylisted, seconds, slow
        self._first: float | None = None
        self._hurry = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._hurry = asyncio.Event()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._hurry.set()
        self._server.close()

    def hurry(self) -> None:
        """Answer those at last who were to wait."""
        self._hurry.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        recipient = ""
        while line := (await reader.readline()).decode():
            key, _, value = line.strip().partition("=")
            recipient = value if key == "recipient" else recipient
            if line != "\n":
                continue
            self.asked.append(recipient)
            if recipient == self._slow:
                await self._hurry.wait()
            writer.write(f"action={self._action(recipient)}\n\n".encode())
        writer.close()

    def _action(self, recipient: str) -> str:
        if recipient != self._greylisted:
            return "DUNNO"
        self._first = self._first or time.monotonic()
        return GREYLISTED if time.monotonic() < self._first + self._seconds else "DUNNO"
