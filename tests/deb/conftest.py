"""What the tests of the package share: the package itself, built once."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 300  # seconds: a busy machine takes minutes to build it
BUILDER = {"DEBFULLNAME": "A. Builder", "DEBEMAIL": "builder@example.com"}


def built(folder: Path) -> Path:
    """Build into `folder`; return the package."""
    command: list[str | Path] = [ROOT / "tools" / "deb", "--out", folder]
    environment = {**os.environ, **BUILDER, "PYTHON": sys.executable}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.splitlines()[-1].split("  ")[0])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give whichever test builds the package the time for it."""
    for item in items:
        if "package" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(PATIENCE))


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Return the package; whichever worker of this run comes first builds it."""
    shared = tmp_path_factory.getbasetemp()
    folder = (shared if worker_id == "master" else shared.parent) / "package"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = list(folder.glob("*.deb"))
        return found[0] if found else built(folder)
