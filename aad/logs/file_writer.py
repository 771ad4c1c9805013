"""Appends records to `[log] file`, and opens it again after logrotate has moved it away."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from aad.filesystem import folders

MODE = 0o640  # it holds user names and masked addresses: for root, the daemon and its group
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW


class LogFile:
    """Appends lines. A line that can't be written, as on a full disk, is lost, and counted in `dropped`.

    `unsaid`: those of them that no record has reported yet.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, or make it. OSError: its text names the file and the reason."""
        self._path = path
        self._file = _opened(path)
        self.dropped = 0
        self.unsaid = 0

    def write(self, line: str) -> bool:
        """Append one line; return whether it was written."""
        octets = (line + "\n").encode(errors="replace")
        try:
            written = os.write(self._file, octets)
            if written < len(
                octets
            ):  # the disk became full within the line: end it, so that the next line begins a new one
                os.write(self._file, b"\n")
        except OSError:
            written = 0
        if written < len(octets):
            self.dropped += 1
            self.unsaid += 1
        return written == len(octets)

    def reopen(self) -> None:
        """Go on in the file that has the name now. OSError: lines still go to the old one."""
        file, self._file = self._file, _opened(self._path)
        os.close(file)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def _opened(path: Path) -> int:
    try:
        with folders.opened(path.parent) as folder:
            with contextlib.suppress(FileExistsError):
                return folder.make(path.name, _FLAGS, MODE)
            return folder.open(path.name, _FLAGS)
    except OSError as error:
        message = f"the log {path} can't be written: {error.strerror}"
        raise OSError(message) from None
