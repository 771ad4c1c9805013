"""How a plugin of another package is called, so that it can't get past its deadline, its types or the end of its calls.

Whatever it does in a call becomes an exception of that call, and so that login's end. Each call that waits is a task of
its own, which is left behind at the deadline, even if it doesn't let itself be cancelled; and each of its steps is
timed, as one that blocks stops every login.
"""

from __future__ import annotations

import asyncio
import json
import time
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any

from aad.config import ConfigError, Fault, Plugin
from aad.core.outcome import Challenge, Fact
from aad.core.raised import raised
from aad.guard.contract import Call, fits
from aad.login.outages import Outages
from aad.ports import Found, MisbehavedError, Unavailable, Underway

SLACK = 0.04  # seconds beyond a deadline, in which whoever keeps it is back; twice that for who calls another plugin
BLOCKED = 0.5  # seconds in which nobody else was served
WITHDRAWING = 0.25  # seconds that a call has to end, once its caller is cancelled
LEFT_BEHIND = 1000  # calls of one plugin that don't end, at most; then it isn't called any more
_SINGULAR = {"methods": "method", "repositories": "repository", "senders": "sender", "stores": "store"}
_WORDS = tuple[str, str, tuple[Fact, ...]]
Given = tuple[Any, ...]


class Held:
    """One plugin's name, and how its calls are made."""

    def __init__(self, plugin: Plugin, package: str, outages: Outages | None) -> None:
        """Keep what it gets; `outages` hear what the plugin does that it mustn't."""
        self.kind = plugin.kind
        self._plugin = plugin
        self._slack = 2 * SLACK if plugin.kind == "methods" else SLACK
        self._outages = outages
        self._left_behind: set[asyncio.Task[Any]] = set()
        self._brought = f'"{plugin.type}" of {package}'
        self._name = "store" if plugin.kind == "stores" else f"{_SINGULAR[plugin.kind]} {plugin.name}"

    def not_made(self, why: str) -> ConfigError:
        """Return the fault that it can't be made."""
        return self._fault(f"{self._brought} can't be made: {why}")

    def not_opened(self, why: str) -> ConfigError:
        """Return the fault that it can't be opened."""
        return self._fault(f"{self._brought} can't be opened: {why}")

    def misbehaved(self, call: str, why: str) -> MisbehavedError:
        """Write what it did in a call, once in a while; return it as that call's end."""
        why = f"{call} {why}"
        if self._outages:
            self._outages.misbehaved(self._name, f"{self._brought}: {why}")
        return MisbehavedError(f"{self._name}, {self._brought}: {why}", why)

    def timed(self, call: str, work: Callable[[], Any]) -> Any:
        """Do what doesn't wait, and note if it held up all others."""
        began = time.monotonic()
        try:
            return work()
        finally:
            self._took(call, time.monotonic() - began)

    def called(self, call: Call, function: Callable[..., Any], given: Given, named: dict[str, Any]) -> Any:
        """Make a call that doesn't wait. MisbehavedError, and what its contract allows."""
        try:
            return self._checked(call, self.timed(call.name, lambda: function(*given, **named)))
        except BaseException as error:
            if (allowed := self._allowed(call, error)) is error:
                raise
            raise allowed from error

    async def awaited(
        self, call: Call, function: Callable[..., Any], given: Given, named: dict[str, Any], seconds: float
    ) -> Any:
        """Make a call that waits, for so long and a little more. MisbehavedError, and what its contract allows."""
        if len(self._left_behind) >= LEFT_BEHIND:
            raise self.misbehaved(call.name, f"isn't called: {LEFT_BEHIND} calls before never ended")
        task = asyncio.get_running_loop().create_task(self._contained(call, function, given, named))
        try:
            done, _ = await asyncio.wait({task}, timeout=seconds + self._slack)
        except asyncio.CancelledError:
            self._leave_behind(task)
            await asyncio.wait({task}, timeout=WITHDRAWING)  # a message is withdrawn then, if that is still possible
            raise
        if done and task.cancelled():
            raise self.misbehaved(call.name, "raised CancelledError, and nobody had cancelled it")
        if done and isinstance(error := task.exception(), GeneratorExit):
            raise self.misbehaved(call.name, f"raised {raised(error)}")
        if done:
            return task.result()
        self._leave_behind(task)
        late = self.misbehaved(call.name, "was not back in time")
        if Underway in call.raises:  # nobody knows whether the message arrives
            raise Underway(late.what)
        raise late

    async def _contained(self, call: Call, function: Callable[..., Any], given: Given, named: dict[str, Any]) -> Any:
        """Let nothing out of the task but a result, its cancellation, and an exception that its caller knows."""
        work = _awaiting(function, given, named)
        try:
            return self._checked(call, await _stepped(work, lambda took: self._took(call.name, took)))
        except (asyncio.CancelledError, GeneratorExit):
            raise
        except BaseException as error:
            if (allowed := self._allowed(call, error)) is error:
                raise
            raise allowed from error

    def _allowed(self, call: Call, error: BaseException) -> Exception:
        """Return an exception that the contract allows, as long as what is in it can be read; else MisbehavedError."""
        if not isinstance(error, call.raises):
            return (
                error if isinstance(error, MisbehavedError) else self.misbehaved(call.name, f"raised {raised(error)}")
            )
        if isinstance(error, Unavailable) and not fits((error.what, error.where, error.facts), _WORDS):
            return self.misbehaved(call.name, f"raised {type(error).__name__} without words")
        return error

    def _checked(self, call: Call, result: Any) -> Any:
        """Return a result that is what the contract says. MisbehavedError."""
        if call.returns is not Any and not fits(result, call.returns):
            shown = "None" if result is None else type(result).__name__
            raise self.misbehaved(call.name, f"returned {shown}, or something in it is of a wrong type")
        if isinstance(result, Found) and result.user.repository != self._plugin.name:
            raise self.misbehaved(call.name, "returned a user of another repository")
        if isinstance(result, Challenge) and not _keepable(result.memo):
            raise self.misbehaved(call.name, "returned a memo that can't be kept: should be of numbers and strings")
        return result

    def _took(self, call: str, seconds: float) -> None:
        if seconds > BLOCKED and self._outages:
            self._outages.blocked(self._name, f"{self._brought}: {call}", seconds)

    def _leave_behind(self, task: asyncio.Task[Any]) -> None:
        self._left_behind.add(task)
        task.add_done_callback(self._ended)
        task.cancel()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._left_behind.discard(task)
        if not task.cancelled():
            task.exception()  # what becomes of it is of no use to anybody

    def _fault(self, what: str) -> ConfigError:
        key = "store" if self.kind == "stores" else f"{self.kind}.{self._plugin.name}"
        return ConfigError([Fault(self._plugin.file, key, what)])


async def _awaiting(function: Callable[..., Any], given: Given, named: dict[str, Any]) -> Any:
    made: Awaitable[Any] = function(*given, **named)
    return await made


@types.coroutine
def _stepped(work: Coroutine[Any, Any, Any], took: Callable[[float], None]) -> Generator[Any, Any, Any]:
    """Do the work as `await` would, and tell how long each of its steps took."""
    step: Callable[[Any], Any] = work.send
    given: Any = None
    while True:
        began = time.monotonic()
        try:
            awaits = step(given)
        except StopIteration as done:
            return done.value
        finally:
            took(time.monotonic() - began)
        try:
            given = yield awaits
            step = work.send
        except BaseException as error:  # noqa: BLE001 - a cancellation, which is the work's
            step, given = work.throw, error


def _keepable(memo: Any) -> bool:
    try:
        json.dumps(vars(memo))
    except (TypeError, ValueError):
        return False
    return True
