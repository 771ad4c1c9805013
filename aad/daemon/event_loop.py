"""The event loop that the daemon runs in (uvloop's where installed, for a login's CPU), and what stops it: garbage."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine
from typing import Any

ENDING = 2.0  # seconds for the tasks that are running when the loop ends
_THRESHOLDS = (
    10_000,
    20,
    20,
)  # of Python's collector, new objects from one run to the next: the default of 700 means three runs a login
factory: Callable[[], asyncio.AbstractEventLoop] | None
try:
    from uvloop import new_event_loop as factory
except ImportError:
    factory = None


def run(serving: Coroutine[Any, Any, None], escaped: Callable[[BaseException], None] | None = None) -> None:
    """Run until it ends, as `asyncio.run` does.

    What else runs in the loop doesn't end it: SystemExit or KeyboardInterrupt out of a task or a callback that a plugin
    has made for itself is passed to `escaped`. (Signals are no exceptions: `serving` has handlers for them.)
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
    """Run it, then cancel the tasks that it leaves behind. Those that refuse to be cancelled are abandoned."""
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


def settle_garbage() -> None:
    """Collect garbage once, now that a configuration is in force, and never look at the objects that remain again.

    The collector stops the loop while it looks; most of what there is now stays until the next reload anyway. What was
    left out by an earlier call is looked at once more: the objects of the old configuration refer to each other.
    """
    gc.set_threshold(*_THRESHOLDS)
    gc.unfreeze()
    gc.collect()
    gc.freeze()
