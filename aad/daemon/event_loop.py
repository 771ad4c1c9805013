"""The event loop that the daemon runs in: uvloop's where that is installed, for a login's CPU."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

ENDING = 2.0  # seconds for what is at work when the loop ends
factory: Callable[[], asyncio.AbstractEventLoop] | None
try:
    from uvloop import new_event_loop as factory
except ImportError:
    factory = None


def run(serving: Coroutine[Any, Any, None], escaped: Callable[[BaseException], None] | None = None) -> None:
    """Run until it ends, as `asyncio.run` does.

    What else runs in the loop doesn't end it: SystemExit or KeyboardInterrupt out of a task or a callback that a plugin
    has made for itself is told to `escaped`. (Signals are no exceptions: `serving` has handlers for them.)
    """
    with asyncio.Runner(loop_factory=factory) as runner:
        loop = runner.get_loop()
        task = loop.create_task(_whole(serving))
        while True:
            try:
                return loop.run_until_complete(task)
            except (SystemExit, KeyboardInterrupt) as error:
                if task.done() or escaped is None:
                    raise
                escaped(error)


async def _whole(serving: Coroutine[Any, Any, None]) -> None:
    """Run it, and end what it leaves behind. Tasks that don't let themselves be cancelled are forgotten."""
    try:
        await serving
    finally:
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        if left:
            _, clinging = await asyncio.wait(left, timeout=ENDING)
            for task in clinging:
                asyncio._unregister_task(task)  # noqa: SLF001 - documented; else the runner would wait for them for ever
