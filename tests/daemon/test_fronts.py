"""The fronts' one life: a reload is built whole before it is in force, and the metrics end after the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aad.config import load
from aad.daemon import assembly, plugin_registry
from aad.daemon.assembly import Assembled, Lasting
from aad.daemon.front import no_change
from aad.daemon.metrics import MetricsFront, Sources
from aad.daemon.radius import RadiusFront
from aad.login.outages import Outages
from aad.logs.log import Log
from aad.metrics.counters import Counters
from aad.metrics.gauges import Reloads
from tests.parts.daemon import Daemon

PARTS = """
[repositories.local]
type = "file"
path = "users.toml"
[senders.mail]
host = "localhost"
port = 1
security = "none"
sender_email = "noreply@example.com"
[metrics]
listen = "unix:{socket}"
"""
ASKED = b"GET /metrics HTTP/1.0\r\n\r\n"


def record(_name: str, /, **_fields: object) -> None:
    """Write nothing."""


class Slow:
    """A front with one request in progress."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.request = asyncio.create_task(self.go.wait())

    async def listen(self) -> None:
        pass

    def follow(self, _assembled: Assembled) -> Callable[[], None]:
        return no_change

    def at_work(self) -> set[asyncio.Task[Any]]:
        return set() if self.request.done() else {self.request}

    async def drain(self, patience: float) -> None:
        await asyncio.wait({self.request}, timeout=patience)


@pytest.fixture
async def assembled(tmp_path: Path) -> AsyncIterator[Assembled]:
    daemon = Daemon(tmp_path / "aad", PARTS.format(socket=tmp_path / "metrics.sock"))
    (daemon.folder / "users.toml").touch(mode=0o600)
    config, outages = load(daemon.file, plugin_registry), Outages(record)
    async with assembly.opened_store(config, outages) as store, AsyncExitStack() as stack:
        yield await assembly.assembled(config, Lasting(record, store, outages), stack)


async def page(socket: Path) -> bytes:
    reader, writer = await asyncio.open_unix_connection(str(socket))
    writer.write(ASKED)
    octets = await reader.read()
    writer.close()
    return octets


async def test_the_metrics_are_served_until_the_others_have_no_request_in_progress(
    assembled: Assembled, tmp_path: Path
) -> None:
    log = Log(to="stderr", level="error", layout="text")
    radius, slow, socket = RadiusFront(assembled, [], workers=1), Slow(), tmp_path / "metrics.sock"
    sources = Sources(
        counters=Counters(record), log=log, reloads=Reloads(last=1.0), radius=radius, fronts=(radius, slow)
    )
    front = MetricsFront(assembled, sources, 0)
    await front.listen()
    draining = asyncio.create_task(front.drain(10))
    assert b"aad_requests_at_work 0" in await page(socket)
    assert not draining.done()
    slow.go.set()
    await asyncio.wait_for(draining, 5)
    assert not socket.exists()
    log.close()


async def test_nothing_of_a_new_configuration_is_in_force_before_it_is_exchanged(assembled: Assembled) -> None:
    front = RadiusFront(assembled, [], workers=2)
    before, most = front.server.setup, assembled.config.limits.at_work_per_client
    limits = replace(assembled.config.limits, at_work_per_client=most + 20)
    exchange = front.follow(replace(assembled, config=replace(assembled.config, limits=limits)))
    assert front.server.setup is before
    exchange()
    assert front.server.setup.at_work == (most + 20) // 2
