"""The command line of tools/fuzz. Standard library only: --help works without any environment."""

from __future__ import annotations

import argparse

ABOUT = """
A long, seeded, mutating run against the live daemon, whose mail server tells a lie a second.

The same seed gives the same datagrams and lies, but for the States that the daemon drew. What must never happen: a
fault, a word on stderr that is no record, an answer that isn't signed, an Access-Accept, growing memory or descriptors.
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    found = argparse.ArgumentParser(prog="tools/fuzz", description=ABOUT)
    found.add_argument("seconds", nargs="?", type=float, default=60.0, help="default: %(default)s")
    found.add_argument("--seed", type=int, help="repeat a run; default: a new one")
    found.add_argument("--names", type=int, metavar="N", help="instead: N distinct names, and the memory they leave")
    found.add_argument("--refusals", type=int, metavar="N", help="instead: N refusals of each kind, compared")
    return found


if __name__ == "__main__":
    parser().parse_args()
