"""The exit codes of every command, how it says a line, and how it ends with one on stderr."""

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
    """Give a command its -c."""
    says = "the configuration; default: %(default)s"
    parser.add_argument("-c", "--config", type=Path, default=DEFAULT_FILE, metavar="FILE", help=says)


def configured(options: argparse.Namespace) -> Config:
    """Load the configuration that was asked for. ConfigError."""
    return load(options.config, plugin_registry)


def say(line: str) -> None:
    """Print one line, in which what a directory or a store holds moves no cursor and begins no line of its own."""
    print(clean(line))


def failed(what: str, code: int = EX_FAILED) -> int:
    """Say on stderr, in one line, what went wrong; return the exit code."""
    print(f"aad: {clean(what)}", file=sys.stderr)
    return code


def unavailable(what: str) -> int:
    """Say that a server could not be reached."""
    return failed(what, os.EX_UNAVAILABLE)
