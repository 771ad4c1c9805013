"""See which files are opened, by whichever path: inotify(7)."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path

from tests.parts.part import Part

IN_OPEN, IN_CREATE = 0x20, 0x100
_EVENT = struct.Struct("iIII")


class Opened(Part):
    """Watches files and folders from its start on."""

    def __init__(self, places: Iterable[Path]) -> None:
        """Choose what is watched: a file by any of its names, a folder with what is in it."""
        self._places = list(places)
        self._names: dict[int, Path] = {}
        self._descriptor = -1

    def start(self) -> None:
        """Watch."""
        libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        for place in self._places:
            number = libc.inotify_add_watch(self._descriptor, os.fsencode(place), IN_OPEN | IN_CREATE)
            if number < 0:
                raise OSError(ctypes.get_errno(), str(place))
            self._names[number] = place

    def stop(self) -> None:
        """Watch no longer."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def found(self) -> list[str]:
        """Return what was opened or made since the last time."""
        found: list[str] = []
        while True:
            try:
                octets = os.read(self._descriptor, 65536)
            except BlockingIOError:
                return found
            at = 0
            while at < len(octets):
                number, _, _, length = _EVENT.unpack_from(octets, at)
                name = octets[at + _EVENT.size : at + _EVENT.size + length].rstrip(b"\0")
                found.append(str(self._names[number] / os.fsdecode(name)))
                at += _EVENT.size + length
