"""Random octets of the system, drawn a page at a time: one system call for every few octets would cost more."""

from __future__ import annotations

import os

PAGE = 4096


class Randomness:
    """A callable: `randomness(n)` gives n octets that can't be guessed, and gives none of them twice."""

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
