"""Machines of a test's own, each in a network namespace, joined by cables that can be cut (root only).

Whatever is started, or opened, `with host.inside():` is on that host; it may bind 0.0.0.0, or the host's end of a
cable. All of it is gone with the process that made it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.parts.part import Part
from tests.parts.waiting import until

_CLONE_NEWNET = 0x40000000


class Host(Part):
    """A machine on the network: a namespace, held by a process that ends with ours."""

    def __init__(self, name: str) -> None:
        """Name it, in up to ten letters."""
        self.name = name
        self._holder: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Make it."""
        self._holder = subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        ours = Path("/proc/self/ns/net").readlink()
        until(lambda: self._here.readlink() != ours, what=f"a network namespace for {self.name}")
        self.ip("link", "set", "lo", "up")

    def stop(self) -> None:
        """Unmake it; its ends of cables go with it."""
        if self._holder is not None and self._holder.stdin is not None:
            self._holder.stdin.close()
            self._holder.wait()

    @property
    def pid(self) -> int:
        """The process that holds it."""
        assert self._holder is not None
        return self._holder.pid

    @property
    def _here(self) -> Path:
        return Path(f"/proc/{self.pid}/ns/net")

    def ip(self, *words: str) -> None:
        """Run `ip` there."""
        with self.inside():
            done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{self.name}: ip {' '.join(words)}: {done.stderr}"

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Let this thread be there: its sockets, and the processes it starts. Nothing may be awaited meanwhile."""
        with Path("/proc/thread-self/ns/net").open() as back:
            with self._here.open() as there:
                _enter(there.fileno())
            try:
                yield
            finally:
                _enter(back.fileno())


class Cable:
    """Joins two running hosts; each knows the other by its address on this cable."""

    def __init__(self, number: int, one: Host, other: Host) -> None:
        """Lay it, as cable `number` (0 to 255) of the test's."""
        self._one, self._other = one, other
        self.ours, self.theirs = f"10.99.{number}.1", f"10.99.{number}.2"
        name = f"cable{number}"
        one.ip("link", "add", "name", name, "type", "veth", "peer", "name", name, "netns", str(other.pid))
        for host, address in ((one, self.ours), (other, self.theirs)):
            host.ip("address", "add", f"{address}/30", "dev", name)
            host.ip("link", "set", name, "up")
        self._name = name

    def cut(self) -> None:
        """Cut it: what `one` sends is lost from now on, and it isn't told."""
        self._other.ip("link", "set", self._name, "down")

    def mend(self) -> None:
        """Join it again."""
        self._other.ip("link", "set", self._name, "up")


def _enter(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, f"setns: {os.strerror(number)}")
