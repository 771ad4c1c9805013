"""HTTP requests to a token endpoint: verified TLS, one deadline, a bounded answer, no redirects. A door of h11.

h11 knows what HTTP/1.1 allows; the rest is short enough to be seen as a whole: how long a request may take, how much is
read, and what is trusted. The environment's HTTPS_PROXY is not looked at: only `token_proxy` names a proxy. That gets
a CONNECT (RFC 9110 9.3.6), so that TLS reaches from here to the token endpoint and the proxy reads no secret.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from urllib.parse import urlencode

import h11

from aad.core.settings import spoken
from aad.ports import Unavailable
from aad.senders.smtp.connect import Connector
from aad.senders.smtp.oauth.requests import GrantRefusedError, OAuthClient, Token, endpoint, form, read
from aad.senders.smtp.replies import broken, insecure

_LONGEST = 65_536  # octets of an answer, head and body together
_CHUNK = 1024  # octets parsed before others have their turn; h11 takes up to 4 ms for them


class TokenClient:
    """Fetches access tokens for one OAuth client from its token endpoint."""

    def __init__(
        self, client: OAuthClient, where: str, *, timeout: float, ca_file: Path | None = None, proxy: str = ""
    ) -> None:
        """`timeout`: seconds for a whole request. `ca_file`: instead of the system's authorities. `proxy`: its URL."""
        self.endpoint = endpoint(client.url)
        self._configured = self._client = client
        self._ca_file = ca_file
        self._timeout = timeout
        self._where = where
        self._proxy = endpoint(proxy) if proxy else None
        self._through = f" through the proxy {self._proxy.authority}" if self._proxy else ""
        first_hop = self._proxy or self.endpoint
        self._connector = Connector(first_hop.host, first_hop.port)
        self._tls: ssl.SSLContext | None = None

    async def fetch(self) -> Token:
        """Request a token. Unavailable: why there is none, in words without secrets."""
        try:
            status, body = await self._response(form(self._client, time.time(), secrets.token_hex(16)))
            token = read(status, body, self._client.secrets + self._configured.secrets)
        except Unavailable as error:
            if isinstance(error, GrantRefusedError):
                self._client = self._configured  # a refresh token that came later may have been withdrawn
            what = f"{self.endpoint}: {error.what}"
            raise Unavailable(what, where=self._where) from None
        self._client = self._client.after(token)
        return token

    async def _response(self, fields: Mapping[str, str]) -> tuple[int, bytes]:
        """Return status and body. Unavailable: every other end, in an administrator's words."""
        try:
            async with asyncio.timeout(self._timeout):
                return await self._exchange(urlencode(fields).encode("ascii"))
        except TimeoutError:
            what = f"no answer within {spoken(self._timeout)}{self._through}"
        except ssl.SSLError as error:
            what = insecure(error, "its", "is token_url right?")
        except OSError as error:
            what = broken(error)
        except h11.RemoteProtocolError:
            what = "its answer is no HTTP, or cut short"
        raise Unavailable(what)

    async def _exchange(self, body: bytes) -> tuple[int, bytes]:
        """Connect, send the request, and return status and body. OSError, h11.RemoteProtocolError, Unavailable."""
        to = self.endpoint
        tls = await self._tls_context()
        sock = await self._connected()
        try:
            reader, writer = await asyncio.open_connection(
                sock=sock, ssl=tls, server_hostname=to.host if tls else None, limit=_LONGEST
            )
        except BaseException:
            sock.close()
            raise
        try:
            http = h11.Connection(h11.CLIENT)
            headers = [
                ("Host", to.authority),
                ("User-Agent", "aad"),
                ("Accept", "application/json"),
                ("Content-Type", "application/x-www-form-urlencoded"),
                ("Content-Length", str(len(body))),
                ("Connection", "close"),
            ]
            writer.write(http.send(h11.Request(method="POST", target=to.path, headers=headers)) or b"")
            writer.write(http.send(h11.Data(data=body)) or b"")
            http.send(h11.EndOfMessage())
            return await _answer(http, reader.read)
        finally:
            writer.transport.abort()  # close() would wait for the endpoint to agree

    async def _connected(self) -> socket.socket:
        """Return a socket that leads to the token endpoint, through the proxy if there is one. OSError, Unavailable."""
        if self._proxy is None:
            return await self._connector.connect(self._timeout)
        name = f"the proxy {self._proxy.authority}"
        try:
            sock = await self._connector.connect(self._timeout)
        except TimeoutError:
            raise  # told with the time that it had
        except OSError as error:
            what = f"{name}: {broken(error)}"
            raise Unavailable(what) from None
        try:
            await _open_tunnel(sock, self.endpoint.authority, name)
        except BaseException:
            sock.close()
            raise
        return sock

    async def _tls_context(self) -> ssl.SSLContext | None:
        if self._tls is None and self.endpoint.secure:
            try:
                self._tls = await asyncio.to_thread(ssl.create_default_context, cafile=self._ca_file)
            except OSError as error:
                what = "no certificate in it" if isinstance(error, ssl.SSLError) else error.strerror
                what = f"token_ca_file can't be read: {what}"
                raise Unavailable(what) from None
        return self._tls


async def _open_tunnel(sock: socket.socket, authority: str, proxy: str) -> None:
    """Have a proxy connect `sock`, which is non-blocking, to HOST:PORT. Unavailable: it doesn't.

    Done before there is a stream: octets that the proxy sends behind its reply must never pass for what came by TLS.
    """
    loop = asyncio.get_running_loop()
    http = h11.Connection(h11.CLIENT)
    request = h11.Request(method="CONNECT", target=authority, headers=[("Host", authority), ("User-Agent", "aad")])
    await loop.sock_sendall(sock, http.send(request) or b"")
    await loop.sock_sendall(sock, http.send(h11.EndOfMessage()) or b"")
    try:
        status, _ = await _answer(http, lambda most: loop.sock_recv(sock, most), head_only=True)
    except h11.RemoteProtocolError:
        what = f"{proxy} answers no HTTP, or hung up"
        raise Unavailable(what) from None
    except Unavailable as error:
        what = f"{proxy} {error.what}"
        raise Unavailable(what) from None
    if status // 100 != 2:  # noqa: PLR2004 - RFC 9110 9.3.6: any 2xx opens the tunnel
        what = f"{proxy} answers {status}"
        raise Unavailable(what)
    if http.trailing_data[0]:
        what = f"{proxy} says more than that the tunnel is open"
        raise Unavailable(what)


async def _answer(
    http: h11.Connection, receive: Callable[[int], Awaitable[bytes]], *, head_only: bool = False
) -> tuple[int, bytes]:
    """Read one response. h11.RemoteProtocolError: it is no HTTP, or ends too early. Unavailable: it is too long."""
    status, body, octets = 0, bytearray(), 0
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            received = await receive(_CHUNK)
            octets += len(received)
            if octets > _LONGEST:
                what = f"answers with more than {_LONGEST} octets"
                raise Unavailable(what)
            http.receive_data(received)
            await asyncio.sleep(0)  # a stream that holds more answers at once: let others have their turn
        elif isinstance(event, h11.Response):
            status = event.status_code
            if head_only:
                return status, b""
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            return status, bytes(body)
