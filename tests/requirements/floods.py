"""Floods, each in a process of its own, so that it takes no time from the test that measures beside it."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import secrets
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any
from urllib.parse import urlencode

from aad.core.secret import Secret
from aad.radius.protocol import client_packets, constants
from tests.parts.daemon import SECRET
from tests.portal.conftest import Place
from tests.portal.visitor import Visitor

PAUSE = 0.02  # seconds between two tries that cost nothing, lest the attacker need the machine that is measured
NOTHING: Mapping[str, str] = {}
PATIENCE = 30.0  # seconds for a flood to begin, or to end


@contextmanager
def flooding(
    kind: str, port: int, source: str, given: Mapping[str, str] = NOTHING, *, times: int = 0
) -> Iterator[Counter[str]]:
    """Flood from an address until the block ends; afterwards the count says what was answered, by status.

    `times`: so many at once, where it aren't those of `FLOODS`.
    """
    spawn, count = multiprocessing.get_context("spawn"), Counter[str]()
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_attack, args=(theirs, kind, times, port, source, given))
    process.start()
    theirs.close()
    try:
        assert ours.poll(PATIENCE), f"the flood {kind} didn't begin"
        ours.recv()
        yield count
        ours.send("end")
        assert ours.poll(PATIENCE), f"the flood {kind} didn't end"
        count.update(ours.recv())
    finally:
        ours.close()
        process.join(PATIENCE)
        process.kill()


def _attack(pipe: Any, kind: str, times: int, *given: Any) -> None:
    usual, work = FLOODS[kind]
    asyncio.run(_attacked(pipe, lambda count: [work(*given, count) for _ in range(times or usual)]))


async def _attacked(pipe: Any, works: Callable[[Counter[str]], list[Coroutine[Any, Any, None]]]) -> None:
    count = Counter[str]()
    tasks = [asyncio.create_task(work) for work in works(count)]
    pipe.send("begun")
    await asyncio.to_thread(pipe.recv)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    pipe.send(count)


@cache
def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def _http(port: int, source: str, request: Callable[[], bytes], count: Counter[str]) -> None:
    """Send requests one after another, on a connection that is made anew when it ends."""
    while True:
        with suppress(OSError, asyncio.IncompleteReadError, IndexError, ValueError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=_tls(), local_addr=(source, 0))
            try:
                while True:
                    count["sent"] += 1
                    writer.write(request())
                    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                    await reader.readexactly(int(head.partition("content-length: ")[2].partition("\r\n")[0]))
                    count[head.split()[1]] += 1
            finally:
                writer.transport.abort()
        await asyncio.sleep(PAUSE)


def _posted(path: str, body: bytes, **headers: str) -> bytes:
    said = {"Host": "localhost", "Content-Length": str(len(body)), **headers}
    lines = [f"POST {path} HTTP/1.1", *(f"{name.replace('_', '-')}: {value}" for name, value in said.items()), "", ""]
    return "\r\n".join(lines).encode() + body


async def _portal(port: int, source: str, given: Mapping[str, str], count: Counter[str]) -> None:
    """Post random names to the portal's form. `given`: as `form` returns it."""
    kind = "application/x-www-form-urlencoded"

    def request() -> bytes:
        body = urlencode({"csrf": given["csrf"], "name": secrets.token_hex(8), "password": "wrong"}).encode()
        return _posted("/sign-in", body, Cookie=given["cookie"], Content_Type=kind)

    await _http(port, source, request, count)


async def _website(port: int, source: str, given: Mapping[str, str], count: Counter[str]) -> None:
    """Pass on random names. `given`: the website's key, and the user's address if it says that."""
    said = {"caller": given["caller"]} if "caller" in given else {}

    def request() -> bytes:
        body = json.dumps({"name": secrets.token_hex(8), "password": "wrong", **said}).encode()
        return _posted("/v1/logins", body, Authorization=f"Bearer {given['key']}", Content_Type="application/json")

    await _http(port, source, request, count)


async def _half(port: int, source: str, _given: Mapping[str, str], count: Counter[str]) -> None:
    """Begin TLS, answer nothing, and begin anew once the other side has enough."""
    while True:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        handshake = _tls().wrap_bio(incoming, outgoing, server_hostname="localhost")
        with suppress(ssl.SSLWantReadError):
            handshake.do_handshake()
        with suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
            try:
                writer.write(outgoing.read())
                count["sent"] += 1
                while await reader.read(65536):
                    pass
            finally:
                writer.transport.abort()
        await asyncio.sleep(PAUSE)


async def _nas(port: int, source: str, _given: Mapping[str, str], count: Counter[str]) -> None:
    """Ask for random names by RADIUS, as a client that has a secret."""
    loop, secret = asyncio.get_running_loop(), Secret(SECRET)
    here = socket.socket(type=socket.SOCK_DGRAM)
    here.setblocking(False)
    here.bind((source, 0))
    here.connect(("127.0.0.1", port))
    with here:
        while True:
            authenticator = secrets.token_bytes(16)
            name = (constants.USER_NAME, secrets.token_hex(8).encode())
            given = [name, *client_packets.pap(Secret("wrong"), authenticator, secret)]
            count["sent"] += 1
            with suppress(OSError, TimeoutError):
                here.send(client_packets.request(secrets.randbelow(256), authenticator, given, secret))
                async with asyncio.timeout(2.0):
                    await loop.sock_recv(here, 4096)
                    count["answered"] += 1


FLOODS: Mapping[str, tuple[int, Any]] = {
    "portal": (110, _portal),
    "website": (110, _website),
    "half": (600, _half),
    "nas": (400, _nas),
}
"""How many of each attack at the same time."""


def form(place: Place, **headers: str) -> dict[str, str]:
    """Return cookie and token of a visitor, as a flood of the portal needs them."""
    visitor = Visitor(place)
    csrf = visitor.get("/sign-in", **headers).form("/sign-in")["csrf"]
    return {"csrf": csrf, "cookie": "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())}
