"""`aad hash-password`: the scrypt hash of a password, for users.toml."""

from __future__ import annotations

import argparse
import getpass
import secrets
import sys

from aad.cli.exits import EX_FAILED, EX_FINE, failed
from aad.core.scrypt import SALT_OCTETS, hash_password
from aad.core.secret import Secret

EXAMPLE = 'aad hash-password   # then in users.toml: [users.alice] password = "..."'


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add none: every user of the host could read a password in the arguments (ps)."""
    del parser


def run(_options: argparse.Namespace) -> int:
    """Ask for the password, twice on a terminal, and print its hash."""
    if sys.stdin.isatty():
        password = getpass.getpass("Password: ")
        if getpass.getpass("Once more: ") != password:
            return failed("the two are not the same", EX_FAILED)
    else:
        password = sys.stdin.readline().removesuffix("\n")
    if not password:
        return failed("an empty password is never accepted", EX_FAILED)
    print(hash_password(Secret(password), secrets.token_bytes(SALT_OCTETS)))
    return EX_FINE
