"""`aad make-secret`: a random shared secret for a NAS."""

from __future__ import annotations

import argparse
import secrets
import string

from aad.cli.exits import EX_FINE

EXAMPLE = "aad make-secret >vpn-gateway.secret"
LENGTH = 32
CHARACTERS = string.ascii_letters + string.digits  # every NAS takes these, and no command mistakes one for an option


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add none."""
    del parser


def run(_options: argparse.Namespace) -> int:
    """Print a secret of 32 letters and digits: 190 random bits."""
    print("".join(secrets.choice(CHARACTERS) for _ in range(LENGTH)))
    return EX_FINE
