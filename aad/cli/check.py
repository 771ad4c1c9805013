"""`aad check`: every fault of the configuration; with --online also whether its servers answer."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

from aad.cli import prompts
from aad.cli.become import become_daemon
from aad.cli.exits import EX_FAILED, EX_FINE, configured, say, takes_config
from aad.cli.group_lookup import groups_found
from aad.config import Config, ConfigError
from aad.core.secret import Secret
from aad.daemon import assembly
from aad.daemon.installation_key import KEY_OCTETS
from aad.login.outages import Outages
from aad.ports import Unavailable, Wiring

KEY = Secret(b"\0" * KEY_OCTETS)  # nothing is sent, no code is made
EXAMPLE = "aad check -c /etc/aad/aad.toml --online"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add -c and --online."""
    takes_config(parser)
    online = "also connect to each repository, each sender and the store, and look up every group"
    parser.add_argument("--online", action="store_true", help=online)


def run(options: argparse.Namespace) -> int:
    """Print the warnings, and with --online a line for each part. ConfigError: every fault."""
    config = configured(options)
    _construct(config)
    for warning in (*config.warnings, *prompts.warnings(config)):
        print(f"warning: {warning}", file=sys.stderr)
    if options.online:
        become_daemon(config)
        return asyncio.run(_online(config))
    print(f"{options.config}: fine")
    return EX_FINE


def _construct(config: Config) -> None:
    """Construct every plugin, as serve would, and open none. ConfigError: one can't be constructed."""
    outages = Outages(_no_record)
    store = assembly.built(config.store, Wiring(name="store", key=Secret(b"")), outages)
    assembly.made(config, assembly.Lasting(_no_record, store, outages), KEY)


def _no_record(name: str, /, **fields: object) -> None:
    """Write no record: no daemon is running here."""


async def _online(config: Config) -> int:
    parts: list[tuple[str, Any]] = [("store", assembly.opened_store(config))]
    parts += [(f"repository {name}", part) for name, part in assembly.repositories(config, KEY).items()]
    parts += [(f"sender {name}", part) for name, part in assembly.senders(config, KEY).items()]
    worked = [await _try(where, part) for where, part in parts]
    worked.append(await groups_found(config, KEY))
    return EX_FINE if all(worked) else EX_FAILED


async def _try(where: str, part: Any) -> bool:
    """Open and probe one part; print a line with the time that took. False: it failed."""
    began = time.monotonic()
    outcome, worked = await _probe(part)
    say(f"{where}: {'fine' if worked else 'FAILED'}, {outcome} ({(time.monotonic() - began) * 1000:.0f} ms)")
    return worked


async def _probe(part: Any) -> tuple[str, bool]:
    try:
        async with AsyncExitStack() as stack:
            probe: Callable[[], Awaitable[str]] = (await stack.enter_async_context(part)).probe
            return await probe(), True
    except Unavailable as error:
        return error.what, False
    except ConfigError as error:  # a plugin of another package can't be opened
        return str(error), False
