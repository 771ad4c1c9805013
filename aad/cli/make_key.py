"""`aad make-key`."""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import secrets

from aad.cli.exits import EX_FINE

EXAMPLE = "aad make-key shop --event web"
OCTETS = 32  # of randomness: what makes a quick hash good enough
PREFIX = "aad_"  # by which it is known for what it is, where it shouldn't be: in a repository, in a log
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Take the website's name, and its event."""
    parser.add_argument("name", metavar="NAME", help="what the log, chains and limits call the website")
    parser.add_argument("--event", default="web", metavar="EVENT", help="the event its users log in for; %(default)s")


def run(options: argparse.Namespace) -> int:
    """Print a key, once, and what aad.toml needs of it."""
    key = PREFIX + secrets.token_urlsafe(OCTETS)
    name = options.name if _BARE.fullmatch(options.name) else json.dumps(options.name)
    print(f"""# For the website: its key, which is shown this once.
{key}

# For aad.toml: the key's hash, which is no secret.
[https.keys.{name}]
hash = "{hashlib.sha256(key.encode()).hexdigest()}"
event = {json.dumps(options.event)}""")
    return EX_FINE
