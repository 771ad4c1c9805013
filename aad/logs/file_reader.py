"""Reads the records of `[log] file`: JSON lines, also of the files that logrotate moved away."""

from __future__ import annotations

import gzip
import json
import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from aad.filesystem import folders
from aad.logs.entry import Entry, UnreadableLogError, Wanted, entry

_MOVED_AWAY = re.compile(r"[.-][0-9]+(\.gz)?")  # aad.log.1, aad.log.2.gz, aad.log-20261124
_GIVEN = {Path("/dev/stdin"), Path("/dev/fd"), Path("/proc/self/fd")}
_POLL = 0.2  # seconds between two looks at a file that is followed


class FileReader:
    """Reads a file as it grows, also when logrotate puts another one in its place."""

    def __init__(self, path: Path) -> None:
        """Open nothing yet."""
        self._path = path
        self.name = str(path)

    def records(self, since: float, wanted: Wanted, *, follow: bool = False) -> Iterator[Entry]:
        """Yield records, oldest first; see `LogReader`."""
        try:
            for file in self._moved_away():
                if not _older(file, since):
                    with _opened(file) as lines:
                        yield from _wanted(lines, since, wanted)
            while True:
                with _opened(self._path) as lines:
                    if _older(self._path, since):
                        lines.seek(0, os.SEEK_END)
                    yield from _wanted(self._lines(lines, follow=follow), since, wanted)
                if not follow:
                    return
        except (OSError, EOFError) as error:
            raise _unreadable(self._path, error) from None

    def latest(self, wanted: Wanted) -> Iterator[Entry]:
        """Yield all records, newest first."""
        try:
            for file in (self._path, *reversed(self._moved_away())):
                with _opened(file) as lines:
                    yield from _wanted(reversed(lines.readlines()), 0.0, wanted)
        except (OSError, EOFError) as error:
            raise _unreadable(self._path, error) from None

    def _moved_away(self) -> list[Path]:
        """Return the files that logrotate moved away, oldest first."""
        name = self._path.name
        files = [file for file in self._path.parent.glob("*") if file.name.startswith(name)]
        moved = [file for file in files if _MOVED_AWAY.fullmatch(file.name[len(name) :])]
        return sorted(moved, key=lambda file: file.stat().st_mtime)

    def _lines(self, lines: IO[bytes], *, follow: bool) -> Iterator[bytes]:
        """Yield the lines of an open file; `follow`: until another file has its name."""
        begun = b""  # half a line, of which the rest is still being written
        while True:
            ended = not follow or self._moved(lines)  # checked before reading, so that the last lines are read too
            for line in lines:
                begun += line
                if begun.endswith(b"\n"):
                    yield begun
                    begun = b""
            if ended:
                return
            time.sleep(_POLL)

    def _moved(self, lines: IO[bytes]) -> bool:
        """Return whether another file has the name by now, or this one was emptied."""
        try:
            there, here = self._path.stat(), os.fstat(lines.fileno())
        except FileNotFoundError:
            return False  # between two files
        return not os.path.samestat(there, here) or there.st_size < lines.tell()


def _older(file: Path, since: float) -> bool:
    """Return whether nothing was written since then; a file system's clock may be up to a second late."""
    return file.stat().st_mtime + 1.0 < since


@contextmanager
def _opened(file: Path) -> Iterator[IO[bytes]]:
    if file in _GIVEN or file.parent in _GIVEN:  # aad log --file <(zcat ...): opened by the caller
        with file.open("rb") as lines:
            yield lines
        return
    with folders.opened(file.parent) as folder:
        descriptor = folder.open(file.name, os.O_RDONLY)
    with open(descriptor, "rb") as plain:  # noqa: PTH123 - of a descriptor
        if file.suffix == ".gz":
            with gzip.open(plain) as lines:
                yield cast("IO[bytes]", lines)
        else:
            yield plain


def _wanted(lines: Iterable[bytes], since: float, wanted: Wanted) -> Iterator[Entry]:
    """Yield the wanted records among lines; other lines are skipped, as other programs may have written them."""
    for line in lines:
        try:
            known = json.loads(line)
            one = entry(known, float(known["time"]))
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
        if one.time >= since and wanted.fits(one):
            yield one


def _unreadable(path: Path, error: OSError | EOFError) -> UnreadableLogError:
    if isinstance(error, PermissionError):
        return UnreadableLogError(f"{path} can't be read: be root, or in the group it belongs to")
    return UnreadableLogError(f"{path} can't be read: {getattr(error, 'strerror', None) or error}")
