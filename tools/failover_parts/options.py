"""The command line of tools/failover. Standard library only: --help works without any environment."""

from __future__ import annotations

import argparse
import secrets

ABOUT = """
Two nodes with one store, during a load: a node is killed, its link to the store cut, the store frozen, or killed. Each
node, the store (redis-server, appendonly yes), slapd, the mail server and the NAS have a network of their own, so it
needs root. A NAS without a reply sends again after 1.5 s, then to the other node. Every login is another user's, so two
mails to one user are a doubled mail; a doubled accept is one for each of two requests, or of two nodes, in one login.
Exit code 1: a mail or an accept was doubled, a node complained, or logins no longer succeed after a trouble.
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    found = argparse.ArgumentParser(prog="tools/failover", description=ABOUT)
    found.add_argument("--rate", type=float, default=200.0, help="logins a second; default: %(default)g")
    found.add_argument("--seconds", type=float, default=0.0, help="that each trouble lasts; default: as in life, 2-10")
    found.add_argument("--rounds", type=int, default=1, help="of all troubles; default: %(default)s")
    found.add_argument("--workers", type=int, default=1, help="of each node; default: %(default)s")
    found.add_argument("--users", type=int, default=40_000, help="logins, at most; default: %(default)s")
    found.add_argument("--mail-takes", type=float, default=0.1, help="seconds for a mail; default: %(default)s")
    found.add_argument("--on-unavailable", choices=("refuse", "local"), default="refuse", help="of [store]")
    found.add_argument("--keep", action="store_true", help="the nodes' records, even if all went well")
    found.add_argument("--seed", type=int, default=secrets.randbelow(10_000), help="of a run to repeat")
    return found


if __name__ == "__main__":
    parser().parse_args()
