"""`aad locked`: the rows of failures by which users are locked out."""

from __future__ import annotations

import argparse
import asyncio
import time

from aad.cli.become import configured_for_daemon
from aad.cli.exits import EX_FINE, say, takes_config, unavailable
from aad.config import Config
from aad.core.secret import Secret
from aad.daemon import assembly
from aad.login.lockout import Standing, described
from aad.ports import Unavailable

EXAMPLE = "aad locked --all"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add -c and --all."""
    takes_config(parser)
    parser.add_argument("--all", action="store_true", help="also users with failures who are not locked out yet")


def run(options: argparse.Namespace) -> int:
    """Print one line for each row of failures by which a user is locked out."""
    return asyncio.run(_list(configured_for_daemon(options), everything=options.all))


async def _list(config: Config, *, everything: bool) -> int:
    try:
        async with assembly.opened_store(config) as store:
            for each in await assembly.lockout(config, store, Secret(b"")).all_standings():
                if each.until or everything:
                    say(f"{_who(each)}  {described(each, store.now(), time.time())}")
    except Unavailable as error:
        return unavailable(f"store: {error.what}")
    return EX_FINE


def _who(standing: Standing) -> str:
    return f"{standing.key} ({standing.repository or 'in no repository'})"
