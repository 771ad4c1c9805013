"""Every store there is, opened."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from aad.core.secret import Secret
from aad.ports import Store, Wiring
from aad.stores import sqlite
from aad.stores.valkey import Valkey
from aad.stores.valkey.settings import ValkeySettings
from tests.parts.redis import Redis
from tests.stores.kept import store_at


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """One server for all tests that leave it alone."""
    with Redis(tmp_path_factory.mktemp("redis")) as running:
        yield running


def valkey_at(server: Redis, **more: Any) -> Valkey:
    """Return a store in keys of its own, unless `more` says which."""
    given = {"url": server.url, "prefix": f"aad[{secrets.token_hex(4)}]*:"} | more
    return Valkey(ValkeySettings(**given), Wiring(name="store", key=Secret(b"")))


@pytest.fixture(params=["sqlite", "valkey"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Store]:
    monkeypatch.setattr(sqlite, "EVERY", 3600.0)  # tests tidy up themselves
    if request.param == "sqlite":
        async with store_at(tmp_path / "state.db") as opened:
            yield opened
    else:
        async with valkey_at(request.getfixturevalue("redis")) as shared:
            yield shared
