"""Random octets of the system, drawn a page at a time: a system call for every few octets costs more than they do."""

from __future__ import annotations

import os

PAGE = 4096


class Randomness:
    """A callable that gives n octets nobody can guess, and nobody gets twice."""

    def __init__(self) -> None:
        """Begin with nothing drawn."""
        self._drawn = b""
        self._at = 0

    def __call__(self, count: int) -> bytes:
        """Return `count` octets, at most a page."""
        if self._at + count > len(self._drawn):
            self._drawn, self._at = os.urandom(PAGE), 0
        self._at += count
        return self._drawn[self._at - count : self._at]
