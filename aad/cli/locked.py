"""`aad locked`."""

from __future__ import annotations

import argparse
import asyncio

from aad import assembly
from aad.cli.become import configured_for_daemon
from aad.cli.exits import EX_FINE, takes_config, unavailable
from aad.config import Config
from aad.ports import Unavailable

EXAMPLE = "aad locked"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Take the file."""
    takes_config(parser)


def run(options: argparse.Namespace) -> int:
    """Print one line for each user that is locked out."""
    return asyncio.run(_list(configured_for_daemon(options)))


async def _list(config: Config) -> int:
    try:
        async with assembly.opened_store(config) as store:
            for tally in await assembly.lockout(config, store).locked():
                print(
                    f"{tally.name}  event {tally.scope}  {tally.count} failures  {tally.until - store.now():.0f} s more"
                )
    except Unavailable as error:
        return unavailable(f"store: {error.what}")
    return EX_FINE
