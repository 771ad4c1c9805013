"""The contract of each port, read from its annotations: what a call returns, may raise, and its time limit."""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from aad.abilities import OF_PLUGINS
from aad.ports import (
    AddressRefusedError,
    AmbiguousUserError,
    Later,
    Method,
    Repository,
    Sender,
    Store,
    Unavailable,
    Underway,
)

ANSWER = 1.0  # seconds for a call that is given no deadline: a login asks a store ten times
TRYING = 30.0  # ... for a probe of a back end
FOLLOWING = 3600.0  # ... for a wait until a message is settled
M = TypeVar("M")


@dataclass(frozen=True)
class Call:
    """One function of a port. `deadline`: the position of that argument; None: there is none, and it has `seconds`."""

    name: str
    returns: Any
    raises: tuple[type[Exception], ...]
    waits: bool
    deadline: int | None
    seconds: float


PORTS: dict[str, Any] = {"methods": Method, "repositories": Repository, "senders": Sender, "stores": Store}
"""The port of each kind of plugin."""

_RAISES: dict[str, tuple[type[Exception], ...]] = {
    "find": (AmbiguousUserError,),
    "send": (AddressRefusedError, Underway),
    "receipt": (AddressRefusedError, Underway),
    "compare_and_set": (ValueError,),
    "compare_and_set_expiring": (ValueError,),
}
_SECONDS = {"probe": TRYING, "receipt": FOLLOWING}


@cache
def calls(kind: str) -> Mapping[str, Call]:
    """Return the calls of a kind of plugin, by name: those of its port and of its optional abilities."""
    return {
        name: _call(name, member)
        for port in _ports(kind)
        for name, member in vars(port).items()
        if inspect.isfunction(member) and not name.startswith("_")
    }


@cache
def values(kind: str) -> frozenset[str]:
    """Return the names of a kind's abilities that are values: `queued`, `asks_repository`."""
    declared = (name for port in OF_PLUGINS.get(kind, ()) for name in (*port.__annotations__, *vars(port)))
    return frozenset(name for name in declared if not name.startswith("_")) - calls(kind).keys()


def _ports(kind: str) -> tuple[Any, ...]:
    return (Later,) if kind == "later" else (PORTS[kind], *OF_PLUGINS[kind])


def fits(value: Any, hint: Any) -> bool:
    """Say whether a value is of the type that a port names, down to its fields and items."""
    if hint in (Any, object) or isinstance(hint, TypeVar):
        return True
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return any(fits(value, each) for each in parts)
    kind = NoneType if hint is None else origin or hint
    if kind in (int, float):
        return _is_number(value, kind)
    return isinstance(value, kind) and _made_of(value, kind, parts)


def _is_number(value: Any, kind: type) -> bool:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return whole or (kind is float and isinstance(value, float) and not math.isnan(value))


def _made_of(value: Any, kind: Any, parts: tuple[Any, ...]) -> bool:
    """Say whether the items and fields of a value of the right kind are right too."""
    if kind is tuple:
        every = parts[:1] * len(value) if parts[1:] == (...,) else parts
        return len(every) == len(value) and all(map(fits, value, every))
    if issubclass(kind, Mapping):
        return all(fits(name, parts[0]) and fits(each, parts[1]) for name, each in value.items())
    if kind in (list, frozenset):
        return all(fits(each, parts[0]) for each in value)
    return all(fits(getattr(value, name), each) for name, each in _fields(kind).items())


@cache
def _fields(kind: Any) -> dict[str, Any]:
    """Return the fields of a dataclass or named tuple, with their types."""
    if dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        return {field.name: hints[field.name] for field in dataclasses.fields(kind)}
    return get_type_hints(kind) if issubclass(kind, tuple) and hasattr(kind, "_fields") else {}


def _call(name: str, member: Any) -> Call:
    given = list(inspect.signature(member).parameters)[1:]  # without self
    return Call(
        name=name,
        returns=get_type_hints(member)["return"],
        raises=(Unavailable, *_RAISES.get(name, ())),
        waits=inspect.iscoroutinefunction(member),
        deadline=given.index("deadline") if "deadline" in given else None,
        seconds=_SECONDS.get(name, ANSWER),
    )
