"""The keys of aad.toml, as plain values read from the `Settings` dataclasses: the source of aad.toml(5)."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from aad.config import sections
from aad.config.load import Config, Plugin
from aad.core.secret import Secret
from aad.core.settings import Duration, Pairs, Rate, spoken
from aad.core.strength import Trait
from aad.daemon import plugin_registry

TYPES: dict[Any, str] = {
    str: "text",
    bool: "true or false",
    int: "whole number",
    float: "number",
    Duration: "duration",
    Rate: "rate",
    Path: "path",
    Pairs: "table of texts",
    Secret: "secret",
}
_MANY = {"text": "list of texts", "secret": "secret or list of secrets"}


@dataclass(frozen=True)
class Key:
    """One key: what it takes, what holds without it ("" where it must be given or says so itself), what it does."""

    name: str
    takes: str
    default: str
    required: bool
    says: str


@dataclass(frozen=True)
class Section:
    """One table of aad.toml, of one type where there are several."""

    heading: str
    type: str
    says: str
    keys: tuple[Key, ...]


def tables() -> Iterator[Section]:
    """Return every section, in the order of `Config`."""
    for name, stated in get_type_hints(Config).items():
        hint = get_args(stated)[0] if isinstance(stated, UnionType) else stated  # "Https | None": or not at all
        inner = _named(hint)
        heading = f"[{name}.NAME]" if inner else f"[{name}]"
        if inner is Plugin:
            yield from _plugins(name, heading, ())
        elif hint is Plugin:  # [store], of which some keys are every type's
            yield from _plugins(f"{name}s", heading, _keys(getattr(sections, name.capitalize())))
        elif dataclasses.is_dataclass(one := inner or hint) and one is not Trait:
            yield from _section(heading, "", one, ())


def _plugins(kind: str, heading: str, common: tuple[Key, ...]) -> Iterator[Section]:
    for type_ in plugin_registry.BUILT_IN[kind]:
        yield from _section(heading, type_, plugin_registry.settings(kind, type_), common)


def _section(heading: str, type_: str, settings: Any, common: tuple[Key, ...]) -> Iterator[Section]:
    """Return a section, and those that stand below it: a key that holds named tables is a section of its own."""
    yield Section(heading, type_, "" if type_ else _about(settings), (*_keys(settings), *common))
    for field in dataclasses.fields(settings):
        stated = get_type_hints(settings)[field.name]
        if (one := _table(stated)) is not None:  # one table below
            yield from _section(f"{heading.removesuffix(']')}.{field.name}]", "", one, ())
        if inner := _named(stated):
            said = re.match(r"\[[^]]+\]", inner.__doc__ or "")
            below = said[0] if said else f"{heading.removesuffix(']')}.{field.name}.NAME]"
            yield Section(below, "", field.metadata["doc"].rstrip("."), _keys(inner))


def _named(hint: Any) -> Any:
    """Return the type of each of the named tables; None: the annotation is no mapping of tables."""
    return get_args(hint)[1] if get_origin(hint) is Mapping else None


def _table(hint: Any) -> Any:
    """Return the type of a table that may be absent; None: the annotation is no such table."""
    return next((one for one in get_args(hint) if dataclasses.is_dataclass(one)), None)


def _about(settings: Any) -> str:
    """Return what the docstring says after the heading: "[chains.NAME]: methods that ..."."""
    _, _, says = (settings.__doc__ or "").partition("]")
    return str(says).strip(".: ")


def _keys(settings: Any) -> tuple[Key, ...]:
    hints = get_type_hints(settings)
    fields = [f for f in dataclasses.fields(settings) if not _named(hints[f.name]) and _table(hints[f.name]) is None]
    return tuple(_key(field, hints[field.name]) for field in fields)


def _key(field: Any, hint: Any) -> Key:
    required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    takes = _type(hint) + _names(field.metadata["names"]) + _within(field.metadata)
    return Key(field.name, takes, "" if required else _written(field.default), required, field.metadata["doc"])


def _type(hint: Any) -> str:
    """Name a type as an administrator would; KeyError: a type without a name here."""
    if isinstance(hint, UnionType):
        (hint,) = (one for one in get_args(hint) if one is not NoneType)
    return _MANY[TYPES[get_args(hint)[0]]] if get_origin(hint) is tuple else TYPES[hint]


def _names(kind: str) -> str:
    return f", of [{kind}.*]" if kind else ""


def _within(hints: Mapping[str, Any]) -> str:
    if hints["choices"]:
        return ": " + " or ".join(f'"{choice}"' for choice in hints["choices"])
    low, high = (None if limit is None else _limit(limit) for limit in (hints["at_least"], hints["at_most"]))
    if low is None and high is None:
        return ""
    return f", {low} to {high}" if low and high else f", at least {low}" if low else f", at most {high}"


def _limit(limit: float) -> str:
    return spoken(limit) if isinstance(limit, float) else str(limit)


def _written(default: Any) -> str:
    """Write a default as it would stand in aad.toml; "" for what its sentence explains (none, or all there are)."""
    if default is None or default == ():
        return ""
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple):
        return f"[{', '.join(_written(one) for one in default)}]"
    if isinstance(default, float):
        return f'"{spoken(default)}"'
    return str(default) if isinstance(default, int) else f'"{default}"'
