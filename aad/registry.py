"""A type's name in aad.toml -> the plugin class: built in, or brought by a package through an entry point."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

BUILT_IN = {
    "methods": {
        "password": "aad.methods.password:Password",
        "email_otp": "aad.methods.email_otp:EmailOtp",
        "totp": "aad.methods.totp:Totp",
        "hotp": "aad.methods.hotp:Hotp",
        "recovery_codes": "aad.methods.recovery_codes:RecoveryCodes",
    },
    "repositories": {"ldap": "aad.repositories.ldap:Ldap", "file": "aad.repositories.file:File"},
    "senders": {"smtp": "aad.senders.smtp:Smtp"},
    "stores": {"sqlite": "aad.stores.sqlite:Sqlite"},
}


def names(kind: str) -> list[str]:
    """Return the types there are of a kind ("senders"); nothing is imported yet."""
    return [*BUILT_IN[kind], *(point.name for point in entry_points(group=f"aad.{kind}"))]


def plugin_class(kind: str, name: str) -> Any:
    """Return the class of a type. ImportError: it can't be loaded, and why."""
    if name in BUILT_IN[kind]:
        module, _, attribute = BUILT_IN[kind][name].partition(":")
        return getattr(import_module(module), attribute)
    for point in entry_points(group=f"aad.{kind}", name=name):
        try:
            return point.load()
        except Exception as error:  # whatever a foreign module does while it is imported
            message = f"{point.value}: {error}"
            raise ImportError(message) from error
    message = f"no plugin of this name in aad.{kind}"
    raise ImportError(message)


def vocabulary(further: Path | None) -> Any:
    """Return what can be said in replies, by name; read when it is asked for. ValueError: `further` can't be read."""
    return import_module("aad.radius.vocabulary").Vocabulary(further)


def settings(kind: str, name: str) -> type:
    """Return the `Settings` of a type. ImportError: as `plugin_class`."""
    found: type = plugin_class(kind, name).Settings
    return found
