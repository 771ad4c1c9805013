"""One HTTP/1.1 connection: requests are read from it one after another, and answered. The only import of h11.

h11 knows what HTTP/1.1 allows; here is how long each step may take, and how much is read. Servers that would do more
for us (uvicorn, starlette) don't limit the time that a head or a body takes.
"""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus

import h11

from aad.core.user_address import Networks
from aad.https import problems
from aad.https.client_address import caller
from aad.https.messages import Request, Response
from aad.https.problems import ProblemError
from aad.https.router import headers as headers_of

HEAD_OCTETS = 16 * 1024
BODY_OCTETS = 64 * 1024  # whatever `schemas` allows has room, also with every character escaped
CLOSE = 2.0  # seconds until all is sent and TLS is closed
HEAD, BODY, SEND, IDLE = 5.0, 5.0, 5.0, 15.0  # seconds: for a head, a body, a response; until the next request begins
LINGER, LINGER_OCTETS = 1.0, 4 * 1024 * 1024  # what is still read of a request that was refused before its end
_CHUNK = 64 * 1024


Answer = Callable[[Request], Awaitable[Response]]


class Connection:
    """`at_work`: a request was read whole, its response isn't sent yet; `ending`: this request is the last one."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, trusted: Networks) -> None:
        """Use a stream whose TLS handshake is done. `trusted`: proxies whose headers name the client."""
        self._reader, self._writer, self._trusted = reader, writer, trusted
        self._peer = str(writer.get_extra_info("peername")[0])
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_OCTETS)
        self.at_work = self.ending = False

    async def serve(self, answer: Answer, problem: Callable[[ProblemError], Response]) -> None:
        """Serve until either side ends. `problem()`: makes the response to octets that are no request."""
        try:
            patience = HEAD
            while await self._turn(answer, problem, patience) and not self.ending:
                self._http.start_next_cycle()
                patience = IDLE
            async with asyncio.timeout(CLOSE):
                self._writer.close()
                await self._writer.wait_closed()  # until all is sent
        except (OSError, TimeoutError, h11.LocalProtocolError):
            pass  # the client is gone, or reads nothing

    async def _turn(self, answer: Answer, problem: Callable[[ProblemError], Response], patience: float) -> bool:
        """Answer one request; return whether another one may follow."""
        try:
            head = await self._head(patience)
            if head is None:
                return False
            received = time.monotonic()
            async with asyncio.timeout(BODY):
                body = await self._body()
            request = self._request(head, body, received)
        except h11.RemoteProtocolError as error:
            large = error.error_status_hint == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            sort = problems.HEAD_TOO_LARGE if large else problems.NO_HTTP
            return await self._refuse(problem(ProblemError(sort)))
        except TimeoutError:
            return await self._refuse(problem(ProblemError(problems.TOO_SLOW)))
        except ProblemError as error:
            return await self._refuse(problem(error))
        self.at_work = True
        try:
            await self._send(await answer(request), body=head.method != b"HEAD")
        finally:
            self.at_work = False
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    async def _head(self, patience: float) -> h11.Request | None:
        """Return the head of the next request; None: there is none. TimeoutError; ProblemError: too large."""
        event = self._http.next_event()
        if event is h11.NEED_DATA:
            try:
                async with asyncio.timeout(patience):
                    self._http.receive_data(await self._reader.read(_CHUNK))
            except TimeoutError:
                return None
            async with asyncio.timeout(HEAD):
                event = await self._event()
        if not isinstance(event, h11.Request):
            return None
        # h11 bounds what is incomplete; a head that came in one piece may be larger.
        if len(event.target) + sum(len(name) + len(value) + 4 for name, value in event.headers) > HEAD_OCTETS:
            raise ProblemError(problems.HEAD_TOO_LARGE)
        if event.http_version not in {b"1.0", b"1.1"}:
            raise ProblemError(problems.NO_HTTP)
        if any(name == b"content-length" and int(value) > BODY_OCTETS for name, value in event.headers):
            raise _too_large()
        return event

    async def _event(self) -> type[h11.NEED_DATA | h11.PAUSED] | h11.Event:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            if self._http.they_are_waiting_for_100_continue:
                await self._write(h11.InformationalResponse(status_code=HTTPStatus.CONTINUE, headers=[]))
            self._http.receive_data(await self._reader.read(_CHUNK))
        return event

    async def _body(self) -> bytes:
        """Return the whole body. ProblemError: it is too large."""
        body = b""
        while isinstance(event := await self._event(), h11.Data):
            body += event.data
            if len(body) > BODY_OCTETS:
                raise _too_large()
        return body

    def _request(self, head: h11.Request, body: bytes, received: float) -> Request:
        headers: dict[str, str] = {}
        for raw, value in head.headers:
            name = raw.decode("latin-1")
            text = value.decode("latin-1")
            between = "; " if name == "cookie" else ", "
            headers[name] = f"{headers[name]}{between}{text}" if name in headers else text
        path, _, query = head.target.decode("latin-1").partition("?")
        return Request(
            method=head.method.decode("latin-1"),
            path=path,
            raw_query=query,
            headers=headers,
            body=body,
            caller=caller(self._peer, headers, self._trusted),
            peer=self._peer,
            received=received,
        )

    async def _refuse(self, response: Response) -> bool:
        """Answer a request that wasn't read to its end, and read on for a moment.

        A connection that is closed while its client still writes takes the response with it.
        """
        if self._http.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            self.ending = True
            await self._send(response, body=True)
            octets = 0
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LINGER):
                    while octets < LINGER_OCTETS and (read := await self._reader.read(_CHUNK)):
                        octets += len(read)
        return False

    async def _send(self, response: Response, *, body: bool) -> None:
        headers = headers_of(response)
        headers += [("Date", email.utils.formatdate(usegmt=True)), ("Content-Length", str(len(response.body)))]
        if self.ending:
            headers.append(("Connection", "close"))
        octets = response.body if body else b""
        status = h11.Response(status_code=response.status, headers=headers, reason=response.status.phrase)
        await self._write(status, h11.Data(data=octets), h11.EndOfMessage())

    async def _write(self, *events: h11.Event) -> None:
        """Send. TimeoutError: the client doesn't read."""
        self._writer.write(b"".join(self._http.send(event) or b"" for event in events))
        async with asyncio.timeout(SEND):
            await self._writer.drain()


def _too_large() -> ProblemError:
    return ProblemError(problems.TOO_LARGE, f"A body has at most {BODY_OCTETS} octets.")
