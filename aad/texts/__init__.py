"""The shipped texts of messages, portal and notices: a TOML file for each language, as package data."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

LANGUAGES = ("en", "de", "fr", "es")


@dataclass(frozen=True, kw_only=True)
class Texts:
    """The mail and the prompts of one language, with macros."""

    subject: str
    body: str
    prompt: str
    wrong_prompt: str


@cache
def portal(language: str) -> Mapping[str, str]:
    """Return the portal's texts in one of the `LANGUAGES`, by key, with macros."""
    found: dict[str, str] = tomllib.loads(files(__name__).joinpath("portal", f"{language}.toml").read_text("utf-8"))
    return found


@cache
def notices(language: str) -> Mapping[str, str]:
    """Return the texts of notices in one of the `LANGUAGES`, by key, with macros."""
    found: dict[str, str] = tomllib.loads(files(__name__).joinpath("notices", f"{language}.toml").read_text("utf-8"))
    return found


@cache
def shipped(language: str) -> Texts:
    """Return mail and prompts in one of the `LANGUAGES`."""
    return Texts(**tomllib.loads(files(__name__).joinpath(f"{language}.toml").read_text("utf-8")))
