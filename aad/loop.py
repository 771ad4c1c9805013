"""The event loop that the daemon runs in: uvloop's where that is installed, for a login's CPU."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

factory: Callable[[], asyncio.AbstractEventLoop] | None
try:
    from uvloop import new_event_loop as factory
except ImportError:
    factory = None


def run(serving: Coroutine[Any, Any, None]) -> None:
    """Run until it ends, as `asyncio.run` does."""
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serving)
