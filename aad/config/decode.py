"""A table of aad.toml -> a frozen `Settings` dataclass; an unknown, missing or wrong key is a fault."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from aad.abilities import FindsFaults, FindsWarnings
from aad.config.faults import Fault, Findings, KeyPath, did_you_mean, dotted
from aad.config.files import Table, Tree
from aad.config.portal import NAME as PORTAL
from aad.config.values import Place, readable, value_of, within
from aad.filesystem import secure_path

S = TypeVar("S")
_BROKEN = object()


@dataclass(frozen=True)
class Decoder:
    """Turns tables of one tree into settings; faults and warnings go to `findings`."""

    tree: Tree
    findings: Findings

    def fault(self, at: KeyPath, what: str) -> None:
        """Add a fault at a key."""
        self.findings.faults.append(Fault(self.tree.origin(at), dotted(at), what))

    def warn(self, at: KeyPath, what: str) -> None:
        """Add a warning at a key."""
        self.findings.warnings.append(Fault(self.tree.origin(at), dotted(at), what))

    def tables(self, kind: str) -> dict[str, Table]:
        """Return the named tables [kind.*], in the order of the file."""
        found: dict[str, Table] = self.tree.tables.get(kind, {})
        for name in (name for name, table in found.items() if not isinstance(table, dict)):
            self.fault((kind, name), f"should be a table: [{kind}.{name}]")
        return {name: table for name, table in found.items() if isinstance(table, dict)}

    def websites(self) -> set[str]:
        """Return the names of the API keys, and the portal's."""
        https = self.tree.tables.get("https")
        keys = https.get("keys") if isinstance(https, dict) else None
        own = {PORTAL} if isinstance(https, dict) and PORTAL in https else set()
        return own | (set(keys) if isinstance(keys, dict) else set())

    def names(self, kind: str) -> list[str]:
        """Return the names of [kind.*]; those of websites and the portal are names of clients too."""
        return [*self.tables(kind), *(sorted(self.websites()) if kind == "clients" else ())]

    def settings(self, cls: type[S], table: Table, at: KeyPath) -> S | None:
        """Decode `table` as `cls`; None: it has faults, which are in `findings`."""
        fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]  # a dataclass
        hints = _hints(cls)  # type: ignore[arg-type]  # a class can be hashed
        for key in table.keys() - fields.keys():
            self.fault((*at, key), f"unknown key: {did_you_mean(key, fields)}")
        values = {
            name: self._value(hints[name], field, table[name], (*at, name))
            for name, field in fields.items()
            if name in table
        }
        missing = [n for n, f in fields.items() if n not in table and _required(f)]
        for name in missing:
            self.fault((*at, name), f"missing: {fields[name].metadata['doc']}")
        for name in fields.keys() - table.keys():
            default, names = fields[name].default, fields[name].metadata["names"]
            if names and default == () and fields[name].metadata["every"]:
                values[name] = self._all(names, (*at, name))
            elif isinstance(default, Path):
                values[name] = self.tree.main.parent.absolute() / default
                self._doubt(fields[name], values[name], (*at, name))
        if missing or _BROKEN in values.values() or table.keys() - fields.keys():
            return None
        settings = cls(**values)
        faults = list(settings.faults()) if isinstance(settings, FindsFaults) else []
        self._each(faults, at, self.fault)
        if isinstance(settings, FindsWarnings):
            self._each(list(settings.warnings()), at, self.warn)
        return None if faults else settings

    def _all(self, kind: str, at: KeyPath) -> Any:
        """Return every name of [kind.*], the default of a key that was left out."""
        known = tuple(self.names(kind))
        if not known:
            self.fault(at, f"needs at least one [{kind}.NAME]")
        return known or _BROKEN

    def _value(self, hint: Any, field: Any, value: object, at: KeyPath) -> Any:
        if get_origin(hint) is Mapping:
            return self._nested(get_args(hint)[1], value, at)
        section: Any = next((each for each in get_args(hint) if dataclasses.is_dataclass(each)), None)
        if section is not None:  # "Portal | None"
            if not isinstance(value, dict):
                self.fault(at, f"should be a table: [{dotted(at)}]")
                return _BROKEN
            decoded = self.settings(section, value, at)
            return _BROKEN if decoded is None else decoded
        place = Place(
            self.tree.origin(at),
            lambda what: self.warn(at, what),
            lambda doubts: self.findings.doubt(self.tree.origin(at), dotted(at), doubts),
        )
        try:
            decoded = value_of(hint, value, place)
            within(field.metadata, decoded)
            self._known(field.metadata["names"], decoded)
        except ValueError as error:
            self.fault(at, str(error))
            return _BROKEN
        self._doubt(field, decoded, at)
        return decoded

    def _doubt(self, field: Any, decoded: object, at: KeyPath) -> None:
        """Add doubts for a path that will be read: other users may be able to write to it, or to a folder above."""
        for path in decoded if isinstance(decoded, tuple) else (decoded,):
            if isinstance(path, Path) and not field.metadata["written"]:
                with suppress(OSError):  # its reader reports that
                    self.findings.doubt(self.tree.origin(at), dotted(at), secure_path.doubts(path))

    def _nested(self, cls: type, value: object, at: KeyPath) -> Any:
        """Decode the named tables below a key, each as `cls`."""
        if not isinstance(value, dict):
            self.fault(at, f"should be tables: [{dotted(at)}.NAME]")
            return _BROKEN
        for name in (name for name, table in value.items() if not isinstance(table, dict)):
            self.fault((*at, name), f"should be a table: [{dotted((*at, name))}]")
        decoded = {
            name: self.settings(cls, table, (*at, name)) if isinstance(table, dict) else None
            for name, table in value.items()
        }
        return _BROKEN if None in decoded.values() else decoded

    def _known(self, kind: str, value: str | tuple[str, ...]) -> None:
        """Check that names are of [kind.*]. ValueError: one is unknown."""
        if not kind:
            return
        known = self.names(kind)
        for name in (value,) if isinstance(value, str) else value:
            if name not in known:
                message = f'"{name}" is defined nowhere as [{kind}.{name}]: {did_you_mean(name, known)}'
                raise ValueError(message)
        if not value:
            message = f"should name at least one of [{kind}.*]"
            raise ValueError(message)

    @staticmethod
    def _each(found: Iterable[tuple[str, str]], at: KeyPath, note: Callable[[KeyPath, str], None]) -> None:
        """Note what the settings themselves found, each with its key below `at`."""
        for key, what in found:
            note((*at, *key.split(".")) if key else at, what)


@cache  # it is compiled at each call, and there may be thousands of clients
def _hints(cls: Any) -> dict[str, Any]:
    return get_type_hints(cls)


def undecodable(cls: type) -> Iterator[str]:
    """Yield why a dataclass can't be decoded, for its author."""
    hints = _hints(cls)
    for field in dataclasses.fields(cls):
        hint = hints[field.name]
        if "names" not in field.metadata:
            yield f"{cls.__name__}.{field.name} should be an option(...) of aad.core.settings"
        elif get_origin(hint) is Mapping:
            yield from undecodable(get_args(hint)[1])
        elif not readable(hint):
            yield f"{cls.__name__}.{field.name} is of a type that aad.toml has no values for"


def _required(field: Any) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
