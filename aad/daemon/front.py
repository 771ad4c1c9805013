"""Front: what the daemon asks of each network service it runs (RADIUS, accounting, HTTPS, metrics)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from aad.daemon.assembly import Assembled


class Front(Protocol):
    """One service: made for a first configuration, then `listen`, `follow` at each reload, `drain` at the end."""

    async def listen(self) -> None:
        """Begin to serve. OSError: the address isn't available, and why."""

    def follow(self, assembled: Assembled) -> Callable[[], None]:
        """Build what a new configuration asks of this service; return a function that puts it in force and never fails.

        Until that is called nothing changes: another front may still find a fault that stops the reload. ConfigError,
        OSError: it can't be built.
        """

    def at_work(self) -> set[asyncio.Task[Any]]:
        """Return the requests in progress. Those begun before a reload go on with the old configuration's plugins."""

    async def drain(self, patience: float) -> None:
        """Take no more requests, wait up to `patience` seconds for those in progress, and close."""


def no_change() -> None:
    """Put nothing in force: what a front's `follow` returns if a configuration changes nothing for it."""
