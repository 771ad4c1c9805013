"""GET over HTTP/1.1 on one loopback address or unix socket, for a monitoring system and nobody else.

One request a connection, a few connections, little time: whoever is slow or sends rubbish is cut off, and no login
waits for him.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Self

from aad.core.raised import raised
from aad.metrics.listen_address import ListenAddress
from aad.ports import Record

HEAD_OCTETS = 8192
CONNECTIONS = 16  # when there are more, the oldest is cut off
PATIENCE = 5.0  # seconds for a whole request and its reply
_HEADS = ("GET", "HEAD")
_WORDS = 3  # of a request line
_ENDED = (TimeoutError, OSError, asyncio.IncompleteReadError)


@dataclass(frozen=True, kw_only=True)
class Response:
    """What a path says."""

    body: bytes
    status: HTTPStatus = HTTPStatus.OK
    kind: str = "text/plain; charset=utf-8"


Paths = Mapping[str, Callable[[], Awaitable[Response]]]


class HttpServer:
    """Serves `paths` while it is entered."""

    def __init__(self, place: ListenAddress, paths: Paths, record: Record, *, patience: float = PATIENCE) -> None:
        """Keep what it gets; nothing is opened."""
        self._place = place
        self._paths = paths
        self._record = record
        self._patience = patience
        self._open: dict[asyncio.StreamWriter, None] = {}  # the oldest first
        self._server: asyncio.Server

    async def __aenter__(self) -> Self:
        """Listen. OSError: the address can't be had, and why."""
        self._server = await asyncio.start_server(
            self._connected, sock=self._place.bound(), limit=HEAD_OCTETS, backlog=CONNECTIONS
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Close everything; a unix socket is removed."""
        self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        await self._server.wait_closed()
        self._place.remove()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request, or cut off."""
        if len(self._open) >= CONNECTIONS:
            oldest = next(iter(self._open))
            del self._open[oldest]
            oldest.transport.abort()
        self._open[writer] = None
        try:
            async with asyncio.timeout(self._patience):
                writer.write(await self._reply(reader))
                writer.close()
                await writer.wait_closed()  # until it is sent
        except _ENDED:
            pass
        finally:
            self._open.pop(writer, None)
            writer.transport.abort()

    async def _reply(self, reader: asyncio.StreamReader) -> bytes:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return _written(_plain(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE))
        line, *fields = head.decode("latin-1").split("\r\n")
        words = line.split(" ")
        if len(words) != _WORDS or not words[2].startswith("HTTP/1."):
            return _written(_plain(HTTPStatus.BAD_REQUEST))
        # RFC 9112 3.2: "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request message that
        # lacks a Host header field".
        if words[2] != "HTTP/1.0" and not any(field.lower().startswith("host:") for field in fields):
            return _written(_plain(HTTPStatus.BAD_REQUEST))
        said = await self._said(words[0], words[1].partition("?")[0])
        return _written(said, body=words[0] != "HEAD")

    async def _said(self, method: str, path: str) -> Response:
        if path not in self._paths:
            return _plain(HTTPStatus.NOT_FOUND)
        if method not in _HEADS:
            return _plain(HTTPStatus.METHOD_NOT_ALLOWED)
        try:
            return await self._paths[path]()
        except Exception as error:  # noqa: BLE001 - whatever went wrong, it is told, and logins go on
            self._record("fault", reason=f"{path}: {raised(error)}")
            return _plain(HTTPStatus.INTERNAL_SERVER_ERROR)


def _plain(status: HTTPStatus) -> Response:
    return Response(status=status, body=f"{status.phrase}\n".encode())


def _written(said: Response, *, body: bool = True) -> bytes:
    """Write a reply as octets; without its body where only the head was asked for."""
    fields = [
        f"HTTP/1.1 {said.status.value} {said.status.phrase}",
        f"Content-Type: {said.kind}",
        f"Content-Length: {len(said.body)}",
        "Cache-Control: no-store",
        "Connection: close",
    ]
    if said.status == HTTPStatus.METHOD_NOT_ALLOWED:
        fields.append(f"Allow: {', '.join(_HEADS)}")
    return "\r\n".join([*fields, "", ""]).encode("latin-1") + (said.body if body else b"")
