"""Parser of authproxy.cfg, an ini file, of the Duo Authentication Proxy: sections of keys, with their lines."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from aad.migrate.toml_writer import BadFileError

_HEADER = re.compile(r"\[\s*([^\]\n]+?)\s*\]\s*(?:[;#].*)?")
_KEY = re.compile(r"([A-Za-z0-9_.-]+)\s*[=:]\s*(.*)")


@dataclass(frozen=True)
class Setting:
    """One key: its line and value. repr() leaves the value out."""

    line: int
    key: str
    value: str = field(repr=False)


@dataclass(frozen=True)
class Section:
    """[name] and its keys; of a repeated key the last counts."""

    file: str
    name: str
    line: int
    settings: dict[str, Setting] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """Return the name without the number of [ad_client2]."""
        return self.name.rstrip("0123456789")

    @property
    def place(self) -> str:
        """Return FILE:LINE of its header."""
        return f"{self.file}:{self.line}"

    def at(self, key: str) -> str:
        """Return FILE:LINE of a key, or of the section."""
        return f"{self.file}:{self.settings[key].line}" if key in self.settings else self.place

    def get(self, key: str, default: str = "") -> str:
        """Return a key's value, or the default."""
        return self.settings[key].value if key in self.settings else default

    def numbered(self, key: str) -> list[tuple[str, str]]:
        """Return number and value of `key_1`, `key_2` ..., in order; `key` alone is the first."""
        found = [(n, self.get(f"{key}_{n}" if n else key)) for n in ["", *map(str, range(1, 1000))]]
        return [(n, value) for n, value in found if value]


def parse(name: str, text: str) -> list[Section]:
    """Parse the file `name`. BadFileError: FILE:LINE and what is wrong."""
    sections: list[Section] = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip().removeprefix("\ufeff")
        if not line or line[0] in ";#":
            continue
        if header := _HEADER.fullmatch(line):
            if header[1].lower() in {section.name for section in sections}:
                message = f"{name}:{number}: [{header[1]}] is there twice"
                raise BadFileError(message)
            sections.append(Section(name, header[1].lower(), number))
            continue
        setting = _KEY.fullmatch(line)
        if not setting:
            message = f"{name}:{number}: neither [section] nor key=value"
            raise BadFileError(message)
        if not sections:
            message = f"{name}:{number}: {setting[1]} stands before any [section]"
            raise BadFileError(message)
        key = setting[1].lower()
        sections[-1].settings[key] = Setting(number, key, setting[2].strip())
    return sections
