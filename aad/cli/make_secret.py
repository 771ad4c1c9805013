"""`aad make-secret`."""

from __future__ import annotations

import argparse
import secrets

from aad.cli.exits import EX_FINE

EXAMPLE = "aad make-secret >vpn-gateway.secret"
OCTETS = 24  # random ones; written as 32 characters, which every NAS takes


def arguments(parser: argparse.ArgumentParser) -> None:
    """Take nothing."""
    del parser


def run(_options: argparse.Namespace) -> int:
    """Print a secret of letters and digits, hyphens and underscores."""
    print(secrets.token_urlsafe(OCTETS))
    return EX_FINE
