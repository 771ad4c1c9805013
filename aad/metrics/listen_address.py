"""The listening address of the metrics: TCP, or a unix socket, whose file a crash may have left behind."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from dataclasses import dataclass, field
from pathlib import Path

GROUP_MAY = 0o660  # members of the daemon's group may connect


@dataclass
class ListenAddress:
    """`path` of a unix socket, or `host` and `port`."""

    path: str = ""
    host: str = ""
    port: int = 0
    _ours: tuple[int, int] | None = field(default=None, init=False)

    def of(self, number: int) -> ListenAddress:
        """Return the address of the process of this number: as many ports further, or the path and the number."""
        if not number:
            return self
        return ListenAddress(
            path=self.path and f"{self.path}-{number}", host=self.host, port=self.port and self.port + number
        )

    def __str__(self) -> str:
        """Return it as in messages to administrators."""
        return self.path or f"{self.host} port {self.port}"

    def bound(self) -> socket.socket:
        """Return a socket that is bound, and doesn't listen yet. OSError: the address isn't available, and why."""
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
        mask = os.umask(0o777 & ~GROUP_MAY)  # a chmod later would leave a moment in which others can connect
        try:
            bound.bind(self.path)
        finally:
            os.umask(mask)
        self._ours = _identity(self.path)


def left_behind(path: str) -> bool:
    """Return whether there is a socket's file that no process listens on. OSError: one does."""
    if not Path(path).exists() or not stat.S_ISSOCK(Path(path).stat().st_mode):
        return False  # nothing there, or not ours to remove: then bind fails
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
