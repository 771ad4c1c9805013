"""What the tests of the requirements share: one directory, put right after each test; all else is each test's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.end_to_end.conftest import PEOPLE, daemon, mailbox, make
from tests.parts.authority import Authority
from tests.parts.daemon import Daemon
from tests.parts.directory import Directory, Person
from tests.parts.redis import Redis
from tests.requirements.events import start
from tests.requirements.machine import Machine

__all__ = ["daemon", "mailbox", "make", "start"]

ODD_NAMES = ("Doe, John", "a+b=c", 'quo"te', "#hash", "back\\slash", "(par*en)", "Zoë <ö>", "semi;colon")
MORE = (
    Person("circled", "①23", mail=("circled@example.com",)),
    Person("digits", "123", mail=("digits@example.com",)),
    Person("nul", "in\0side", mail=("nul@example.com",)),
    Person("long", "0123456789abcdef" * 8, mail=("long@example.com",)),
    *(Person(name, "odd", mail=("odd@example.com",)) for name in ODD_NAMES),
)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


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


@pytest.fixture(scope="session")
def slapd(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Directory]:
    with Directory(tmp_path_factory.mktemp("directory"), authority, (*PEOPLE, *MORE)) as running:
        yield running


@pytest.fixture
def directory(slapd: Directory) -> Iterator[Directory]:
    """May be paused and stopped."""
    yield slapd
    slapd.resume()
    slapd.start()


@pytest.fixture
def machine(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Return the machine that daemons started from now on believe to run on."""
    return Machine(tmp_path_factory.mktemp("machine"), monkeypatch)
