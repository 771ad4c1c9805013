"""`aad make-key`: an API key for a website, and the table of aad.toml that admits it."""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import secrets

from aad.cli.exits import EX_FINE

EXAMPLE = "aad make-key shop --event web"
OCTETS = 32  # of randomness: what makes a quick hash good enough
PREFIX = "aad_"  # lets scanners find a key that leaked into a repository or a log
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the website's name and its event."""
    parser.add_argument("name", metavar="NAME", help="the website's name in the log, in chains and limits")
    parser.add_argument(
        "--event", default="web", metavar="EVENT", help="the event that its users log in for; default: %(default)s"
    )


def run(options: argparse.Namespace) -> int:
    """Print a new key, and the table with its hash."""
    key = PREFIX + secrets.token_urlsafe(OCTETS)
    name = options.name if _BARE.fullmatch(options.name) else json.dumps(options.name)
    print(f"""# For the website: its key, which is shown this once.
{key}

# For aad.toml: the key's hash, which is no secret.
[https.keys.{name}]
hash = "{hashlib.sha256(key.encode()).hexdigest()}"
event = {json.dumps(options.event)}""")
    return EX_FINE
