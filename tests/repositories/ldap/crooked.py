"""LDAP servers that misbehave: one in front of a real slapd, and one that says whatever a test wants."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Self

LONG = b"\x30\x84\x00\x07\xff\x00"  # the beginning of a message that is almost as long as one may be
SEARCH, BIND, EXTENDED = 0x63, 0x60, 0x77  # requests
ENTRY, DONE, REFERENCE, BOUND, EXTENDED_DONE = 0x64, 0x65, 0x73, 0x61, 0x78  # answers


def ber(tag: int, *parts: bytes) -> bytes:
    """Encode one element, with a length of four octets as some directories do."""
    content = b"".join(parts)
    return bytes((tag, 0x84)) + len(content).to_bytes(4, "big") + content


def result(tag: int, code: int, text: bytes = b"", *more: bytes) -> bytes:
    """Encode an LDAPResult."""
    return ber(tag, ber(0x0A, bytes((code,))), ber(0x04), ber(0x04, text), *more)


def entry(dn: bytes) -> bytes:
    """Encode an entry of a search, without attributes."""
    return ber(ENTRY, ber(0x04, dn), ber(0x30))


def number_in(request: bytes) -> bytes:
    """Return the octets of a request's number."""
    start = 2 if request[1] < 0x80 else 2 + request[1] - 0x80
    return request[start + 2 : start + 2 + request[start + 1]]


def kind_of(request: bytes) -> int:
    """Return the tag of what is asked."""
    start = 2 if request[1] < 0x80 else 2 + request[1] - 0x80
    return request[start + 2 + request[start + 1]]


class Listening:
    """A server in the test's own event loop."""

    port = 0

    async def __aenter__(self) -> Self:
        self._tasks: set[asyncio.Task[None]] = set()
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.drop()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"ldap://127.0.0.1:{self.port}"

    async def left(self) -> None:
        """Wait until every connection is closed."""
        async with asyncio.timeout(5):
            while self._tasks:
                await asyncio.wait(self._tasks)

    def drop(self) -> None:
        """Close every connection."""
        for task in self._tasks:
            task.cancel()

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._closed_after(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _closed_after(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError, asyncio.CancelledError):
                await self.serve(reader, writer)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise NotImplementedError


class Relay(Listening):
    """Passes everything to a real server and back, until it has a mood: "mute", "drip", "garbage" or "close"."""

    def __init__(self, port: int) -> None:
        self.mood = ""
        self.accepted = 0
        self.asked = asyncio.Event()  # a request waits for an answer that will not come
        self._behind = port

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", self._behind)
        back = asyncio.ensure_future(_copied(behind_reader, writer))
        try:
            while octets := await reader.read(65536):
                if self.mood:
                    self.asked.set()
                    await self._moody(octets, reader, writer)
                    return
                behind_writer.write(octets)
                await behind_writer.drain()
        finally:
            back.cancel()
            behind_writer.close()

    async def _moody(self, asked: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.mood == "close":
            return
        if self.mood == "garbage":
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 4)
            await writer.drain()
            return
        gone = asyncio.ensure_future(reader.read())
        if self.mood == "drip":
            writer.write(LONG + ber(0x02, number_in(asked)) + bytes((ENTRY,)))
            while not gone.done():
                writer.write(b"\0")
                await asyncio.wait((gone,), timeout=0.01)
        await gone


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while octets := await reader.read(65536):
            writer.write(octets)
            await writer.drain()
        writer.close()


class Liar(Listening):
    """Answers each request, given its tag and octets, with the operations that `answers` returns."""

    def __init__(self, answers: Callable[[int, bytes], list[bytes]]) -> None:
        self._answers = answers

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while octets := await reader.read(65536):
            for answer in self._answers(kind_of(octets), octets):
                writer.write(ber(0x30, ber(0x02, number_in(octets)), answer))
            await writer.drain()
