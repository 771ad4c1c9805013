"""Supervises the calls of a plugin of another package: their deadlines, types and exceptions.

Whatever the plugin does in a call becomes an exception of that call, and so that login's end. Each call that waits is a
task of its own, which is left behind at the deadline, even if it suppresses its cancellation; and each of its steps is
timed, since one that blocks the event loop stops every login.
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

SLACK = 0.04  # seconds granted beyond a deadline; twice as many to a method, which calls other plugins
BLOCKED = 0.5  # seconds of a step from which on it is reported: no other login was served meanwhile
WITHDRAWING = 0.25  # seconds that a call has to end, once its caller is cancelled
LEFT_BEHIND = 1000  # calls of one plugin that don't end, at most; then it isn't called any more
_SINGULAR = {"methods": "method", "repositories": "repository", "senders": "sender", "stores": "store"}
_WORDS = tuple[str, str, tuple[Fact, ...]]
Given = tuple[Any, ...]


class Supervisor:
    """Makes the calls of one plugin, and names it in what goes wrong."""

    def __init__(self, plugin: Plugin, package: str, outages: Outages | None) -> None:
        """Supervise a plugin of `package` ("NAME VERSION"); `outages` are told what it does against its contract."""
        self.kind = plugin.kind
        self._plugin = plugin
        self._slack = 2 * SLACK if plugin.kind == "methods" else SLACK
        self._outages = outages
        self._left_behind: set[asyncio.Task[Any]] = set()
        self._brought = f'"{plugin.type}" of {package}'
        self._name = "store" if plugin.kind == "stores" else f"{_SINGULAR[plugin.kind]} {plugin.name}"

    def not_made(self, why: str) -> ConfigError:
        """Return the fault that the plugin can't be made."""
        return self._fault(f"{self._brought} can't be made: {why}")

    def not_opened(self, why: str) -> ConfigError:
        """Return the fault that the plugin can't be opened."""
        return self._fault(f"{self._brought} can't be opened: {why}")

    def misbehaved(self, call: str, why: str) -> MisbehavedError:
        """Report what the plugin did in a call, once in a while; return the exception that ends the call."""
        why = f"{call} {why}"
        if self._outages:
            self._outages.misbehaved(self._name, f"{self._brought}: {why}")
        return MisbehavedError(f"{self._name}, {self._brought}: {why}", why)

    def timed(self, call: str, work: Callable[[], Any]) -> Any:
        """Do `work`, which doesn't wait, and report it if it blocked the event loop."""
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
        """Make a call that waits, for `seconds` and the slack. MisbehavedError, and what its contract allows."""
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
            raise self.misbehaved(call.name, "raised CancelledError without being cancelled")
        if done and isinstance(error := task.exception(), GeneratorExit):
            raise self.misbehaved(call.name, f"raised {raised(error)}")
        if done:
            return task.result()
        self._leave_behind(task)
        late = self.misbehaved(call.name, "was not back in time")
        if Underway in call.raises:  # the message may still arrive
            raise Underway(late.what)
        raise late

    async def _contained(self, call: Call, function: Callable[..., Any], given: Given, named: dict[str, Any]) -> Any:
        """Make the call, in its task, so that it ends with a result, a cancellation or an exception callers know."""
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
            task.exception()  # so that asyncio doesn't log it as never retrieved

    def _fault(self, what: str) -> ConfigError:
        key = "store" if self.kind == "stores" else f"{self.kind}.{self._plugin.name}"
        return ConfigError([Fault(self._plugin.file, key, what)])


async def _awaiting(function: Callable[..., Any], given: Given, named: dict[str, Any]) -> Any:
    made: Awaitable[Any] = function(*given, **named)
    return await made


@types.coroutine
def _stepped(work: Coroutine[Any, Any, Any], took: Callable[[float], None]) -> Generator[Any, Any, Any]:
    """Do the work as `await` would, and call `took` with the seconds of each of its steps."""
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
