"""Requirements 30 and 40: what the daemon holds in memory is in no core, and no process of the same user reads it."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.child import Child
from tests.parts.rooted import PYTHON, USER, Rooted, as_user, ids
from tools.parts.readings import family

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root starts a daemon of another user")

TRY = "import sys; open(f'/proc/{sys.argv[1]}/mem', 'rb')"


@pytest.fixture
def house() -> Iterator[Rooted]:
    with Rooted() as made:
        yield made


def opens_its_memory(pid: int) -> str:
    """Have the daemon's own user open a process's memory, and return what the kernel says to that."""
    done = subprocess.run([*as_user(), PYTHON, "-c", TRY, str(pid)], capture_output=True, text=True, check=False)
    return done.stderr


@pytest.mark.parametrize("how", ["by its own user", "by root", "by root, with workers"])
def test_40_nobody_gets_a_core_or_traces_it(house: Rooted, how: str) -> None:
    command = house.command("serve", *(("--workers", "2") if how.endswith("workers") else ()))
    child = house.daemon() if how == "by its own user" else Child(command, house.folder / "by-hand.log")
    log = house.log / "aad.log"
    expected = 3 if how.endswith("workers") else 1
    with child:
        child.ready(lambda: log.exists() and log.read_text().count("daemon.started") >= max(1, expected - 1))
        pids = family(child.pid)
        assert len(pids) == expected
        for pid in pids:
            assert ids(pid)["Uid"] == {USER}
            limits = Path(f"/proc/{pid}/limits").read_text()
            assert re.search(r"Max core file size +0 +0 ", limits)
            assert Path(f"/proc/{pid}/mem").stat().st_uid == 0
            assert "PermissionError" in opens_its_memory(pid)


def test_such_memory_could_be_read_without_that(house: Rooted) -> None:
    """What the test above tries does work with a process that doesn't care."""
    with Child(
        [*as_user(), PYTHON, "-c", "import signal; print('up', flush=True); signal.pause()"], house.folder / "other.log"
    ) as careless:
        careless.ready(lambda: "up" in careless.output())
        assert opens_its_memory(careless.pid) == ""
