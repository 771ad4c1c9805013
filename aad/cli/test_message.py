"""`aad test-message`: one message through one sender."""

from __future__ import annotations

import argparse
import asyncio
import time
from datetime import UTC, datetime

from aad.cli.exits import EX_FINE, EX_USAGE, configured, failed, takes_config, unavailable
from aad.config import Config
from aad.config.faults import did_you_mean
from aad.core.message import Message, Template
from aad.core.secret import Secret
from aad.daemon import assembly
from aad.ports import AddressRefusedError, Unavailable, Underway

EXAMPLE = "aad test-message --to alice@example.com"
PATIENCE = 60.0  # seconds


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add address, text and sender."""
    takes_config(parser)
    parser.add_argument("--to", required=True, metavar="ADDRESS", help="the recipient")
    parser.add_argument("--message", default="This is a test message of aad.", metavar="TEXT", help="its text")
    parser.add_argument("--sender", metavar="NAME", help="one of [senders.*]; default: the first")


def run(options: argparse.Namespace) -> int:
    """Probe the sender, send, and print the mail server's answers."""
    config = configured(options)
    name = options.sender or next(iter(config.senders), "")
    if name not in config.senders:
        return failed(f"no sender {name!r}: {did_you_mean(name, config.senders)}", EX_USAGE)
    return asyncio.run(_send(config, name, options))


async def _send(config: Config, name: str, options: argparse.Namespace) -> int:
    braces = str.maketrans({"{": "{{", "}": "}}"})  # the text is meant as it is
    template = Template(
        subject=f"Test message of aad, {datetime.now(UTC):%H:%M} UTC", text=options.message.translate(braces) + "\n"
    )
    began = time.monotonic()
    async with assembly.senders(config, Secret(b""))[name] as sender:
        message = Message(recipient=options.to, masked=sender.masked(options.to), template=template, values={})
        try:
            print(f"{name}: {await sender.probe()}")
            receipt = await sender.send(message, began + PATIENCE)
        except AddressRefusedError as error:
            return failed(f"{name}: address refused: {error}")
        except Underway:
            return unavailable(f"{name}: no answer within {PATIENCE:.0f} s")
        except Unavailable as error:
            return unavailable(f"{name}: {error.what}")
    queue = f" as {receipt.queue_id}" if receipt.queue_id else ""
    print(f"{name}: taken for {message.masked}{queue} ({(time.monotonic() - began) * 1000:.0f} ms)")
    return EX_FINE
