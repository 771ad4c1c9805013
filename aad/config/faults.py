"""What is wrong with a configuration, and where."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from aad.filesystem.secure_path import Doubt

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
    """Where the readers put what they find: `faults` forbid a start, `warnings` don't.

    `doubts`: what may be a fault, once it is known who may own it.
    """

    faults: list[Fault] = field(default_factory=list)
    warnings: list[Fault] = field(default_factory=list)
    doubts: list[tuple[Path, str, Doubt]] = field(default_factory=list)

    def doubt(self, file: Path, key: str, doubts: Iterable[Doubt]) -> None:
        """Note what is to be judged of the way to what a file names at a key, or to the file itself."""
        self.doubts += [(file, key, each) for each in doubts]

    def judge(self, owners: Collection[int]) -> None:
        """Make faults of what may not belong to these owners, or may be written by others; of each thing one."""
        told = set[Path]()
        for file, key, doubt in self.doubts:
            if doubt.place not in told and (what := doubt.fault(owners)):
                told.add(doubt.place)
                self.faults.append(Fault(file, key, what))


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
