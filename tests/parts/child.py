"""A process started by a test, its output in a file, ended by its pid."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.parts import warm
from tests.parts.part import Part
from tests.parts.waiting import PATIENCE, NotInTimeError, until
from tests.parts.warm import Forked

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Child(Part):
    """One process; it leads a group of its own, so that what it forks ends with it."""

    def __init__(
        self,
        command: Sequence[str | Path],
        log: Path,
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        imported: bool = False,
    ) -> None:
        """Prepare the process; `env` is added to the test's own environment. `imported`: see warm.py."""
        self.command = [str(word) for word in command]
        self.log = log
        self._cwd = cwd
        self._env = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:{PATH}", **(env or {})}
        self._imported = imported
        self._process: subprocess.Popen[bytes] | Forked | None = None
        self._group = 0

    def start(self) -> None:
        """Start it, with a new log, unless it runs."""
        if self.alive:
            return
        with self.log.open("wb") as log, Path(os.devnull).open("rb") as nothing:
            if self._imported and warm.fits(self.command, self._env):
                self._process = warm.fork(
                    self.command, stdin=nothing, stdout=log, stderr=log, cwd=self._cwd, env=self._env, session=True
                )
            else:
                self._process = subprocess.Popen(
                    self.command,
                    stdin=nothing,
                    stdout=log,
                    stderr=log,
                    cwd=self._cwd,
                    env=self._env,
                    start_new_session=True,
                )
        self._group = self._process.pid

    @property
    def process(self) -> subprocess.Popen[bytes] | Forked:
        """The running or ended process."""
        if self._process is None:
            msg = f"{self.command[0]} was never started"
            raise RuntimeError(msg)
        return self._process

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def returncode(self) -> int | None:
        """How it ended; None while it runs."""
        return self.process.poll()

    def output(self) -> str:
        """Return what it has written since its last start."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def freeze(self) -> None:
        """Stop it, as SIGSTOP does, and return once all its threads stand: on a busy machine that takes a while.

        Until then one of them may still answer a request that comes after the signal.
        """
        self.signal(signal.SIGSTOP)
        tasks = Path(f"/proc/{self.pid}/task")
        until(lambda: all(_state(each) in "TtXZ" for each in tasks.iterdir()), what="a process frozen")

    def ready(self, condition: Callable[[], object], seconds: float = PATIENCE) -> None:
        """Wait for `condition`; when the process ends first, or never fulfils it, fail with what it wrote."""
        name = " ".join(self.command)[-200:]
        try:
            until(lambda: not self.alive or condition(), seconds, name)
        except NotInTimeError as late:
            late.add_note(self.output()[-4000:])
            raise
        if not self.alive:
            msg = f"{name} ended with {self.returncode}:\n{self.output()[-4000:]}"
            raise AssertionError(msg)

    def stop(self, seconds: float = 5.0) -> None:
        """Ask it to end, wait, and kill what is left."""
        if self._process is None:
            return
        if self.alive:
            self.signal(signal.SIGTERM)
            self.signal(signal.SIGCONT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
        self.kill()

    def kill(self) -> None:
        """Kill it and whatever is left of its group."""
        if self._process is not None and self._group:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._group, signal.SIGKILL)
            self._group = 0  # the number may be another's from now on
            self._process.wait()


def _state(task: Path) -> str:
    """Return the state of a thread, a letter of proc_pid_stat(5); X: it has ended."""
    try:
        return (task / "stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"
