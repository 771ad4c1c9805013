"""`python -m aad ...` as a fork of a process that has imported it already: the same process, without its imports.

A start of Python with all of `aad` takes 0.3 to 0.9 s of CPU, a fork of one that has it 0.05 s, and the suite
starts well over a thousand. What is forked here is in all else what `subprocess` would start: a child of the test, with
a session, environment, working directory, standard streams and argv of its own; it ends as Python ends.

It differs in /proc/PID/cmdline and /proc/PID/environ, and shares memory with its siblings. So a test that looks at
those, or at what is imported, starts the program itself; and so does `fits`, where the environment would have changed
how Python starts.
"""

from __future__ import annotations

import atexit
import ctypes
import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[2]
AAD = (sys.executable, "-m", "aad")
_PR_SET_CHILD_SUBREAPER = 36
_AT_START = ("PYTHON", "LANG", "LC_", "LD_", "MALLOC_", "GLIBC_", "OPENSSL_", "SSL_", "TZ", "HOME")
"""What Python, libc and OpenSSL read when a process starts, or may; names in the environment begin so."""


class Forked:
    """A process out of the warm one: as much of `subprocess.Popen` as tests use."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return how it ended; None while it runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return how it ended, once it has. subprocess.TimeoutExpired: not in time."""
        if self.returncode is None:
            descriptor = os.pidfd_open(self.pid)
            try:
                select.select([descriptor], [], [], timeout)
            finally:
                os.close(descriptor)
            if self.poll() is None:
                raise subprocess.TimeoutExpired(AAD, timeout or 0)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)


class _Warm:
    """A warm process of this test process; it ends when its socket closes."""

    def __init__(self, path: str | None) -> None:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.parts.warm_process", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                cwd=ROOT,
                env=environment | ({} if path is None else {"PYTHONPATH": path}),
                start_new_session=True,
            )
        atexit.register(self._end)

    def fork(self, request: dict[str, object], streams: Sequence[int]) -> int:
        """Return the process id of a child of ours that runs `aad`. It is ours: its first parent ends at once."""
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        try:
            socket.send_fds(self._socket, [json.dumps(request).encode()], list(streams))
            pid = int(self._socket.recv(64))
            assert self._socket.recv(64) == b"ended"  # its first parent
        finally:
            libc.prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
        return pid

    def _end(self) -> None:
        self._socket.close()
        self.process.wait()


_warm: dict[str | None, _Warm] = {}
"""One for each PYTHONPATH: what lies there may change how Python starts."""


def fits(command: Sequence[str | Path], environment: Mapping[str, str]) -> bool:
    """Say whether a command is `python -m aad`, and would inherit what the warm process does.

    A test may have moved to another network or mount namespace, set a variable that Python reads, or lowered a limit.
    """
    return tuple(map(str, command[:3])) == AAD and _inherited(environment) == _INHERITED


def fork(  # noqa: PLR0913 - what Popen takes
    command: Sequence[str | Path],
    *,
    stdin: int | IO[bytes],
    stdout: int | IO[bytes],
    stderr: int | IO[bytes],
    env: Mapping[str, str],
    cwd: Path | None = None,
    session: bool = False,
    mounts: int = 0,
) -> Forked:
    """Start a command that fits. The streams are descriptors or files; `session`: it leads one of its own.

    `mounts`: it sees files as the process of this id does, in its mount namespace; 0: as the test does.
    """
    request = {
        "arguments": [str(word) for word in command[3:]],
        "cwd": str(cwd or Path.cwd()),
        "environment": dict(env),
        "session": session,
        "mounts": mounts,
        "umask": _umask(),
    }
    streams = [each if isinstance(each, int) else each.fileno() for each in (stdin, stdout, stderr)]
    path = env.get("PYTHONPATH")
    if path not in _warm:
        _warm[path] = _Warm(path)
    return Forked(_warm[path].fork(request, streams))


def aad(
    *arguments: str | Path,
    given: str = "",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float = 60,
    mounts: int = 0,
) -> subprocess.CompletedProcess[str]:
    """Run a command of `aad` until it ends; `given` is what it reads, `env` is added to the test's environment.

    `mounts`: as for `fork`.
    """
    command = [*AAD, *map(str, arguments)]
    environment = {**os.environ, **(env or {})}
    if not fits(command, environment):
        command = ["nsenter", "--mount", "-t", str(mounts), *command] if mounts else command
        return subprocess.run(
            command, input=given, env=environment, cwd=cwd, capture_output=True, text=True, timeout=timeout, check=False
        )
    with tempfile.TemporaryFile() as read, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        read.write(given.encode())
        read.seek(0)
        process = fork(command, stdin=read, stdout=out, stderr=err, env=environment, cwd=cwd, mounts=mounts)
        try:
            code = process.wait(timeout)
        except BaseException:
            process.send_signal(signal.SIGKILL)
            process.wait()
            raise
        return subprocess.CompletedProcess(command, code, *(_text(file) for file in (out, err)))


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _inherited(environment: Mapping[str, str]) -> tuple[object, ...]:
    """Return what a process inherits and a fork of the warm one would not, or too late."""
    limits = [resource.getrlimit(getattr(resource, name)) for name in dir(resource) if name.startswith("RLIMIT_")]
    read = {name: value for name, value in environment.items() if name.startswith(_AT_START)}
    read.pop("PYTHONPATH", None)  # see _warm
    namespaces = [str(each.readlink()) for each in sorted(Path("/proc/thread-self/ns").iterdir())]
    who = os.getresuid(), os.getresgid(), os.getgroups()
    return read, limits, namespaces, who, os.sched_getaffinity(0), os.nice(0)


_INHERITED = _inherited(os.environ)
