"""Where the metrics are to be had: one TCP address, or a unix socket that a crash may have left behind."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from dataclasses import dataclass, field
from pathlib import Path

GROUP_MAY = 0o660  # whoever is in the daemon's group may look


@dataclass
class ListenAddress:
    """`path` of a unix socket, or `host` and `port`."""

    path: str = ""
    host: str = ""
    port: int = 0
    _ours: tuple[int, int] | None = field(default=None, init=False)

    def of(self, number: int) -> ListenAddress:
        """Return where the process of this number has its page: the next port, or the path with the number behind."""
        if not number:
            return self
        return ListenAddress(
            path=self.path and f"{self.path}-{number}", host=self.host, port=self.port and self.port + number
        )

    def __str__(self) -> str:
        """Write it as an administrator knows it."""
        return self.path or f"{self.host} port {self.port}"

    def bound(self) -> socket.socket:
        """Return a socket that is bound, and doesn't listen yet. OSError: it can't be had, and why."""
        family = socket.AF_UNIX if self.path else socket.AF_INET6 if ":" in self.host else socket.AF_INET
        bound = socket.socket(family, socket.SOCK_STREAM)
        try:
            bound.setblocking(False)
            if self.path:
                self._bind(bound)
            else:
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                bound.bind((self.host, self.port))
        except OSError as error:
            bound.close()
            message = f"can't listen on {self} for metrics: {error.strerror}"
            raise OSError(error.errno, message) from None
        return bound

    def remove(self) -> None:
        """Remove the socket's file, if it is still the one that was bound."""
        with contextlib.suppress(OSError):
            if self._ours and self._ours == _identity(self.path):
                Path(self.path).unlink()

    def _bind(self, bound: socket.socket) -> None:
        if left_behind(self.path):
            Path(self.path).unlink()
        mask = os.umask(0o777 & ~GROUP_MAY)  # nobody may connect before a chmod could say who may
        try:
            bound.bind(self.path)
        finally:
            os.umask(mask)
        self._ours = _identity(self.path)


def left_behind(path: str) -> bool:
    """Say whether there is a socket that nobody listens on. OSError: somebody does."""
    if not Path(path).exists() or not stat.S_ISSOCK(Path(path).stat().st_mode):
        return False  # nothing there, or not ours to remove: binding tells
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.settimeout(1)
            probe.connect(path)
        except ConnectionRefusedError:
            return True
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _identity(path: str) -> tuple[int, int]:
    found = Path(path).lstat()
    return found.st_dev, found.st_ino
