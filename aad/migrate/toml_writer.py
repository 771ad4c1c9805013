"""Writes the TOML of an import: tables, keys, comments on what isn't carried over; secrets are kept apart."""

from __future__ import annotations

import json
import re
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Network, IPv6Network, ip_network
from itertools import count

from aad.core.secret import Secret

WIDTH = 118
CHAIN = "password-and-email"
NOT_THERE = "there is no such thing in aad"
_USERS = """\
#[repositories.corp]
#type = "ldap"
#servers = ["ldaps://dc1.example.com"]
#bind_dn = "cn=aad,ou=services,dc=example,dc=com"
#bind_password = { file = "ldap.password" }
#base_dn = "ou=people,dc=example,dc=com"
#user_filter = "(uid={name})"
"""
_MAIL = """\
#[senders.mail]
#type = "smtp"
#host = "smtp.example.com"
#authentication_required = true
#username = "noreply@example.com"
#password = { file = "smtp.password" }
#sender_email = "noreply@example.com"
"""
Network = IPv4Network | IPv6Network
Value = str | bool | list[str] | dict[str, str]


class BadFileError(ValueError):
    """A file that its server couldn't read: FILE:LINE, and what is wrong there."""


class Secrets(Enum):
    """How secrets are written."""

    LEFT_OUT = "a file is named, and the place of its secret"
    FILES = "each is in `TomlWriter.secrets`, to be written into the file that is named"
    SHOWN = "they stand in the TOML"


@dataclass
class Item:
    """`key = value`, or a section of `items`, whose name is its value. repr() leaves the value out."""

    file: str
    line: int
    key: str
    value: str = field(default="", repr=False)
    quote: str = ""
    items: list[Item] = field(default_factory=list)
    section: bool = False
    lines: int = 1

    @property
    def place(self) -> str:
        """Return FILE:LINE."""
        return f"{self.file}:{self.line}"


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
    _names: set[tuple[str, str]] = field(default_factory=set)
    _owners: dict[Network, str] = field(default_factory=dict)

    def text(self) -> str:
        """Return the TOML."""
        return re.sub(r"\n{3,}", "\n\n", "\n".join(self.lines).strip("\n") + "\n")

    def table(self, kind: str, name: str = "", place: str = "", **keys: Value) -> None:
        """Begin [kind.name], read at `place`, with its first keys."""
        path = f"{kind}.{name if re.fullmatch('[A-Za-z0-9_-]+', name) else _toml(name)}" if name else kind
        self.lines += ["", f"[{path}]" + (f"  # {_clean(place)}" if place else "")]
        self.keys(**keys)

    def keys(self, **keys: Value) -> None:
        """Write keys, without those whose value is empty."""
        self.lines += [f"{key} = {_toml(value)}" for key, value in keys.items() if value not in ("", [])]

    def secret(self, key: str, name: str, secret: Secret | None, place: str) -> None:
        """Write a key whose secret stands at `place`; None: it is unreadable there."""
        end = "password" if "password" in key else "secret"
        file = f"{self.unused(end, re.sub('[^A-Za-z0-9_.-]', '-', name).lstrip('.') or 'client')}.{end}"
        if secret is not None and self.keeping is Secrets.FILES:
            self.secrets[file] = secret
            self.keys(**{key: {"file": f"{self.folder}/{file}"}})
            return
        if secret is not None and self.keeping is Secrets.SHOWN:
            try:
                self.keys(**{key: secret.text()})
            except ValueError:
                place += ": it isn't UTF-8, which TOML has to be"
            else:
                return
        self.remark(f"{place}: the secret; put it into {file}, mode 0600, or let --secrets-dir do that")
        self.keys(**{key: {"file": file}})

    def note(self, place: str, why: str, lines: int = 1) -> None:
        """Write why `lines` lines at `place` are not carried over, and what to do instead."""
        self.left += lines
        self.remark(f"{place}: {why}")

    def rest(self, items: Iterable[Item], read: Mapping[str, Item], reasons: Mapping[str, str]) -> None:
        """Write why all but those read aren't carried over: a comment for each reason. `reasons`: by regex of keys."""
        found = defaultdict(list)
        for item in items:
            if item.key not in read:
                words = next((why for keys, why in reasons.items() if re.fullmatch(keys, item.key)), NOT_THERE)
                found[item.file, words].append(item)
            elif item is not read[item.key]:
                found[item.file, f"is here twice; line {read[item.key].line} counts"].append(item)
        for (file, words), same in found.items():
            place = f"{file}:{','.join(str(item.line) for item in same)}"
            self.note(place, f"{', '.join(item.key for item in same)}: {words}", sum(item.lines for item in same))

    def remark(self, text: str) -> None:
        """Write a comment."""
        self.lines += textwrap.wrap(_clean(text), WIDTH, initial_indent="# ", subsequent_indent="#   ")

    def chain(self, name: str = CHAIN, group: str = "") -> None:
        """Write a chain: password, then a code by mail."""
        self.table("chains", name, methods=["password", "email_otp"], groups=[group] if group else [])

    def blanks(self, *, users: bool) -> None:
        """Write the tables that have to be filled in: their lines begin with # and no space."""
        what = "who the users are and how a code is mailed" if users else "how a code is mailed"
        self.lines.append("")
        self.remark(f"Fill in, and remove the # at the beginning: {what}.")
        self.lines += [_USERS, _MAIL] if users else [_MAIL]

    def unused(self, kind: str, name: str) -> str:
        """Return the name, with a number if another of this kind has it."""
        names = (f"{name}-{number}" if number > 1 else name for number in count(1))
        unused = next(each for each in names if (kind, each) not in self._names)
        self._names.add((kind, unused))
        return unused

    def free(self, place: str, networks: Iterable[Network], client: str) -> list[str]:
        """Give networks to a client; return those that no other has, with a comment on the rest."""
        free = []
        for network in networks:
            text = str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)
            owner = self._owners.setdefault(network, client)
            if owner == client:
                free.append(text)
            else:
                self.note(place, f"{text} is in [clients.{owner}] already, and can have only one secret, at any port")
        return free


def network_of(text: str) -> Network | None:
    """Read an address or a network; None: it is neither."""
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def _clean(text: str) -> str:
    """Return text for a comment: one line, nothing that moves a cursor."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def _toml(value: Value) -> str:
    """Write a value. A string of TOML is one of JSON, but for DEL; what was no UTF-8 (PEP 383) becomes U+FFFD."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + " }"
    text = json.dumps(value, ensure_ascii=False)
    return re.sub("[\ud800-\udfff]", "\ufffd", text).replace("\x7f", "\\u007f")
