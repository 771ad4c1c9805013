"""The checkouts that are measured: this one, and another one to compare with; and what both can read."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
_UNKNOWN = re.compile(r"aad\.toml: ([\w.-]+): unknown key")


class CannotMeasureError(Exception):
    """Says in a few lines why nothing is measured."""


@dataclass(frozen=True)
class Checkout:
    """A tree with a package `aad` in it, and what it is called in the table."""

    name: str
    folder: Path

    @property
    def command(self) -> list[str]:
        """Return what stands before a command so that its Python finds this tree first."""
        return ["env", "-C", str(self.folder), f"PYTHONPATH={self.folder}"]

    def unknown(self, file: Path) -> set[str]:
        """Return the keys of an aad.toml, as table.key, that this checkout doesn't know."""
        words = [*self.command, sys.executable, "-m", "aad", "check", "-c", str(file)]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
        return set(_UNKNOWN.findall(done.stdout + done.stderr))


def this() -> Checkout:
    """Return the checkout that this tool belongs to."""
    return Checkout("this", HERE)


@contextmanager
def other(revision: str, scratch: Path) -> Iterator[Checkout]:
    """Give a folder with a checkout as it is, or a commit checked out in `scratch` for a while. CannotMeasureError."""
    folder = Path(revision).absolute()
    if (folder / "aad" / "__init__.py").is_file():
        if folder.samefile(HERE):
            message = f"--against: {revision} is this checkout"
            raise CannotMeasureError(message)
        yield Checkout(folder.name, folder)
        return
    commit = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}").strip()
    if not commit:
        message = f"--against: {revision} is neither a commit of this repository nor a folder with a checkout of aad"
        raise CannotMeasureError(message)
    folder = scratch / "against"
    try:
        _git("worktree", "add", "--detach", "--quiet", str(folder), commit)
        if not (folder / "aad" / "__init__.py").is_file():
            message = f"--against: there is no aad in {revision}"
            raise CannotMeasureError(message)
        yield Checkout(revision if len(revision) <= 20 else commit[:10], folder)  # noqa: PLR2004 - fits the table
    finally:
        _git("worktree", "remove", "--force", str(folder))


def _git(*words: str) -> str:
    """Return what git says; nothing, if it fails."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    command = ["git", "-C", str(HERE), *words]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment).stdout
    except FileNotFoundError:
        return ""


def without(text: str, keys: Iterable[str]) -> str:
    """Leave keys, given as table.key, out of an aad.toml whose every key is on a line of its own."""
    left, table, gone = [], "", set(keys)
    for line in text.splitlines(keepends=True):
        if line.startswith("["):
            table = line.strip().strip("[]") + "."
        if table + line.partition("=")[0].strip() not in gone:
            left.append(line)
    return "".join(left)
