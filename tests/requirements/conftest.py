"""What the tests of the requirements share: one directory, put right after each test; all else is each test's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.end_to_end.conftest import daemon, mailbox, make
from tests.parts.daemon import Daemon
from tests.parts.redis import Redis
from tests.requirements.events import start
from tests.requirements.machine import Machine

__all__ = ["daemon", "mailbox", "make", "start"]


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with Redis(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture(autouse=True)
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `--store valkey`, or in a module that says so, every daemon keeps its state there."""
    if "valkey" in (request.config.getoption("--store"), getattr(request.module, "STORE", "")):
        monkeypatch.setattr(Daemon, "valkey", f"valkey://localhost:{request.getfixturevalue('redis').port}")


@pytest.fixture(autouse=True)
def workers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `--workers N`, or in a module that says so, so many processes serve."""
    count = max(request.config.getoption("--workers"), getattr(request.module, "WORKERS", 1))
    monkeypatch.setattr(Daemon, "options", ("--workers", str(count)) if count > 1 else ())


@pytest.fixture
def machine(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Return the machine that daemons started from now on believe to run on."""
    return Machine(tmp_path_factory.mktemp("machine"), monkeypatch)
