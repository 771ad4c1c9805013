"""The command line of tools/flood. Standard library only: --help works without any environment."""

from __future__ import annotations

import argparse

ABOUT = """
A flood of datagrams from addresses that are no client, and with wrong authenticators from a client's own address, while
that client logs in. The attackers, the client and the daemon share the machine's cores: the figures are this machine's.
Exit code 1: an octet was sent to a stranger, the client starved, or the log grew.
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    found = argparse.ArgumentParser(prog="tools/flood", description=ABOUT)
    found.add_argument("--rate", type=float, default=10_000, help="datagrams a second; default: %(default)s")
    found.add_argument("--seconds", type=float, default=10.0, help="default: %(default)s")
    found.add_argument("--logins", type=float, default=10.0, help="of the client, a second; default: %(default)s")
    return found


if __name__ == "__main__":
    parser().parse_args()
