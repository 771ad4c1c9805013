"""`aad hash-password`."""

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
    """Take nothing: a password in the arguments could be read by everybody (ps)."""
    del parser


def run(_options: argparse.Namespace) -> int:
    """Ask for the password, twice on a terminal, and print its hash."""
    if sys.stdin.isatty():
        typed = getpass.getpass("Password: ")
        if getpass.getpass("Once more: ") != typed:
            return failed("the two are not the same", EX_FAILED)
    else:
        typed = sys.stdin.readline().removesuffix("\n")
    password = Secret(typed)
    if not password:
        return failed("an empty password is never accepted", EX_FAILED)
    print(hash_password(password, secrets.token_bytes(SALT_OCTETS)))
    return EX_FINE
