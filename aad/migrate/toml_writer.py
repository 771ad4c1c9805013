"""Writes the TOML of an import: tables, keys, comments on what isn't carried over; secrets are kept apart."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Network, IPv6Network

from aad.core.secret import Secret

WIDTH = 118
_BARE = re.compile(r"[A-Za-z0-9_-]+")
Value = str | bool | int | Iterable[str]
Network = IPv4Network | IPv6Network


class BadFileError(ValueError):
    """A file that its server couldn't read: FILE:LINE, and what is wrong there."""


class Secrets(Enum):
    """How secrets are written."""

    LEFT_OUT = "a file is named, and the place of its secret"
    FILES = "each is in `TomlWriter.secrets`, to be written into the file that is named"
    SHOWN = "they stand in the TOML"


@dataclass
class TomlWriter:
    """The text so far. `folder`: the folder of the secrets' files, for `Secrets.FILES`.

    `left`: how many lines of the other server's files couldn't be carried over; `secrets`: by file name.
    """

    keeping: Secrets = Secrets.LEFT_OUT
    folder: str = ""
    lines: list[str] = field(default_factory=list)
    secrets: dict[str, Secret] = field(default_factory=dict)
    clients: int = 0
    left: int = 0
    _names: set[str] = field(default_factory=set)
    _owners: dict[Network, str] = field(default_factory=dict)

    def text(self) -> str:
        """Return the TOML."""
        return re.sub(r"\n{3,}", "\n\n", "\n".join(self.lines).strip("\n") + "\n")

    def table(self, kind: str, name: str = "", remark: str = "") -> None:
        """Begin [kind.name]."""
        path = f"{kind}.{name if _BARE.fullmatch(name) else _quoted(name)}" if name else kind
        self.lines += ["", f"[{path}]" + (f"  # {clean(remark)}" if remark else "")]

    def key(self, key: str, value: Value, remark: str = "") -> None:
        """Write a key."""
        self.lines.append(f"{key} = {_value(value)}" + (f"  # {clean(remark)}" if remark else ""))

    def secret(self, key: str, file: str, secret: Secret | None, place: str) -> None:
        """Write a key whose secret stands at `place`; None: it is unreadable there."""
        if self.keeping is Secrets.SHOWN and secret is not None:
            # What isn't UTF-8 has no place in TOML.
            try:
                self.key(key, secret.text())
            except ValueError:
                self.remark(f"{place}: the secret isn't UTF-8: put its octets into {file}")
                self.lines.append(f"{key} = {{ file = {_quoted(file)} }}")
            return
        file = self._unused(re.sub(r"[^A-Za-z0-9_.-]", "-", file).lstrip("."))
        if self.keeping is Secrets.FILES and secret is not None:
            self.secrets[file] = secret
            self.lines.append(f"{key} = {{ file = {_quoted(f'{self.folder}/{file}')} }}")
            return
        self.remark(f"{place}: the secret; put it into {file}, mode 0600, or let --secrets-dir do that")
        self.lines.append(f"{key} = {{ file = {_quoted(file)} }}")

    def note(self, place: str, why: str, lines: int = 1) -> None:
        """Write why `lines` lines at `place` are not carried over, and what to do instead."""
        self.left += lines
        self.remark(f"{place}: {why}")

    def remark(self, text: str) -> None:
        """Write a comment."""
        self.lines += textwrap.wrap(clean(text), WIDTH, initial_indent="# ", subsequent_indent="#   ")

    def off(self, toml: str) -> None:
        """Write TOML that has to be filled in: each line begins with # and no space."""
        self.lines += [f"#{line}" if line else "" for line in toml.splitlines()]

    def client_name(self, name: str) -> str:
        """Return a name that no client has yet."""
        return self._unused(f"client {name}").removeprefix("client ")

    def taken(self, network: Network, client: str) -> str:
        """Give a network to a client; return the client that has it already, or an empty string."""
        owner = self._owners.setdefault(network, client)
        return "" if owner == client else owner

    def _unused(self, name: str) -> str:
        stem, dot, end = name.rpartition(".") if name.endswith((".secret", ".password")) else (name, "", "")
        number, unused = 1, name
        while unused in self._names:
            number += 1
            unused = f"{stem}-{number}{dot}{end}"
        self._names.add(unused)
        return unused


def address_text(network: Network) -> str:
    """Write a network; one of a single address as that."""
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def clean(text: str) -> str:
    """Return text for a comment: one line, nothing that moves a cursor."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def _value(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return _quoted(value) if isinstance(value, str) else f"[{', '.join(map(_quoted, value))}]"


def _quoted(text: str) -> str:
    """Write a basic string: TOML's is JSON's, but for DEL; what was no UTF-8 (PEP 383) becomes U+FFFD."""
    return json.dumps("".join(map(_character, text)), ensure_ascii=False).replace("\x7f", "\\u007f")


def _character(character: str) -> str:
    return "\ufffd" if "\ud800" <= character <= "\udfff" else character
