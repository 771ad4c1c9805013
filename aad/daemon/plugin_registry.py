"""Finds the plugin class of a `type` in aad.toml: built in, or brought by a package through an entry point."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from aad.guard.conformance import faults

BUILT_IN = {
    "methods": {
        "password": "aad.methods.password:Password",
        "email_otp": "aad.methods.email_otp:EmailOtp",
        "file_password": "aad.methods.file_password:FilePassword",
        "radius": "aad.methods.radius_password:RadiusPassword",
        "totp": "aad.methods.totp:Totp",
        "hotp": "aad.methods.hotp:Hotp",
        "recovery_codes": "aad.methods.recovery_codes:RecoveryCodes",
    },
    "repositories": {"ldap": "aad.repositories.ldap:Ldap", "file": "aad.repositories.file:File"},
    "senders": {"smtp": "aad.senders.smtp:Smtp"},
    "stores": {"sqlite": "aad.stores.sqlite:Sqlite", "valkey": "aad.stores.valkey:Valkey"},
}


@dataclass(frozen=True, kw_only=True)
class Brought:
    """A type: its class as `place`, "MODULE:CLASS", and the package that brings it ("": it is built in).

    `used`: aad.toml means this one by the name; otherwise another one of that name goes before it.
    """

    kind: str
    type: str
    place: str
    package: str = ""
    version: str = ""
    used: bool = True

    def load(self) -> Any:
        """Return the class. ImportError: it can't be used, and why."""
        if not self.package:
            return _attribute(self.place)
        try:
            found = _attribute(self.place)
            wrong = list(faults(self.kind, found))
        except BaseException as error:  # a foreign module may do anything while it is imported
            message = f"{self.place} of {self.package}: {type(error).__name__}: {error}"
            raise ImportError(message) from error
        if wrong:
            message = f"{self.place} of {self.package}: {'; '.join(wrong)}"
            raise ImportError(message)
        return found


def brought(kind: str) -> list[Brought]:
    """Return every type of a kind ("senders"): the built-in ones, then the packages'. Nothing is imported yet."""
    found = [Brought(kind=kind, type=name, place=place) for name, place in BUILT_IN[kind].items()]
    taken = set(BUILT_IN[kind])
    for point in sorted(entry_points(group=f"aad.{kind}"), key=lambda one: (one.name, _package(one))):
        found.append(
            Brought(
                kind=kind,
                type=point.name,
                place=point.value,
                package=_package(point) or "a package without a name",
                version=point.dist.version if point.dist else "",
                used=point.name not in taken,
            )
        )
        taken.add(point.name)
    return found


def names(kind: str) -> list[str]:
    """Return the names of all types of a kind ("senders"); nothing is imported yet."""
    return [each.type for each in brought(kind) if each.used]


def rivals(kind: str, name: str) -> list[str]:
    """Return the packages whose type of this name is not used, as another one goes before it."""
    return [each.package for each in brought(kind) if each.type == name and not each.used]


def package(kind: str, name: str) -> str:
    """Return the package that brings a type, as "NAME VERSION"; empty: the type is built in."""
    if name in BUILT_IN[kind]:
        return ""
    return next((f"{each.package} {each.version}".strip() for each in brought(kind) if each.type == name), "a package")


def plugin_class(kind: str, name: str) -> Any:
    """Return the class of a type. ImportError: it can't be loaded, and why."""
    if name in BUILT_IN[kind]:
        return _attribute(BUILT_IN[kind][name])
    for each in brought(kind):
        if each.type == name and each.used:
            return each.load()
    message = f"no plugin of this name in aad.{kind}"
    raise ImportError(message)


def attribute_dictionary(further: Path | None) -> Any:
    """Return the RADIUS attributes for replies, with those of the file `further`. ValueError: it can't be read."""
    return import_module("aad.radius.protocol.attribute_dictionary").AttributeDictionary(further)


def settings(kind: str, name: str) -> type:
    """Return the `Settings` of a type. ImportError: as `plugin_class`."""
    found: type = plugin_class(kind, name).Settings
    return found


def _attribute(place: str) -> Any:
    module, _, attribute = place.partition(":")
    return getattr(import_module(module), attribute)


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else ""
