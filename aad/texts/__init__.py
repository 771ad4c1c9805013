"""The texts of messages that are shipped, a file for each language, as package data."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

LANGUAGES = ("en", "de", "fr", "es")


@dataclass(frozen=True, kw_only=True)
class Texts:
    """What one language says, with macros: the mail, and what the user is asked at the door."""

    subject: str
    body: str
    prompt: str
    wrong_prompt: str


@cache
def portal(language: str) -> Mapping[str, str]:
    """Return what the portal says in one of the `LANGUAGES`, by key, with macros."""
    said: dict[str, str] = tomllib.loads(files(__name__).joinpath("portal", f"{language}.toml").read_text("utf-8"))
    return said


@cache
def notices(language: str) -> Mapping[str, str]:
    """Return what notices say in one of the `LANGUAGES`, by key, with macros."""
    said: dict[str, str] = tomllib.loads(files(__name__).joinpath("notices", f"{language}.toml").read_text("utf-8"))
    return said


@cache
def shipped(language: str) -> Texts:
    """Return the texts of one of the `LANGUAGES`."""
    return Texts(**tomllib.loads(files(__name__).joinpath(f"{language}.toml").read_text("utf-8")))
