"""The command line of tools/soak. Standard library only: --help works without any environment."""

from __future__ import annotations

import argparse
import secrets

ABOUT = """
Load with everything that goes wrong in a year, in some minutes; ends with a table, and 1 if a requirement is broken.
The daemon and slapd are the real ones; users, mail server and the trouble are in this process. The seed decides the
users' actions and the outages; how they coincide depends on the machine.
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    found = argparse.ArgumentParser(prog="tools/soak", description=ABOUT)
    found.add_argument("minutes", type=float, help="how long", metavar="MINUTES")
    found.add_argument("--seed", type=int, default=secrets.randbelow(10_000), help="of a run to repeat")
    found.add_argument("--outages", action="store_true", help="only stop slapd and the mail server, in turn")
    return found


if __name__ == "__main__":
    parser().parse_args()
