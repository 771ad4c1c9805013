"""`aad make-secret`."""

from __future__ import annotations

import argparse
import secrets
import string

from aad.cli.exits import EX_FINE

EXAMPLE = "aad make-secret >vpn-gateway.secret"
LENGTH = 32
CHARACTERS = string.ascii_letters + string.digits  # which every NAS takes, and no command for an option


def arguments(parser: argparse.ArgumentParser) -> None:
    """Take nothing."""
    del parser


def run(_options: argparse.Namespace) -> int:
    """Print a secret of letters and digits: 190 bits that nobody guesses."""
    print("".join(secrets.choice(CHARACTERS) for _ in range(LENGTH)))
    return EX_FINE
