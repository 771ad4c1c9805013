"""What every command shares: exit codes, -c, and lines on stdout and stderr without control characters."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from aad.config import Config, load
from aad.daemon import plugin_registry
from aad.logs.records import clean

EX_FINE = 0
EX_FAILED = 1
EX_USAGE = 2
DEFAULT_FILE = Path("/etc/aad/aad.toml")


def takes_config(parser: argparse.ArgumentParser) -> None:
    """Add -c to a command."""
    says = "the configuration; default: %(default)s"
    parser.add_argument("-c", "--config", type=Path, default=DEFAULT_FILE, metavar="FILE", help=says)


def configured(options: argparse.Namespace) -> Config:
    """Load the file that -c names. ConfigError."""
    return load(options.config, plugin_registry)


def say(line: str) -> None:
    """Print one line. Control characters are replaced, so that stored values can't move a terminal's cursor."""
    print(clean(line))


def failed(what: str, code: int = EX_FAILED) -> int:
    """Print one line on stderr, and return the exit code."""
    print(f"aad: {clean(what)}", file=sys.stderr)
    return code


def unavailable(what: str) -> int:
    """Print on stderr that a server could not be reached, and return that exit code."""
    return failed(what, os.EX_UNAVAILABLE)
