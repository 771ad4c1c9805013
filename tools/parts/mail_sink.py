"""A mail server that accepts every mail and hands it to the tool."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

CODE = re.compile(rb"\r\n +([0-9]{6})\r\n")


class Sink(asyncio.Protocol):
    """One connection of the smallest server that SMTP allows (RFC 5321)."""

    def __init__(self, taken: Callable[[bytes, bytes], None]) -> None:
        """Hand each mail to `taken`: the recipient's address, and the octets."""
        self._taken = taken
        self._buffer, self._data, self._recipient = b"", False, b""

    def connection_made(self, transport: Any) -> None:
        """Greet."""
        self._transport = transport
        transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        """Read lines, or a mail up to its dot."""
        self._buffer += data
        while (end := b"\r\n.\r\n" if self._data else b"\r\n") in self._buffer:
            piece, _, self._buffer = self._buffer.partition(end)
            if self._data:
                self._mail(piece)
            else:
                self._transport.write(self._command(piece))

    def _command(self, line: bytes) -> bytes:
        verb = line[:4].upper()
        if verb == b"EHLO":
            return b"250-sink\r\n250 8BITMIME\r\n"
        if verb == b"RCPT":
            self._recipient = line[line.index(b"<") + 1 : line.index(b">")]
        if verb == b"DATA":
            self._data = True
            return b"354 go on\r\n"
        return b"221 bye\r\n" if verb == b"QUIT" else b"250 OK\r\n"

    def _mail(self, octets: bytes) -> None:
        self._data = False
        self._taken(self._recipient, octets + b"\r\n")
        self._queued()

    def _queued(self) -> None:
        self._transport.write(b"250 2.0.0 Ok: queued as SINK\r\n")
