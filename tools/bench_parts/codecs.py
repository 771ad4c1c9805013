"""Our own codecs beside the libraries that could stand in their place: CPU, and what a lying server costs.

    python -m tools.bench_parts.codecs valkey     needs: redis-server, pip install redis hiredis
    python -m tools.bench_parts.codecs radius     pyrad is installed with aad

The figures in the headers of aad/stores/valkey/connection.py and aad/radius/protocol/wire.py come from here. Memory is
what the process holds more than before, at most.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from aad.core.secret import Secret
from aad.radius.protocol import client_packets, packet
from aad.radius.protocol.attribute_dictionary import named
from aad.radius.protocol.password import answer_of
from aad.stores.valkey.connection import connected
from aad.stores.valkey.reply import maybe, octets
from aad.stores.valkey.settings import ValkeySettings
from tests.parts.redis import Redis

COMMANDS, AT_ONCE = 20_000, 100
PACKETS = 20_000
LIES = {  # what comes first, what comes behind it, how often
    "a value of 512 MiB": (b"$536870912\r\n", b"x" * 65536, 3000),
    "2^31 values": (b"*2147483647\r\n", b":1\r\n" * 16384, 200),
    "a line without end": (b"+", b"x" * 65536, 200),
    "another kind of answer": (b"*2\r\n$1\r\na\r\n$1\r\nb\r\n", b"", 0),
}
Ask = Callable[[], Awaitable[object]]


@asynccontextmanager
async def aad_client(port: int) -> AsyncIterator[tuple[Ask, Ask]]:
    """Yield one GET, and as many as are asked at once, by our connection."""
    connection = await connected(ValkeySettings(url=f"valkey://127.0.0.1:{port}").route(), "store", 2.0, b"")
    try:

        def one() -> Awaitable[object]:
            return connection.ask(maybe(octets), b"GET", b"key")

        yield one, lambda: asyncio.gather(*(one() for _ in range(AT_ONCE)))
    finally:
        connection.end("measured")


def redis_client(parser: str) -> Any:
    """Return the same by redis-py, with one of its parsers; at once: its pipeline, the best that it has."""
    redis, parsers = import_module("redis.asyncio"), import_module("redis._parsers")

    @asynccontextmanager
    async def client(port: int) -> AsyncIterator[tuple[Ask, Ask]]:
        how = {"parser_class": getattr(parsers, parser), "protocol": 2, "lib_name": None, "lib_version": None}
        found = redis.Redis(connection_pool=redis.ConnectionPool(host="127.0.0.1", port=port, **how))

        async def several() -> None:
            pipeline = found.pipeline(transaction=False)
            for _ in range(AT_ONCE):
                pipeline.get("key")
            await pipeline.execute()

        try:
            yield lambda: found.get("key"), several
        finally:
            await found.aclose()

    return client


async def commands(name: str, client: Any, port: int) -> None:
    """Print the CPU of one GET, one after the other and many at once."""
    async with client(port) as (one, several):
        spent = []
        for ask, rounds in ((one, COMMANDS), (several, COMMANDS // AT_ONCE)):
            begun = time.process_time()
            for _ in range(rounds):
                await ask()
            spent.append((time.process_time() - begun) / COMMANDS * 1e6)
    print(f"{name:18} {spent[0]:6.0f} us one by one {spent[1]:6.1f} us {AT_ONCE} at once")


async def lies(name: str, client: Any, what: str) -> None:
    """Print what a lie makes a client hold, how long its loop stands still, and what the caller gets."""
    first, more, times = LIES[what]

    async def tell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(first)
        for _ in range(times):
            writer.write(more)
            await writer.drain()

    async def look() -> None:
        while True:
            begun = time.monotonic()
            await asyncio.sleep(0.005)
            worst.append(time.monotonic() - begun - 0.005)
            held.append(_memory())

    server = await asyncio.start_server(tell, "127.0.0.1", 0)
    before, worst, held = _memory(), [0.0], [_memory()]
    looking = asyncio.create_task(look())
    try:
        async with asyncio.timeout(10), client(server.sockets[0].getsockname()[1]) as (one, _):
            said = repr(await one())
    except Exception as error:  # noqa: BLE001 - whatever the library makes of it
        said = f"{type(error).__name__}: {error}"
    looking.cancel()
    more_held, stood = max(held) - before, max(worst) * 1000
    print(f"{name:18} {what:24} {more_held / 2**20:5.0f} MiB, loop stood {stood:5.0f} ms: {said[:60]}")


def valkey() -> None:
    """Measure our connection beside redis-py; each lie in a process of its own, for what it holds."""
    clients = {"aad": aad_client, "redis-py": redis_client("_AsyncRESP2Parser")}
    clients["redis-py, hiredis"] = redis_client("_AsyncHiredisParser")
    with tempfile.TemporaryDirectory() as folder, Redis(Path(folder)) as server:
        for name, client in clients.items():
            asyncio.run(commands(name, client, server.port))
    for what in LIES:
        for name, client in clients.items():
            apart = multiprocessing.get_context("fork").Process(target=_run, args=(name, client, what))
            apart.start()
            apart.join()


def _run(name: str, client: Any, what: str) -> None:
    asyncio.run(lies(name, client, what))


def radius() -> None:
    """Measure a signed request with a password, read and answered, beside pyrad's packets."""
    pyrad, dictionary = import_module("pyrad.packet"), import_module("pyrad.dictionary")
    shipped = dictionary.Dictionary(str(Path(packet.__file__).with_name("dictionary")))
    secret, authenticator = Secret(b"a shared secret"), os.urandom(16)
    attributes = [named("User-Name", "alice"), named("NAS-Identifier", "gateway"), named("NAS-Port", "7")]
    attributes += client_packets.pap(Secret(b"her password"), authenticator, secret)
    datagram = client_packets.request(1, authenticator, attributes, secret)

    def ours() -> None:
        request = packet.decode(datagram)
        packet.authentic(request, secret)
        answer_of(request, secret)
        packet.reply(request, 2, (), secret)

    def theirs() -> None:
        request = pyrad.AuthPacket(packet=datagram, dict=shipped, secret=secret.reveal())
        request.verify_message_authenticator()
        request.PwDecrypt(request[2][0])
        answer = request.CreateReply()
        answer.add_message_authenticator()
        answer.ReplyPacket()

    for name, work in (("aad", ours), ("pyrad", theirs)):
        begun = time.process_time()
        for _ in range(PACKETS):
            work()
        print(f"{name:18} {(time.process_time() - begun) / PACKETS * 1e6:6.0f} us a request and its reply")


def _memory() -> int:
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    radius() if sys.argv[1:] == ["radius"] else valkey()
