"""What watches a daemon sees a loop that stands, of each process, and none in one that only waits for its turn."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.parts.daemon import Daemon
from tests.parts.watched import EVERY, Watched


@pytest.mark.usefixtures("unshared")
@pytest.mark.parametrize("workers", [1, 2])
def test_a_loop_that_stands_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int) -> None:
    monkeypatch.setattr(Daemon, "options", ("--workers", str(workers)) if workers > 1 else ())
    (tmp_path / "users.toml").touch(mode=0o600)
    rest = f'[repositories.local]\npath = "{tmp_path}/users.toml"\n[senders.mail]\nhost = "127.0.0.1"\nport = 9\n'
    rest += 'security = "none"\nsender_email = "noreply@example.com"\n'
    with Daemon(tmp_path / "aad", rest) as daemon:
        with Watched(daemon) as idle:
            time.sleep(10 * EVERY)
        assert idle.seen.asked >= idle.seen.answered >= workers
        assert idle.stall < 0.05
        assert 0 < idle.before <= idle.peak < idle.before + 4 * 1024 * 1024
        with Watched(daemon) as standing:
            last = daemon.pids[-1]
            os.kill(last, signal.SIGSTOP)
            time.sleep(0.3)
            os.kill(last, signal.SIGCONT)
            time.sleep(2 * EVERY)
        assert 0.2 < standing.stall <= standing.seen.latency
        with Watched(daemon) as dead:
            os.kill(daemon.pids[-1], signal.SIGSTOP)
            time.sleep(0.3)
        os.kill(daemon.pids[-1], signal.SIGCONT)
        assert dead.seen.asked > dead.seen.answered
        assert dead.stall > 0.2
