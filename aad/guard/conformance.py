"""Whether a class is a plugin of its kind: members, parameters, values, and names that are nearly a member's.

A misspelt ability would otherwise be no ability, silently: one `forseen` costs a user's second mail.
"""

from __future__ import annotations

import dataclasses
import difflib
import inspect
from collections.abc import Iterable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from inspect import Parameter, Signature
from typing import Any, ClassVar, get_args, get_origin, get_type_hints

from aad.abilities import OF_PLUGINS, OF_SETTINGS
from aad.config.decode import undecodable
from aad.guard.contract import PORTS, fits

CLOSE = 0.85  # of difflib's ratio: from here on a name is taken for another one misspelt; "threads", "reads" have 0.83
CLOSE_SHUFFLED = 0.8  # ... with the same letters
_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True)
class Member:
    """One member of a port or ability: a function, or a value of the type `hint`; `constant`: read from the class."""

    name: str
    port: str
    function: Any = None
    hint: Any = None
    constant: bool = False


def faults(kind: str, plugin: Any) -> Iterator[str]:
    """Yield what keeps a class from being a plugin of its kind ("senders"), in words for its author."""
    if not isinstance(plugin, type):
        yield "should be a class"
        return
    port = PORTS[kind]
    if lacks := [name for name in _demanded(port) if not hasattr(plugin, name)]:
        yield f"lacks {', '.join(lacks)} (aad.ports.{port.__name__})"
    for name in ("Settings", "Memo"):
        if not hasattr(plugin, name):
            continue
        found = getattr(plugin, name)
        if not dataclasses.is_dataclass(found):
            yield f"{name} should be a dataclass"
        elif name == "Settings" and isinstance(found, type):
            yield from undecodable(found)
            yield from (f"Settings.{fault}" for fault in _unlike(found, OF_SETTINGS[kind]))
    yield from _unlike(plugin, (port, *OF_PLUGINS[kind]))


def _demanded(port: Any) -> list[str]:
    """Return what a port demands, in its order."""
    entered = ["__aenter__", "__aexit__"] if issubclass(port, AbstractAsyncContextManager) else []
    return [*(member.name for member in _members(port)), *entered]


def _members(port: Any) -> list[Member]:
    """Return the public members of a port or ability, those of the ability it extends first."""
    found = dict[str, Member]()
    for each in reversed(port.__mro__):
        if not each.__module__.startswith("aad."):
            continue
        hints = {name: get_type_hints(each)[name] for name in inspect.get_annotations(each)}
        for name, hint in hints.items():
            constant = get_origin(hint) is ClassVar
            found[name] = Member(name, port.__name__, hint=get_args(hint)[0] if constant else hint, constant=constant)
        for name, member in vars(each).items():
            if isinstance(member, property):
                found[name] = Member(name, port.__name__, hint=get_type_hints(member.fget)["return"])
            elif inspect.isfunction(member):
                found[name] = Member(name, port.__name__, function=member)
    return [member for name, member in found.items() if not name.startswith("_")]


def _unlike(cls: type, ports: Iterable[Any]) -> Iterator[str]:
    """Yield where a class, of a plugin or of its settings, has a port or ability by half, or nearly by name."""
    own, known = _public(cls), dict[str, Member]()
    for port in ports:
        members = {member.name: member for member in _members(port)}
        lacks = [name for name in members if name not in own]
        for name in (name for name in members if name in own and name not in known):
            if what := _wrong(cls, members[name]):
                yield f"{name} {what} (aad.ports.{port.__name__})"
            elif lacks and port not in PORTS.values() and name in vars(port):
                yield f"{name} needs {', '.join(lacks)} beside it (aad.ports.{port.__name__})"
        known = members | known
    missing = [member for name, member in known.items() if name not in own]
    for name in (name for name in own if name not in known):
        for member in missing:
            if _is_misspelt(cls, name, member):
                yield f"{name}: did you mean {member.name} (aad.ports.{member.port})?"


def _public(cls: type) -> list[str]:
    """Return the public names of a class, with those of fields that have no default."""
    annotated = (name for each in cls.__mro__ for name in inspect.get_annotations(each))
    return [name for name in dict.fromkeys((*annotated, *dir(cls))) if not name.startswith("_")]


def _wrong(cls: type, member: Member) -> str:
    """Say what is wrong with what a class has under a member's name; empty: nothing."""
    found = inspect.getattr_static(cls, member.name, None)
    return _wrong_function(cls, member, found) if member.function else _wrong_value(cls, member, found)


def _wrong_function(cls: type, member: Member, found: Any) -> str:
    if not _is_function(found):
        return "should be a function"
    given, wanted = _parameters(cls, member.name), list(inspect.signature(member.function).parameters.values())[1:]
    if not _takes(given, wanted):
        return f"should take {_written(wanted)} and takes {_written(given)}"
    function = getattr(cls, member.name)
    waits = {inspect.iscoroutinefunction(each) for each in (function, inspect.unwrap(function))}
    if inspect.iscoroutinefunction(member.function):
        return "" if True in waits else "should be async"
    return "should not be async" if inspect.iscoroutinefunction(function) else ""


def _wrong_value(cls: type, member: Member, found: Any) -> str:
    if _is_function(found):
        return "should be a value, and is a function"
    fields = {field.name for field in dataclasses.fields(cls)} if dataclasses.is_dataclass(cls) else set[str]()
    if member.name in fields:
        right = _same(get_type_hints(cls)[member.name], member.hint)
    elif isinstance(found, property) and member.constant:
        return "should be a value of the class"
    elif isinstance(found, property):
        right = _same(get_type_hints(found.fget).get("return", Any), member.hint)
    else:  # an annotation alone says nothing of the value, nor does any other descriptor
        right = found is None or hasattr(found, "__get__") or fits(found, member.hint)
    return "" if right else f"should be {_spelled(member.hint)}"


def _is_function(found: Any) -> bool:
    return isinstance(found, staticmethod | classmethod) or inspect.isroutine(found)


def _parameters(cls: type, name: str) -> list[Parameter]:
    """Return what a function of a class takes, without the plugin itself."""
    given = list(inspect.signature(getattr(cls, name)).parameters.values())
    unbound = inspect.isfunction(inspect.getattr_static(cls, name))
    return given[1:] if unbound and given and given[0].kind in _POSITIONAL else given  # self may be one of *arguments


def _takes(given: list[Parameter], wanted: list[Parameter]) -> bool:
    """Say whether a function with these parameters can be called as the port's: by position, or by the port's names.

    A name may have underscores before it, as one that isn't used. Further parameters need a default.
    """
    kinds = {each.kind for each in given}
    places = [each for each in given if each.kind in _POSITIONAL]
    ordered = [each for each in wanted if each.kind in _POSITIONAL]
    for mine, port_s in zip(places, ordered, strict=False):
        if mine.name.lstrip("_") not in ("", port_s.name) or (_is_needed(mine) and not _is_needed(port_s)):
            return False
    if len(places) < len(ordered) and Parameter.VAR_POSITIONAL not in kinds:
        return False
    named = {each.name for each in wanted if each.kind is Parameter.KEYWORD_ONLY}
    rest = [*places[len(ordered) :], *(each for each in given if each.kind is Parameter.KEYWORD_ONLY)]
    if Parameter.VAR_KEYWORD not in kinds and not named <= {each.name for each in rest}:
        return False
    return not any(_is_needed(each) and each.name not in named for each in rest)


def _is_needed(parameter: Parameter) -> bool:
    return parameter.default is Parameter.empty


def _written(parameters: list[Parameter]) -> str:
    return str(Signature([each.replace(annotation=Parameter.empty) for each in parameters]))


def _same(found: Any, wanted: Any) -> bool:
    """Say whether a value of one type may stand where the other is wanted."""
    found = getattr(found, "__supertype__", found)  # of a NewType: Duration is a float
    return found in (Any, wanted) or (wanted is float and found is int)


def _spelled(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint)


def _is_misspelt(cls: type, name: str, member: Member) -> bool:
    """Say whether a name of a class, which is no member's, is probably meant to be this member's.

    A function isn't mistaken for a value. One name with the other in it (server, servers; queue, queued) is a word of
    its own, unless it begins the same and is a function that could be called as the member is.
    """
    is_function = _is_function(inspect.getattr_static(cls, name, None))
    if is_function is not bool(member.function) or not _is_close(name, member.name):
        return False
    if name not in member.name and member.name not in name:
        return True
    alike = name.startswith(member.name) or member.name.startswith(name)
    return alike and is_function and not _wrong_function(cls, dataclasses.replace(member, name=name), member.function)


def _is_close(name: str, other: str) -> bool:
    ratio = difflib.SequenceMatcher(None, name, other).ratio()
    return ratio >= (CLOSE_SHUFFLED if sorted(name) == sorted(other) else CLOSE)
