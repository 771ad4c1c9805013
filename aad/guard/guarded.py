"""A plugin of another package, guarded: each of its calls is made through a Supervisor."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from aad.config import Plugin
from aad.core.raised import raised
from aad.guard.contract import Call, calls, values
from aad.guard.supervisor import Supervisor
from aad.login.outages import Outages
from aad.ports import MisbehavedError, Unavailable, Underway, Wiring

OPENING, CLOSING = 30.0, 5.0  # seconds for __aenter__ and __aexit__
_ENTER = Call("__aenter__", Any, (Unavailable,), waits=True, deadline=None, seconds=OPENING)
_LEAVE = Call("__aexit__", Any, (), waits=True, deadline=None, seconds=CLOSING)


def built(cls: Any, plugin: Plugin, wiring: Wiring, package: str, outages: Outages | None) -> Any:
    """Make a plugin of a package, and return it guarded. ConfigError: it can't be made.

    `outages` are told what it does against its contract.
    """
    supervisor = Supervisor(plugin, package, outages)
    try:
        made = supervisor.timed("__init__", lambda: cls(plugin.settings, wiring))
    except BaseException as error:  # a foreign constructor may raise anything
        raise supervisor.not_made(raised(error)) from error
    return _guarded(plugin.kind, made, supervisor)


class Guarded:
    """Stands in the place of a plugin; the calls and abilities that the plugin has are added by `_guarded`."""

    def __init__(self, plugin: Any, supervisor: Supervisor) -> None:
        self._plugin = plugin
        self._supervisor = supervisor

    def __getattr__(self, name: str) -> Any:
        """Return what is neither a call nor an ability: `proves`, `Memo`. AttributeError, MisbehavedError."""
        return self._value(name)

    def _value(self, name: str) -> Any:
        try:
            return getattr(self._plugin, name)
        except AttributeError:
            raise
        except BaseException as error:
            raise self._supervisor.misbehaved(name, f"raised {raised(error)}") from error


class Opened(Guarded):
    """A guarded plugin that has something to open."""

    async def __aenter__(self) -> Any:
        """Enter the plugin. Unavailable: its own words; ConfigError: it can't be entered."""
        try:
            found = await self._supervisor.awaited(_ENTER, self._plugin.__aenter__, (), {}, OPENING)
        except MisbehavedError as error:
            raise self._supervisor.not_opened(error.why) from error
        if lacks := [
            name for name in vars(type(self)) if name in calls(self._supervisor.kind) and not hasattr(found, name)
        ]:
            words = f"__aenter__ returned {type(found).__name__}, which has no {lacks[0]}; should return the plugin"
            raise self._supervisor.not_opened(words)
        self._plugin = found
        return self

    async def __aexit__(self, *error: object) -> None:
        """Leave the plugin. What goes wrong is only logged, so that those entered before are left too."""
        with suppress(MisbehavedError):
            await self._supervisor.awaited(_LEAVE, self._plugin.__aexit__, error, {}, CLOSING)


def _guarded(kind: str, plugin: Any, supervisor: Supervisor) -> Any:
    """Return the plugin guarded, with all calls and abilities that it has."""
    base = Opened if hasattr(plugin, "__aenter__") else Guarded
    members: dict[str, Any] = {name: _member(call) for name, call in calls(kind).items() if hasattr(plugin, name)}
    # Of the class, since isinstance looks no further for an ability from Python 3.12 on. getattr_static: nothing runs.
    absent = object()
    for name in values(kind):
        if inspect.getattr_static(plugin, name, absent) is not absent:
            members[name] = property(partial(Guarded._value, name=name))  # noqa: SLF001 - our own
    return type(f"Guarded{type(plugin).__name__}", (base,), members)(plugin, supervisor)


def _member(call: Call) -> Callable[..., Any]:
    """Return the function that stands in the place of one call."""

    def member(self: Guarded, *given: Any, **named: Any) -> Any:
        return self._supervisor.called(call, getattr(self._plugin, call.name), given, named)

    async def waiting_member(self: Guarded, *given: Any, **named: Any) -> Any:
        seconds = call.seconds
        if call.deadline is not None:
            deadline = named["deadline"] if "deadline" in named else given[call.deadline]
            seconds = max(deadline - time.monotonic(), 0.0)
        try:
            return await self._supervisor.awaited(call, getattr(self._plugin, call.name), given, named, seconds)
        except Underway as error:
            raise Underway(str(error), error.later and _guarded("later", error.later, self._supervisor)) from error

    return waiting_member if call.waits else member
