"""HTTP/1.1 for the metrics: GET and HEAD on one loopback address or unix socket, one request a connection.

The server of [https] isn't used for it, because that needs h11, an optional package, and metrics work without.

A few connections and little time: a client that is slow or sends rubbish is cut off, and no login waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from aad.core.raised import raised
from aad.metrics.listen_address import ListenAddress
from aad.ports import Record

HEAD_OCTETS = 8192
CONNECTIONS = 16  # when there are more, the oldest is cut off
PATIENCE = 5.0  # seconds for a whole request and its response
_METHODS = ("GET", "HEAD")
_WORDS = 3  # of a request line
_ENDED = (TimeoutError, OSError, asyncio.IncompleteReadError)


@dataclass(frozen=True, kw_only=True)
class Response:
    """A page, or an error in a line. `kind`: the media type."""

    body: bytes
    status: HTTPStatus = HTTPStatus.OK
    kind: str = "text/plain; charset=utf-8"


Pages = Mapping[str, Callable[[], Awaitable[Response]]]


class HttpServer:
    """Serves `pages`, by path, from `listen` to `close`."""

    def __init__(self, address: ListenAddress, pages: Pages, record: Record, *, patience: float = PATIENCE) -> None:
        """Open nothing yet. A page that raises is a record of a fault."""
        self._address = address
        self._pages = pages
        self._record = record
        self._patience = patience
        self._open: dict[asyncio.StreamWriter, None] = {}  # the oldest first
        self._server: asyncio.Server | None = None

    async def listen(self) -> None:
        """Begin to serve. OSError: the address isn't available, and why."""
        bound = self._address.bound()
        self._server = await asyncio.start_server(self._serve, sock=bound, limit=HEAD_OCTETS, backlog=CONNECTIONS)

    async def close(self) -> None:
        """Cut off all connections; the file of a unix socket is removed."""
        if self._server is None:
            return
        self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        await self._server.wait_closed()
        self._address.remove()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request, or cut off."""
        if len(self._open) >= CONNECTIONS:
            oldest = next(iter(self._open))
            del self._open[oldest]
            oldest.transport.abort()
        self._open[writer] = None
        try:
            async with asyncio.timeout(self._patience):
                writer.write(await self._answer(reader))
                writer.close()
                await writer.wait_closed()  # until it is sent
        except _ENDED:
            pass
        finally:
            self._open.pop(writer, None)
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        """Read a request; return the octets of the response, without the body where only the head was asked for."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return _encoded(_error(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE))
        request_line, *fields = head.decode("latin-1").split("\r\n")
        words = request_line.split(" ")
        if len(words) != _WORDS or not words[2].startswith("HTTP/1."):
            return _encoded(_error(HTTPStatus.BAD_REQUEST))
        # RFC 9112 3.2: "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request message that
        # lacks a Host header field".
        if words[2] != "HTTP/1.0" and not any(field.lower().startswith("host:") for field in fields):
            return _encoded(_error(HTTPStatus.BAD_REQUEST))
        response = await self._response(words[0], words[1].partition("?")[0])
        return _encoded(response, body=words[0] != "HEAD")

    async def _response(self, method: str, path: str) -> Response:
        if path not in self._pages:
            return _error(HTTPStatus.NOT_FOUND)
        if method not in _METHODS:
            return _error(HTTPStatus.METHOD_NOT_ALLOWED)
        try:
            return await self._pages[path]()
        except Exception as error:  # noqa: BLE001 - whatever went wrong, it is recorded, and logins go on
            self._record("fault", reason=f"{path}: {raised(error)}")
            return _error(HTTPStatus.INTERNAL_SERVER_ERROR)


def _error(status: HTTPStatus) -> Response:
    return Response(status=status, body=f"{status.phrase}\n".encode())


def _encoded(response: Response, *, body: bool = True) -> bytes:
    fields = [
        f"HTTP/1.1 {response.status.value} {response.status.phrase}",
        f"Content-Type: {response.kind}",
        f"Content-Length: {len(response.body)}",
        "Cache-Control: no-store",
        "Connection: close",
    ]
    if response.status == HTTPStatus.METHOD_NOT_ALLOWED:
        fields.append(f"Allow: {', '.join(_METHODS)}")
    return "\r\n".join([*fields, "", ""]).encode("latin-1") + (response.body if body else b"")
