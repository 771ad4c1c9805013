"""What every test shares."""

import os
import signal
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.parts.authority import Authority
from tests.parts.corp import ODD_PEOPLE, PEOPLE
from tests.parts.daemon import Daemon
from tests.parts.directory import Directory

settings.register_profile("aad", deadline=None)  # no time is asserted: the machine may be busy
settings.load_profile("aad")

Daemon.imported = True

LAST_LINES = 40  # of a daemon's log, shown with a test that failed

# Whoever runs the tests in the background of a shell has SIGINT ignored, and so would each program they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    workers = int(os.environ.get("AAD_WORKERS") or 1)
    parser.addoption("--workers", type=int, default=workers, help="of the requirements' daemons")
    parser.addoption("--store", choices=("sqlite", "valkey"), default="sqlite", help="of the requirements' daemons")


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="session")
def slapd(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Directory]:
    with Directory(tmp_path_factory.mktemp("directory"), authority, (*PEOPLE, *ODD_PEOPLE)) as running:
        yield running


@pytest.fixture
def directory(slapd: Directory) -> Iterator[Directory]:
    """Return the one directory of the session. It may be paused and stopped, and runs again after the test."""
    yield slapd
    slapd.resume()
    slapd.start()


@pytest.fixture
def unshared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start each daemon on its own, for a test that counts its memory or looks at what `ps` shows of it (warm.py)."""
    monkeypatch.setattr(Daemon, "imported", False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failed test what its daemons said last."""
    report = yield
    folder = getattr(item, "funcargs", {}).get("tmp_path")
    if report.failed and isinstance(folder, Path):
        for log in sorted(folder.rglob("daemon-*.log")):
            said = log.read_text(errors="replace").splitlines()[-LAST_LINES:]
            report.sections.append((f"the end of {log.relative_to(folder)}", "\n".join(said)))
    return report
