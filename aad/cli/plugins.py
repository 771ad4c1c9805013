"""`aad plugins`: every type that aad.toml can name, and the package it comes from."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass

from aad import __version__
from aad.cli.exits import EX_FINE
from aad.daemon import plugin_registry
from aad.daemon.plugin_registry import Brought

EXAMPLE = "aad plugins"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add --json."""
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def run(options: argparse.Namespace) -> int:
    """Print a line for each type, and why if it can't be used. None of them is opened."""
    rows = list(_rows())
    if options.json:
        for row in rows:
            print(json.dumps(row.fields()))
        return EX_FINE
    lines = [(row.kind, row.type, row.whose, row.place) for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line, row in zip(lines, rows, strict=True):
        columns = "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True))
        print(f"{columns}  {row.trouble}".rstrip())
    return EX_FINE


@dataclass(frozen=True)
class Row:
    """One type. `fault`: why it can't be loaded; empty: it can."""

    brought: Brought
    fault: str

    @property
    def kind(self) -> str:
        """Name the table of aad.toml: "methods", ..., "store"."""
        return "store" if self.brought.kind == "stores" else self.brought.kind

    @property
    def type(self) -> str:
        """Return its name in aad.toml."""
        return self.brought.type

    @property
    def place(self) -> str:
        """Return MODULE:CLASS."""
        return self.brought.place

    @property
    def whose(self) -> str:
        """Return the package and its version, or "built in"."""
        return f"{self.brought.package} {self.brought.version}".strip() or "built in"

    @property
    def trouble(self) -> str:
        """Say in a few words why it can't be used; empty: it can."""
        if self.fault:
            return f"can't be loaded: {self.fault}"
        return "" if self.brought.used else "not used: another one of this name goes before it"

    def fields(self) -> dict[str, object]:
        """Return the row as a JSON object."""
        return {
            "kind": self.kind,
            "type": self.type,
            "built_in": not self.brought.package,
            "package": self.brought.package or "aad",
            "version": self.brought.version if self.brought.package else __version__,
            "class": self.place,
            "used": self.brought.used,
            "loads": not self.fault,
            "fault": self.fault,
        }


def _rows() -> Iterator[Row]:
    for kind in plugin_registry.BUILT_IN:
        for each in plugin_registry.brought(kind):
            fault = ""
            try:
                each.load()
            except ImportError as error:
                fault = str(error)
            yield Row(each, fault)
