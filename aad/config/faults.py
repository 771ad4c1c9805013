"""What is wrong with a configuration, and where."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

KeyPath = tuple[str, ...]


@dataclass(frozen=True)
class Fault:
    """One thing wrong: in which file, at which key, and what would be right."""

    file: Path
    key: str
    what: str

    def __str__(self) -> str:
        """Write it on one line, as every tool that reads compilers' messages understands it."""
        return f"{self.file}: {self.key}: {self.what}" if self.key else f"{self.file}: {self.what}"


class ConfigError(ValueError):
    """A configuration nobody could run; `faults` holds everything that is wrong with it."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        """Hold the faults; there is at least one."""
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


@dataclass
class Findings:
    """Where the readers put what they find: `faults` forbid a start, `warnings` don't."""

    faults: list[Fault] = field(default_factory=list)
    warnings: list[Fault] = field(default_factory=list)


def dotted(at: KeyPath) -> str:
    """Write a key's path as in TOML: clients.vpn.secret; list indices stand in brackets already."""
    return ".".join(at).replace(".[", "[")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return what should be said about a `word` that nobody knows."""
    choices = list(known)
    close = difflib.get_close_matches(word, choices, n=1, cutoff=0.6)
    if close:
        return f'did you mean "{close[0]}"?'
    return f"known here: {', '.join(choices)}" if choices else "there is none"
