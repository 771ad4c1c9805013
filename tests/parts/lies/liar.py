"""What the lying servers have in common: the process and its orders, and octets by the megabyte."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from tests.parts.part import Part
from tests.parts.ports import free_port
from tests.parts.waiting import NotInTimeError

MEGABYTE = 1024 * 1024
MOST = 256 * MEGABYTE  # of one lie: whoever keeps it all is seen
_ROOT = Path(__file__).parents[3]
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Liar(Part):
    """A program of this folder, as a process; it listens on `port` of 127.0.0.1."""

    def __init__(self, program: str, *arguments: str | Path) -> None:
        """`program`: the name of its module."""
        self.port = free_port()
        words = [f"tests.parts.lies.{program}", str(self.port), *map(str, arguments)]
        self._command = [sys.executable, "-m", *words]
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Begin honest."""
        self._process = subprocess.Popen(
            self._command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self._hear()

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def lie(self, name: str) -> None:
        """Tell this lie from now on, on connections to come; those there are end."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(f"{name}\n")
        self._hear()

    def behave(self) -> None:
        """Be honest again."""
        self.lie("")

    def _hear(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "so be it\n":
            what = f"an answer of {self._command}"
            raise NotInTimeError(what, 0)


class Orders:
    """The lie that the program tells at the moment, for its connections."""

    def __init__(self) -> None:
        self.name = ""
        self._open: set[asyncio.StreamWriter] = set()

    async def obey(self, serve: Serve, port: int, **listening: object) -> None:
        """Serve each connection, and take orders, until there are none any more."""

        async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._open.add(writer)
            with suppress(OSError, asyncio.IncompleteReadError, ValueError):
                await serve(reader, writer)
            self._open.discard(writer)
            writer.transport.abort()

        server = await asyncio.start_server(one, "127.0.0.1", port, limit=16 * MEGABYTE, **listening)  # type: ignore[arg-type]
        loop = asyncio.get_running_loop()
        print("so be it", flush=True)  # noqa: T201 - the test waits for it
        async with server:
            while order := await loop.run_in_executor(None, sys.stdin.readline):
                self.name = order.strip()
                for writer in list(self._open):
                    writer.transport.abort()
                print("so be it", flush=True)  # noqa: T201 - as above


async def say(writer: asyncio.StreamWriter, pieces: Iterable[bytes], pause: float = 0.0) -> None:
    """Send it all, as fast as it is taken; with a `pause` after each piece it comes in so many pieces."""
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        if pause:
            await asyncio.sleep(pause)


def endless(piece: bytes, size: int = 65536) -> Callable[[], Iterator[bytes]]:
    """Return what says the same again and again, in pieces of about this size."""
    large = piece * max(1, size // len(piece))
    return lambda: (large for _ in range(MOST // len(large)))


def once(octets: bytes) -> Callable[[], Iterator[bytes]]:
    """Return what says this, in one piece."""
    return lambda: iter((octets,))


def by_and_by(octets: bytes) -> Callable[[], Iterator[bytes]]:
    """Return what says it octet by octet, which few can send faster than they are read."""
    return lambda: (octets[at : at + 1] for at in range(len(octets)))
