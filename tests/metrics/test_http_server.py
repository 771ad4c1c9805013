"""The small HTTP server of the metrics: right requests are answered, all others refused or cut off soon."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aad.metrics.http_server import CONNECTIONS, HEAD_OCTETS, HttpServer, Response
from aad.metrics.listen_address import ListenAddress
from tests.parts.counting import Kept
from tests.parts.ports import free_port

RIGHT = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def said() -> Response:
    return Response(body=b"aad_x 1\n")


async def broken() -> Response:
    raise ZeroDivisionError


class Asked:
    """A server on a unix socket, and a client of it."""

    def __init__(self, folder: Path, patience: float = 5.0) -> None:
        self.address = ListenAddress(path=str(folder / "metrics.sock"))
        self.records = Kept()
        self.server = HttpServer(self.address, {"/metrics": said, "/broken": broken}, self.records, patience=patience)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        await self.server.listen()
        try:
            yield
        finally:
            await self.server.close()

    async def open(self) -> Stream:
        return await asyncio.open_unix_connection(self.address.path)

    async def ask(self, octets: bytes, *, end: bool = False) -> bytes:
        """Return everything until the server closes."""
        reader, writer = await self.open()
        with suppress(ConnectionError):
            writer.write(octets)
            if end:
                writer.write_eof()
        try:
            async with asyncio.timeout(10):
                return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()


def status(reply: bytes) -> int:
    return int(reply.split(b" ")[1])


async def test_what_is_asked_rightly_is_answered(tmp_path: Path) -> None:
    asked = Asked(tmp_path)
    async with asked.serving():
        reply = await asked.ask(RIGHT)
        head, _, body = reply.partition(b"\r\n\r\n")
        assert status(reply) == 200
        assert b"Content-Length: 8" in head
        assert b"Connection: close" in head
        assert body == b"aad_x 1\n"
        assert status(await asked.ask(b"GET /metrics?x=y HTTP/1.0\r\n\r\n")) == 200
        no_body = await asked.ask(RIGHT.replace(b"GET", b"HEAD"))
        assert no_body == head + b"\r\n\r\n"


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (RIGHT.replace(b"/metrics", b"/"), 404),
        (RIGHT.replace(b"/metrics", b"/metrics/../etc"), 404),
        (RIGHT.replace(b"GET", b"POST"), 405),
        (RIGHT.replace(b"GET", b"get"), 405),
        (RIGHT.replace(b"HTTP/1.1", b"HTTP/2.0"), 400),
        (RIGHT.replace(b"Host", b"Most"), 400),
        (b"\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\r\n\r\n", 400),
        (RIGHT[:-2] + b"X: " + b"x" * HEAD_OCTETS + b"\r\n\r\n", 431),
        (b"x" * 3 * HEAD_OCTETS, 431),
    ],
)
async def test_what_is_asked_wrongly_is_refused(tmp_path: Path, octets: bytes, expected: int) -> None:
    asked = Asked(tmp_path)
    async with asked.serving():
        assert status(await asked.ask(octets)) == expected
        assert status(await asked.ask(RIGHT)) == 200
    assert not asked.records


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(octets=st.binary(max_size=200) | st.binary(max_size=50).map(lambda octets: octets + b"\r\n\r\n"))
def test_any_octets_get_an_answer_or_none_and_no_fault(tmp_path: Path, octets: bytes) -> None:
    async def tried() -> None:
        asked = Asked(tmp_path)
        async with asked.serving():
            reply = await asked.ask(octets, end=True)
            assert not reply or status(reply) in {400, 404, 405}
            assert status(await asked.ask(RIGHT)) == 200
        assert not asked.records

    asyncio.run(tried())


async def test_a_slow_client_is_cut_off_and_holds_up_no_other(tmp_path: Path) -> None:
    asked = Asked(tmp_path, patience=0.5)
    async with asked.serving():
        reader, writer = await asked.open()
        began = time.monotonic()

        async def drip() -> None:
            with suppress(ConnectionError):
                for octet in RIGHT[:-1] * 100:
                    writer.write(bytes([octet]))
                    await writer.drain()
                    await asyncio.sleep(0.02)

        dripping = asyncio.create_task(drip())
        assert status(await asked.ask(RIGHT)) == 200
        with suppress(ConnectionError):
            assert await reader.read() == b""
        assert 0.4 < time.monotonic() - began < 5
        dripping.cancel()
        writer.close()


async def test_a_client_that_reads_no_answer_is_cut_off_too(tmp_path: Path) -> None:
    asked = Asked(tmp_path, patience=0.3)

    async def long() -> Response:
        return Response(body=b"x" * 10_000_000)

    asked.server = HttpServer(asked.address, {"/metrics": long}, asked.records, patience=0.3)
    async with asked.serving():
        reader, writer = await asked.open()
        writer.write(RIGHT)
        await asyncio.sleep(0.6)  # the server's patience, and more
        taken = 0
        with suppress(ConnectionError):
            while octets := await reader.read(1_000_000):
                taken += len(octets)
        assert taken < 10_000_000
        writer.close()


async def test_of_too_many_connections_the_oldest_is_cut_off(tmp_path: Path) -> None:
    asked = Asked(tmp_path)
    async with asked.serving():
        idle = [await asked.open() for _ in range(CONNECTIONS)]
        assert status(await asked.ask(RIGHT)) == 200
        with suppress(ConnectionError):
            assert await idle[0][0].read() == b""
        idle[1][1].write(RIGHT)
        assert status(await idle[1][0].read()) == 200
        for _, writer in idle:
            writer.close()


async def test_a_fault_is_told_and_answered(tmp_path: Path) -> None:
    asked = Asked(tmp_path)
    async with asked.serving():
        assert status(await asked.ask(RIGHT.replace(b"/metrics", b"/broken"))) == 500
    ((name, fields),) = asked.records
    assert name == "fault"
    assert str(fields["reason"]).startswith("/broken: ZeroDivisionError in broken")


def test_a_unix_socket_is_for_the_group_and_goes_at_the_end(tmp_path: Path) -> None:
    address, path = ListenAddress(path=str(tmp_path / "metrics.sock")), tmp_path / "metrics.sock"
    for mask in (0, 0o077):
        before = os.umask(mask)
        with address.bound():
            assert os.umask(before) == mask
            assert stat.S_ISSOCK(path.stat().st_mode)
            assert stat.S_IMODE(path.stat().st_mode) == 0o660
        address.remove()
        assert not path.exists()


def test_the_socket_of_another_is_not_removed(tmp_path: Path) -> None:
    address, path = ListenAddress(path=str(tmp_path / "metrics.sock")), tmp_path / "metrics.sock"
    address.bound().close()
    path.rename(tmp_path / "moved")
    with socket.socket(socket.AF_UNIX) as another:
        another.bind(str(path))
        address.remove()
        assert path.exists()


async def test_a_socket_left_behind_is_taken_over_and_a_live_one_is_not(tmp_path: Path) -> None:
    asked = Asked(tmp_path)
    with socket.socket(socket.AF_UNIX) as crashed:
        crashed.bind(asked.address.path)
    async with asked.serving():
        assert status(await asked.ask(RIGHT)) == 200
        with pytest.raises(OSError, match=r"can't listen on .*/metrics.sock for metrics: Address already in use"):
            Asked(tmp_path).address.bound()
        assert status(await asked.ask(RIGHT)) == 200


@pytest.mark.parametrize("made", [Path.touch, Path.mkdir])
def test_what_is_no_socket_is_left_alone(tmp_path: Path, made: Callable[[Path], None]) -> None:
    path = tmp_path / "metrics.sock"
    made(path)
    with pytest.raises(OSError, match="Address already in use"):
        ListenAddress(path=str(path)).bound()
    assert path.exists()


def test_a_port_that_is_taken() -> None:
    port = free_port()
    said = f"can't listen on 127.0.0.1 port {port} for metrics: Address already in use"
    with socket.create_server(("127.0.0.1", port)), pytest.raises(OSError, match=said):
        ListenAddress(host="127.0.0.1", port=port).bound()
