"""Prints a man page, aad.8 or aad.toml.5: what is generated, so that it never disagrees with the code, and the rest.

Usage: python -m tools.generated_docs.man PAGE. The date is SOURCE_DATE_EPOCH's, if it is set.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from aad import __version__
from tools.generated_docs import config_keys, roff
from tools.generated_docs.commands import Argument, Command, commands

PAGES = Path(__file__).parents[1] / "pages"
CONF = Path(__file__).parents[2] / "conf"


def page(name: str) -> str:
    """Return the page; KeyError: there is no page of this name."""
    moment = datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", time.time())), UTC)
    generated = {part: make() for part, make in _PARTS[name].items()}
    title = {"DATE": f"{moment:%Y-%m-%d}", "VERSION": __version__}
    return roff.filled((PAGES / name).read_text("utf-8"), generated, title)


def _commands() -> str:
    return "\n".join(_command(one) for one in commands())


def _command(command: Command) -> str:
    lines = [roff.subsection(f"aad {command.name}"), _usage(command), ".PP"]
    lines.append(roff.paragraph(command.says[0].upper() + command.says[1:] + "."))
    lines += [roff.item(_tag(one), one.says) for one in command.arguments]
    return "\n".join(lines)


def _usage(command: Command) -> str:
    """Return the line of usage: what may be left out in brackets, what excludes another behind a bar."""
    words = [roff.bold(f"aad {command.name}")]
    for argument in command.arguments:
        group = next((one for one in command.either if argument.flags and argument.flags[-1] in one), ())
        if not group:
            written = _short(argument)
            words.append(written if argument.required else f"[{written}]")
        elif argument.flags[-1] == group[0]:
            members = (one for one in command.arguments if one.flags and one.flags[-1] in group)
            words.append(f"[{' | '.join(_short(one) for one in members)}]")
    return " ".join(words)


def _short(argument: Argument) -> str:
    words = [roff.bold(argument.flags[0])] if argument.flags else []
    return " ".join([*words, *([roff.slanted(argument.value)] if argument.value else [])])


def _tag(argument: Argument) -> str:
    flags = ", ".join(roff.bold(flag) for flag in argument.flags)
    return " ".join(word for word in (flags, roff.slanted(argument.value) if argument.value else "") if word)


def _examples() -> str:
    shown = (f"{roff.paragraph(one.says[0].upper() + one.says[1:])}:\n{_typed(one.example)}" for one in commands())
    return "\n.PP\n".join(shown)


def _typed(line: str) -> str:
    return f".PP\n.RS 4\n.EX\n{roff.escaped(line)}\n.EE\n.RE"


def _smallest() -> str:
    """Return the part of conf/aad.toml that is no comment."""
    text = (CONF / "aad.toml").read_text("utf-8")
    bare = (line.partition(" #")[0].rstrip() for line in text.splitlines() if not line.startswith("#"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(roff.escaped(line) for line in bare)).strip()


def _sections() -> str:
    return "\n".join(_section(one) for one in config_keys.tables())


def _section(section: config_keys.Section) -> str:
    kind = f', type = "{section.type}"' if section.type else ""
    lines = [roff.subsection(section.heading + kind)]
    if section.says:
        lines.append(roff.paragraph(section.says[0].upper() + section.says[1:] + "."))
    if section.type:
        lines.append(roff.item(roff.bold("type"), f'"{section.type}"'))
    return "\n".join([*lines, *(_key(one) for one in section.keys)])


def _key(key: config_keys.Key) -> str:
    tail = "required" if key.required else f"default: {key.default}" if key.default else ""
    facts = "; ".join(part for part in (key.takes, tail) if part)
    return f".TP\n{roff.bold(key.name)}\n{roff.slanted(f'({facts})')}\n.br\n{roff.paragraph(key.says)}"


_PARTS: dict[str, dict[str, Callable[[], str]]] = {
    "aad.8": {"COMMANDS": _commands, "EXAMPLES": _examples},
    "aad.toml.5": {"SECTIONS": _sections, "SMALLEST": _smallest},
}

if __name__ == "__main__":
    print(page(sys.argv[1]), end="")
