"""What the tests of the requirements share: one directory, put right after each test; all else is each test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

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


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test once more in each surrounding that its mark `also` names: what rests on the store, or on one process.

    `--workers 2 --store valkey` runs all of them so.
    """
    if mark := metafunc.definition.get_closest_marker("also"):
        metafunc.parametrize("surrounding", ["", *mark.args], indirect=True, ids=["usual", *mark.args])


@pytest.fixture(autouse=True)
def surrounding(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every daemon keep its state in Valkey, or be several processes, if the test or the command line says so."""
    asked = getattr(request, "param", "")
    if "valkey" in asked or request.config.getoption("--store") == "valkey":
        monkeypatch.setattr(Daemon, "valkey", f"valkey://localhost:{request.getfixturevalue('redis').port}")
    count = max(request.config.getoption("--workers"), 2 if "two workers" in asked else 1)
    monkeypatch.setattr(Daemon, "options", ("--workers", str(count)) if count > 1 else ())


@pytest.fixture(scope="session")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("machine")
    Machine.furnish(folder)
    return folder


@pytest.fixture
def machine(machines: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Return the machine that daemons started from now on believe to run on."""
    return Machine(machines, monkeypatch)
