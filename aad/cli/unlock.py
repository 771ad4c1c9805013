"""`aad unlock`: ends a user's lockout and forgets their failures."""

from __future__ import annotations

import argparse
import asyncio
from contextlib import closing

from aad.cli.become import configured_for_daemon
from aad.cli.exits import EX_FINE, failed, takes_config, unavailable
from aad.config import Config
from aad.core.identity import name_key
from aad.core.secret import Secret
from aad.daemon import assembly
from aad.logs.log import Log
from aad.ports import Unavailable

EXAMPLE = "aad unlock alice"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add -c and the user."""
    takes_config(parser)
    parser.add_argument("user", metavar="USER", help="the name, as aad locked shows it")


def run(options: argparse.Namespace) -> int:
    """End the user's rows of failures in every repository, and write the record."""
    return asyncio.run(_unlock(configured_for_daemon(options), options.user))


async def _unlock(config: Config, user: str) -> int:
    try:
        async with assembly.opened_store(config) as store:
            lockout = assembly.lockout(config, store, Secret(b""))
            if not await lockout.unlock(config.repositories, name_key(user)):
                return failed(f"{user} has no failures that count; aad locked lists the users who are")
    except Unavailable as error:
        return unavailable(f"store: {error.what}")
    try:
        with closing(Log(to=config.log.to, layout=config.log.format, file=config.log.file)) as log:
            log.record("user.unlocked", user=user)
    except OSError as error:
        return failed(f"{user} is unlocked, but {error}")
    print(f"{user}: unlocked")
    return EX_FINE
