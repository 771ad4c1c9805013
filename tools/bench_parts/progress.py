"""What is being done now: one line on stderr that is rewritten on a terminal, and plain lines elsewhere."""

from __future__ import annotations

from typing import TextIO

_ANEW = "\r\x1b[K"


class Progress:
    """Says what happens; `passing` is shown on a terminal only, and gone with the next."""

    def __init__(self, stream: TextIO) -> None:
        """Look whether somebody watches."""
        self._stream, self._watched = stream, stream.isatty()

    def say(self, line: str) -> None:
        """Say what stays to be read."""
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
