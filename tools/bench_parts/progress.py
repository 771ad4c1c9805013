"""Progress: one line on stderr that is rewritten on a terminal, and plain lines elsewhere."""

from __future__ import annotations

from typing import TextIO

_ANEW = "\r\x1b[K"


class Progress:
    """Writes progress to a stream; `passing` lines are shown on a terminal only, until the next line."""

    def __init__(self, stream: TextIO) -> None:
        """Rewrite lines if `stream` is a terminal."""
        self._stream, self._watched = stream, stream.isatty()

    def say(self, line: str) -> None:
        """Write a line that stays."""
        self._write(f"{_ANEW if self._watched else ''}{line}\n")

    def passing(self, line: str) -> None:
        """Say what is true for a moment."""
        if self._watched:
            self._write(_ANEW + line)

    def clear(self) -> None:
        """Leave nothing of the line that is rewritten."""
        self.passing("")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
