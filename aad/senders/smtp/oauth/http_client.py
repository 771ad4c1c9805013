"""One request to a token endpoint: over verified TLS, within a time, with a short answer; no redirects, no proxies."""

from __future__ import annotations

import asyncio
import io
import secrets
import ssl
import time
from collections.abc import Mapping
from http.client import HTTPException, HTTPResponse, IncompleteRead
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from aad.core.settings import spoken
from aad.ports import Unavailable
from aad.senders.smtp.connect import Connector
from aad.senders.smtp.oauth.requests import Applicant, Endpoint, GrantRefusedError, Token, endpoint, form, read
from aad.senders.smtp.replies import broken, insecure

_LONGEST = 65_536  # octets of an answer


class Issuer:
    """The token endpoint of one applicant, who asks for one token after the other."""

    def __init__(self, applicant: Applicant, ca_file: Path | None, timeout: float, where: str) -> None:
        """Note whom to ask. `ca_file` instead of the system's authorities; `timeout`: seconds for a whole request."""
        self.endpoint = endpoint(applicant.url)
        self._configured = self._applicant = applicant
        self._ca_file = ca_file
        self._timeout = timeout
        self._where = where
        self._connector = Connector(self.endpoint.host, self.endpoint.port)
        self._tls: ssl.SSLContext | None = None

    async def issue(self) -> Token:
        """Ask for a token. Unavailable: none is to be had, and why, in words without secrets."""
        try:
            status, body = await self._asked(form(self._applicant, time.time(), secrets.token_hex(16)))
            token = read(status, body, self._applicant.secrets + self._configured.secrets)
        except Unavailable as error:
            if isinstance(error, GrantRefusedError):
                self._applicant = self._configured  # a refresh token that came later may have been withdrawn
            what = f"{self.endpoint}: {error.what}"
            raise Unavailable(what, where=self._where) from None
        self._applicant = self._applicant.after(token)
        return token

    async def _asked(self, fields: Mapping[str, str]) -> tuple[int, bytes]:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._exchanged(fields)
        except TimeoutError:
            what = f"no answer within {spoken(self._timeout)}"
        except ssl.SSLError as error:
            what = insecure(error, "its", "is token_url right?")
        except OSError as error:
            what = broken(error)
        except HTTPException:
            what = "its answer is no HTTP, or cut short"
        raise Unavailable(what)

    async def _exchanged(self, fields: Mapping[str, str]) -> tuple[int, bytes]:
        """Connect, ask, and return status and body. OSError, HTTPException."""
        to = self.endpoint
        tls = await self._secured()
        sock = await self._connector.connect(self._timeout)
        try:
            reader, writer = await asyncio.open_connection(
                sock=sock, ssl=tls, server_hostname=to.host if tls else None, limit=_LONGEST
            )
        except BaseException:
            sock.close()
            raise
        try:
            writer.write(_request(to, urlencode(fields).encode("ascii")))
            return await _answer(reader)
        finally:
            writer.transport.abort()  # close() would wait for the endpoint to agree

    async def _secured(self) -> ssl.SSLContext | None:
        if self._tls is None and self.endpoint.secure:
            try:
                self._tls = await asyncio.to_thread(ssl.create_default_context, cafile=self._ca_file)
            except OSError as error:
                what = "no certificate in it" if isinstance(error, ssl.SSLError) else error.strerror
                what = f"token_ca_file can't be read: {what}"
                raise Unavailable(what) from None
        return self._tls


def _request(to: Endpoint, body: bytes) -> bytes:
    host = f"[{to.host}]" if ":" in to.host else to.host
    head = (
        f"POST {to.path} HTTP/1.1",
        f"Host: {host}:{to.port}",
        "User-Agent: aad",
        "Accept: application/json",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(body)}",
        "Connection: close",
    )
    return "\r\n".join((*head, "", "")).encode("ascii") + body


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Read until the answer is complete. HTTPException: it is none. Unavailable: it is too long."""
    octets = bytearray()
    while len(octets) <= _LONGEST:
        more = await reader.read(_LONGEST)
        octets += more
        if found := _parsed(bytes(octets), ended=not more):
            return found
        if not more:
            raise HTTPException
    what = f"answers with more than {_LONGEST} octets"
    raise Unavailable(what)


def _parsed(octets: bytes, *, ended: bool) -> tuple[int, bytes] | None:
    """Return status and body; None: there is more to come. HTTPException: this is no HTTP."""
    if b"\r\n\r\n" not in octets:
        return None
    source: Any = _Heard(octets)
    response = HTTPResponse(source, method="POST")
    try:
        response.begin()
        to_the_end = response.length is None and not response.chunked
        body = response.read()
    except IncompleteRead:
        return None
    finally:
        response.close()
    return None if to_the_end and not ended else (response.status, body)


class _Heard:
    """What was heard, in the place of a socket."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._octets)
