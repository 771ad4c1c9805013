"""A file of records, one JSON object a line, opened anew when it was moved away (logrotate)."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from aad.filesystem import folders

MODE = 0o640  # user names and masked addresses stand in it: for root, the daemon and its group
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW


class LogFile:
    """Appends lines. What can't be written, on a full disk, is lost and counted."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it. OSError says which and why."""
        self._path = path
        self._file = _opened(path)
        self.dropped = 0
        self.unsaid = 0

    def write(self, line: str) -> bool:
        """Append one line, and say whether it is there."""
        octets = (line + "\n").encode(errors="replace")
        try:
            written = os.write(self._file, octets)
            if written < len(octets):  # the disk became full amid the line: it ends here, whatever comes next
                os.write(self._file, b"\n")
        except OSError:
            written = 0
        if written < len(octets):
            self.dropped += 1
            self.unsaid += 1
        return written == len(octets)

    def reopen(self) -> None:
        """Go on in the file that has the name now. OSError: the old one goes on being written."""
        file, self._file = self._file, _opened(self._path)
        os.close(file)

    def close(self) -> None:
        """Write no more."""
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
