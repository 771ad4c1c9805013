"""A mail server that says exactly what a test wants, for what a real one never does on demand."""

import asyncio
import time
from types import TracebackType
from typing import Self

from aad.core.message import Message, Receipt
from aad.ports import Sender, Unavailable

GOOD = {
    "banner": "220 script.example.com ESMTP",
    "EHLO": "250-script.example.com\r\n250 8BITMIME",
    "MAIL": "250 2.1.0 Ok",
    "RCPT": "250 2.1.5 Ok",
    "DATA": "354 go on",
    "end": "250 2.0.0 Ok: queued as 4XyZ",
    "RSET": "250 2.0.0 Ok",
    "NOOP": "250 2.0.0 Ok",
    "QUIT": "221 2.0.0 Bye",
}
SILENCE, HANG_UP = "silence", "hang up"


async def eventually_sent(sender: Sender, message: Message) -> Receipt:
    """Send until it works; it must within seconds."""
    async with asyncio.timeout(8):
        while True:
            try:
                return await sender.send(message, time.monotonic() + 5)
            except Unavailable:
                await asyncio.sleep(0.05)


class Script:
    """Listens on 127.0.0.1. `say` changes the answer to a command, for a number of times or for good."""

    def __init__(self) -> None:
        self.port = 0
        self.heard: list[str] = []  # the commands, and "end" for each mail
        self.connections = 0
        self.open = 0
        self._answers: dict[str, list[str]] = {}
        self._moved = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()
        self._held, self._released = "", asyncio.Event()

    def say(self, at: str, answer: str, times: int = 1000) -> None:
        self._answers[at] = [answer] * times

    def behave(self) -> None:
        self._answers.clear()

    def hold(self, at: str) -> None:
        """Let the answer to a command wait for `release`."""
        self._held = at
        self._released.clear()

    def release(self) -> None:
        self._released.set()

    async def until(self, what: str, count: int = 1) -> None:
        """Wait until a command was heard so often."""
        await self._wait(lambda: sum(line.startswith(what) for line in self.heard) >= count)

    async def until_open(self, count: int) -> None:
        """Wait until so many connections stand."""
        await self._wait(lambda: self.open == count)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, _k: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _wait(self, condition: object) -> None:
        assert callable(condition)
        async with asyncio.timeout(10), self._moved:
            await self._moved.wait_for(condition)

    async def _tell(self, opened: int = 0, heard: str = "") -> None:
        async with self._moved:
            self.open += opened
            self.connections += max(opened, 0)
            self.heard += [heard] if heard else []
            self._moved.notify_all()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await self._tell(opened=1)
        try:
            await self._converse(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            await self._tell(opened=-1)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        at, body = "banner", False
        while True:
            queue = self._answers.get(at)
            answer = queue.pop() if queue else GOOD.get(at, "502 5.5.1 what?")
            if self._held and at == self._held:
                await self._released.wait()
            if answer == HANG_UP:
                return
            if answer == SILENCE:
                await reader.read()
                return
            writer.write(answer.encode() + b"\r\n")
            if at == "STARTTLS" and answer.startswith("220"):  # and never a word of TLS
                await reader.read()
                return
            body = at == "DATA" and answer.startswith("354")
            line = await reader.readline()
            while body and line not in (b".\r\n", b""):
                line = await reader.readline()
            if not line:
                return
            heard = "end" if body else line.decode().strip()
            at = "end" if body else heard.partition(" ")[0].upper()
            await self._tell(heard=heard)
