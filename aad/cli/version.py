"""`aad version`: the versions of aad, Python and the libraries."""

from __future__ import annotations

import argparse
import platform
from importlib.metadata import PackageNotFoundError, requires, version

from aad import __version__
from aad.cli.exits import EX_FINE

EXAMPLE = "aad version"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add none."""
    del parser


def run(_options: argparse.Namespace) -> int:
    """Print the versions, one a line."""
    print(f"aad {__version__}")
    print(f"Python {platform.python_version()}")
    for requirement in requires("aad") or ():
        name = requirement.split(";")[0].strip()
        name = name[: next((i for i, c in enumerate(name) if c in "<>=!~[ "), len(name))]
        if name == "aad" or 'extra == "test"' in requirement:
            continue
        try:
            print(f"{name} {version(name)}")
        except PackageNotFoundError:
            print(f"{name} not installed")
    return EX_FINE
