"""The contents of `aad`'s parsers, as plain values: the source of aad(8) and of the shells' completions."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType


@dataclass(frozen=True)
class Argument:
    """One argument: an option with its `flags`, or a positional without; `value`: its placeholder, "" for a switch."""

    flags: tuple[str, ...]
    value: str
    says: str
    choices: tuple[str, ...]
    required: bool
    is_file: bool


@dataclass(frozen=True)
class Command:
    """One command; `either` are groups of flags of which only one may be given."""

    name: str
    says: str
    example: str
    arguments: tuple[Argument, ...]
    either: tuple[tuple[str, ...], ...]


class _StandIn(ModuleType):
    """A module of which nothing is called, so that no compiled library is needed to read a parser."""

    def __getattr__(self, name: str) -> None:
        """Have every name."""


def commands() -> list[Command]:
    """Return every command, in the order of `aad --help`."""
    if find_spec("Cryptodome") is None:
        for name in ("Cryptodome.Cipher", "Cryptodome.Hash"):
            sys.modules[name] = _StandIn(name)
    from aad import cli  # noqa: PLC0415 - after the stand-ins

    parser = cli.parser(cli.COMMANDS)
    (choices,) = (action.choices for action in _actions(parser) if isinstance(action, argparse._SubParsersAction))  # noqa: SLF001
    return [_command(name, cli.COMMANDS[name], one) for name, one in choices.items()]


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    yield from parser._actions  # noqa: SLF001 - argparse has no other way to be asked


def _command(name: str, says: str, parser: argparse.ArgumentParser) -> Command:
    groups = parser._mutually_exclusive_groups  # noqa: SLF001
    return Command(
        name=name,
        says=says,
        example=(parser.epilog or "").removeprefix("Example: "),
        arguments=tuple(_argument(parser, one) for one in _actions(parser) if one.dest != "help"),
        either=tuple(tuple(one.option_strings[-1] for one in group._group_actions) for group in groups),  # noqa: SLF001
    )


def _argument(parser: argparse.ArgumentParser, action: argparse.Action) -> Argument:
    choices = tuple(str(choice) for choice in action.choices or ())
    placeholder = action.metavar or "|".join(choices) or action.dest.upper()
    return Argument(
        flags=tuple(action.option_strings),
        value="" if action.nargs == 0 else str(placeholder),
        says=parser._get_formatter()._expand_help(action),  # noqa: SLF001
        choices=choices,
        required=action.required,
        is_file=action.type is Path,
    )
