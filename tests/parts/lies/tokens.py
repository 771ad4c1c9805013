"""A token endpoint that lies: `python -m tests.parts.lies.tokens PORT CERTIFICATE KEY`.

Lies: what is answered instead of a token, and what the log says of it then.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import ssl
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.parts.lies.liar import MEGABYTE, Orders, by_and_by, endless, once, say

NO_HTTP = "its answer is no HTTP, or cut short"
LONG = "answers with more than 65536 octets"
UNUSABLE = "answers without a usable access_token"
GRANT = "refuses: invalid_grant$"
SLOW = "no answer within 2s"
TEN = 10 * MEGABYTE


@dataclass(frozen=True)
class Lie:
    """`told`: a pattern of what the daemon's log says; empty: nothing need be said, as the mail went."""

    says: Callable[[], Iterable[bytes]]
    told: str


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """Return a whole answer; without other `headers` its length is told."""
    lines = (f"HTTP/1.1 {status}", *(headers or (f"Content-Length: {len(body)}",)), "", "")
    return "\r\n".join(lines).encode() + body


def token(**changed: object) -> bytes:
    """Return the body that gives a token."""
    return json.dumps({"access_token": "ey.token", "token_type": "Bearer", "expires_in": 1, **changed}).encode()


def gives(told: str = "", **changed: object) -> Lie:
    """Give a token with other values."""
    return Lie(once(answer(token(**changed))), told)


def refuses(told: str, **values: object) -> Lie:
    """Refuse with other values."""
    return Lie(once(answer(json.dumps(values).encode(), status="400 Bad Request")), told)


def body(octets: bytes, told: str = UNUSABLE) -> Lie:
    """Answer with this body."""
    return Lie(once(answer(octets)), told)


def begin(*lines: str) -> bytes:
    """Return the beginning of an answer."""
    return "\r\n".join((*lines, "")).encode()


def then(first: bytes, rest: Callable[[], Iterable[bytes]]) -> Callable[[], Iterable[bytes]]:
    """Return what says one after the other."""
    return lambda: [first, *rest()]


OK = "HTTP/1.1 200 OK"
CHUNKED = begin(OK, "Transfer-Encoding: chunked", "")
HEAD = {
    "says nothing, and hangs up": Lie(once(b""), NO_HTTP),
    "says what is no HTTP": Lie(once(b"220 mail.example.com ESMTP\r\n"), NO_HTTP),
    "says NULs": Lie(once(bytes(TEN)), f"{NO_HTTP}|{LONG}"),
    "says a status of 10 MiB": Lie(once(b"HTTP/1.1 200 " + b"x" * TEN), NO_HTTP),
    "says a status of four digits": Lie(once(answer(token(), status="2000 OK")), NO_HTTP),
    "says 204": Lie(once(answer(b"", status="204 No Content")), "answers 204"),
    "says 101": Lie(once(answer(b"", status="101 Switching Protocols")), f"{NO_HTTP}|{SLOW}"),
    "says HTTP/2.0": Lie(once(b"HTTP/2.0 200 OK\r\n\r\n"), f"{NO_HTTP}|{UNUSABLE}"),
    "redirects": Lie(once(answer(b"", "Location: https://localhost:1/", status="307 Go")), "307, a redirect"),
    "goes on with 100 without end": Lie(endless(b"HTTP/1.1 100 Continue\r\n\r\n"), LONG),
    "says headers without end": Lie(then(begin(OK), endless(b"X: y\r\n")), f"{NO_HTTP}|{LONG}"),
    "says a header of 10 MiB": Lie(then(begin(OK), once(b"X: " + b"y" * TEN)), f"{NO_HTTP}|{LONG}"),
    "says a folded header without end": Lie(then(begin(OK), endless(b" y\r\n")), f"{NO_HTTP}|{LONG}"),
    "says a head octet by octet": Lie(then(begin(OK), by_and_by(b"X: y\r\n" * 8000)), f"{SLOW}|{NO_HTTP}|{LONG}"),
    "says a negative length": Lie(once(answer(token(), "Content-Length: -1")), NO_HTTP),
    "says two lengths": Lie(once(answer(token(), "Content-Length: 5", "Content-Length: 6")), NO_HTTP),
    "says a length of a thousand digits": Lie(once(answer(token(), "Content-Length: " + "9" * 1000)), NO_HTTP),
    "says a length that is too long": Lie(once(answer(token(), "Content-Length: 5000")), f"{NO_HTTP}|{SLOW}"),
    "announces 2 GiB": Lie(then(begin(OK, "Content-Length: 2147483648", ""), endless(b" ")), LONG),
    "says a body without end": Lie(then(begin(OK, ""), endless(b" ")), LONG),
    "says a body octet by octet": Lie(then(begin(OK, ""), by_and_by(b" " * 50_000)), f"{SLOW}|{UNUSABLE}"),
    "says a chunk of 2 GiB": Lie(then(CHUNKED + b"80000000\r\n", endless(b" ")), LONG),
    "says chunks of an octet": Lie(then(CHUNKED, endless(b"1\r\n \r\n")), LONG),
    "says a chunk's extension without end": Lie(then(CHUNKED + b"1;", endless(b"x")), f"{NO_HTTP}|{LONG}"),
    "says a chunk without a size": Lie(once(CHUNKED + b"size\r\n"), NO_HTTP),
    "says trailers without end": Lie(then(CHUNKED + b"0\r\n", endless(b"X: y\r\n")), f"{NO_HTTP}|{LONG}"),
    "says an unknown coding": Lie(once(answer(token(), "Transfer-Encoding: gzip")), NO_HTTP),
}
BODY = {
    "compresses 10 MiB": Lie(once(answer(gzip.compress(bytes(TEN)), "Content-Encoding: gzip", "")), UNUSABLE),
    "puts lists into lists": body(b"[" * 60_000),
    "puts objects into objects": body(b'{"a":' * 12_000),
    "says ten thousand keys": body(b"{" + b",".join(b'"%d":1' % n for n in range(5000)) + b"}"),
    "says a number of 60,000 digits": body(b'{"access_token":' + b"9" * 60_000 + b"}"),
    "says half a token": body(token()[:20]),
    "says octets": body(b"\xff\xfe" * 1000),
    "says a token in UTF-16": body(token().decode().encode("utf-16"), ""),
    "gives an empty token": gives(UNUSABLE, access_token=""),
    "gives a token of 60,000 characters": gives(UNUSABLE, access_token="x" * 60_000),
    "gives a token with a line end": gives(UNUSABLE, access_token="x\r\nQUIT"),
    "gives a list as a token": gives(UNUSABLE, access_token=["x"]),
    "gives a token of another type": gives("not of type Bearer", token_type="mac"),
    "gives a token of a list of types": gives("not of type Bearer", token_type=["x"] * 10_000),
    "gives a token for no time": gives(expires_in=0),
    "gives a token for less than a moment": gives(expires_in=1e-300),
    "gives a token for ever": Lie(once(answer(token(expires_in=float("inf")))), ""),
    "gives a token for a number of 4000 digits": Lie(once(answer(token(expires_in=10**4000))), ""),
    "gives a token for what is no number": gives(expires_in={"a": "day"}),
    "gives a refresh token of 60,000 characters": gives(refresh_token="x" * 60_000),
    "refuses with an error of 60,000 characters": refuses("answers 400", error="x" * 60_000),
    "refuses with a list of errors": refuses("answers 400", error=["invalid_client"] * 1000),
    "refuses in 10,000 words": refuses("invalid_grant: word", error="invalid_grant", error_description="word " * 9999),
    "refuses in one word of 60,000 letters": refuses(
        "invalid_grant$", error="invalid_grant", error_description="x" * 60_000
    ),
    "refuses in line ends": refuses(GRANT, error="invalid_grant", error_description="\r\n" * 10_000),
}
LIES = {**HEAD, **BODY}


class Server:
    """Its connections."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read one request, and answer it."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))
        lie = LIES.get(self._orders.name)
        await say(writer, lie.says() if lie else [answer(token())])
        writer.close()
        await writer.wait_closed()


def main(port: str, certificate: str, key: str) -> None:
    """Serve until there are no orders any more."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    orders = Orders()
    asyncio.run(orders.obey(Server(orders).serve, int(port), ssl=tls))


if __name__ == "__main__":
    main(*sys.argv[1:])
