"""Faults and warnings of a configuration: file, key, and what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from aad.filesystem.secure_path import Doubt

KeyPath = tuple[str, ...]


@dataclass(frozen=True)
class Fault:
    """One fault or warning: its file, its key, and what would be right."""

    file: Path
    key: str
    what: str

    def __str__(self) -> str:
        """Return it on one line, in the form of compilers' messages: FILE: KEY: WHAT."""
        return f"{self.file}: {self.key}: {self.what}" if self.key else f"{self.file}: {self.what}"


class ConfigError(ValueError):
    """A configuration that can't be run; `faults` holds everything that is wrong with it."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        """`faults`: at least one."""
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


@dataclass
class Findings:
    """The findings so far: `faults` forbid a start, `warnings` don't.

    `doubts`: files, folders and links that may be faults, once the permitted owners are known.
    """

    faults: list[Fault] = field(default_factory=list)
    warnings: list[Fault] = field(default_factory=list)
    doubts: list[tuple[Path, str, Doubt]] = field(default_factory=list)

    def doubt(self, file: Path, key: str, doubts: Iterable[Doubt]) -> None:
        """Add doubts about the path to a file that `file` names at `key`, or to `file` itself (key "")."""
        self.doubts += [(file, key, each) for each in doubts]

    def judge(self, owners: Collection[int]) -> None:
        """Turn doubts into faults: another owner than these, or writable by others; one for each path."""
        judged = set[Path]()
        for file, key, doubt in self.doubts:
            if doubt.place not in judged and (what := doubt.fault(owners)):
                judged.add(doubt.place)
                self.faults.append(Fault(file, key, what))


def dotted(at: KeyPath) -> str:
    """Write a key's path as in TOML: clients.vpn.secret; list indices stand in brackets already."""
    return ".".join(at).replace(".[", "[")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint for an unknown `word`: the closest known one, or all of them."""
    choices = list(known)
    close = difflib.get_close_matches(word, choices, n=1, cutoff=0.6)
    if close:
        return f'did you mean "{close[0]}"?'
    return f"known here: {', '.join(choices)}" if choices else "there is none"
