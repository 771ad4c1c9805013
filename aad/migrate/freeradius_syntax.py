"""FreeRADIUS's configuration files -> a tree of sections and pairs; $INCLUDE reads on where it stands."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from aad.migrate.toml_writer import BadFileError

DEEPEST = 10  # files that include each other
_TOKEN = re.compile(
    r"""(?P<space>[ \t\r]+|\\\r?\n|\#[^\n]*)
      | (?P<line>\n)
      | (?P<brace>[{};,])
      | (?P<quoted>"(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*')
      | (?P<operator>[:+\-!<>=]?=[=~*]?)
      | (?P<word>(?:\$(?:ENV)?\{[^}\n]*\} | (?![:+\-!<>]?=)[^\s{};,\#"'] | (?<=[^\s=])["'])+)
    """,
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
Include = Callable[[str, str], Sequence[tuple[str, str]]]
"""A path and the file that names it -> names and texts of the files it means. OSError."""


@dataclass(frozen=True)
class Pair:
    """`key = value`. `quoted`: the quote, or empty. A word alone has the value None. repr() leaves the value out."""

    place: str
    key: str
    value: str | None = field(repr=False)
    quoted: str = ""


@dataclass(frozen=True)
class Section:
    """`kind name { ... }`; `lines`: how many it has."""

    place: str
    kind: str
    name: str
    items: tuple[Pair | Section, ...]
    lines: int


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str = field(repr=False)
    line: int


def parse(name: str, text: str, include: Include, depth: int = 0) -> tuple[Pair | Section, ...]:
    """Parse the file `name`. BadFileError: FILE:LINE and what is wrong, without any value of the text."""
    reader = _Reader(name, list(_tokens(name, text)), include, depth)
    items = tuple(reader.items())
    if reader.at < len(reader.tokens):
        message = f"{name}:{reader.tokens[reader.at].line}: a }} that closes nothing"
        raise BadFileError(message)
    return items


def _tokens(name: str, text: str) -> Iterator[_Token]:
    at, line = 0, 1
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            what = "a quote that isn't closed on its line" if text[at] in "\"'" else "something that isn't understood"
            message = f"{name}:{line}: {what}"
            raise BadFileError(message)
        kind = match.lastgroup or ""
        if kind != "space":
            yield _Token(kind, match[0], line)
        line += match[0].count("\n")
        at = match.end()


@dataclass
class _Reader:
    name: str
    tokens: list[_Token]
    include: Include
    depth: int
    at: int = 0

    def items(self) -> Iterator[Pair | Section]:
        """Yield the items up to a } or the end."""
        while self.at < len(self.tokens) and self.tokens[self.at].text != "}":
            token = self.tokens[self.at]
            self.at += 1
            if token.kind == "line" or token.text in {";", ","}:
                continue
            if token.kind not in {"word", "quoted"}:
                raise self.bad(token, f"a name is expected, not {token.text}")
            yield from self.item(token)

    def item(self, first: _Token) -> Iterator[Pair | Section]:
        key = _unquoted(first)
        if key in {"$INCLUDE", "$-INCLUDE"}:
            yield from self.included(first, optional="-" in key)
            return
        following = self.peek()
        if following is not None and following.kind == "operator":
            self.at += 1
            value = self.peek()
            if value is None or value.kind not in {"word", "quoted"}:
                raise self.bad(following, f"{key} has no value")
            self.at += 1
            last = self.peek()
            if last is not None and last.kind != "line" and last.text not in {";", ",", "}"}:
                # Its text isn't repeated: it may be half a secret.
                raise self.bad(last, f"something follows the value of {key}: if it belongs to it, it needs quotes")
            quoted = value.text[0] if value.kind == "quoted" else ""
            yield Pair(self.place(first), key, _unquoted(value), quoted)
            return
        name = ""
        if following is not None and following.kind in {"word", "quoted"}:
            name = _unquoted(following)
            self.at += 1
            following = self.peek()
        if following is None or following.text != "{":
            if name:
                raise self.bad(first, f"{key} needs a = or a {{ on its line")
            yield Pair(self.place(first), key, None)
            return
        yield self.section(first, key, name)

    def section(self, first: _Token, kind: str, name: str) -> Section:
        self.at += 1
        items = tuple(self.items())
        last = self.peek()
        if last is None:
            raise self.bad(first, f"the {{ of {kind} {name}".rstrip() + " is never closed")
        self.at += 1
        return Section(self.place(first), kind, name, items, last.line - first.line + 1)

    def included(self, first: _Token, *, optional: bool) -> Iterator[Pair | Section]:
        path = self.peek()
        if path is None or path.kind not in {"word", "quoted"}:
            raise self.bad(first, "$INCLUDE needs a path")
        self.at += 1
        if self.depth >= DEEPEST:
            raise self.bad(first, "$INCLUDE goes too deep; does the file include itself?")
        try:
            files = self.include(_unquoted(path), self.name)
        except OSError as error:
            if optional:
                return
            raise self.bad(first, f"{_unquoted(path)} can't be read: {error.strerror}") from None
        for name, text in files:
            yield from parse(name, text, self.include, self.depth + 1)

    def peek(self) -> _Token | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def place(self, token: _Token) -> str:
        return f"{self.name}:{token.line}"

    def bad(self, token: _Token, what: str) -> BadFileError:
        return BadFileError(f"{self.place(token)}: {what}")


def _unquoted(token: _Token) -> str:
    if token.kind != "quoted":
        return token.text
    if token.text[0] == "'":  # only the quote itself is escaped
        return token.text[1:-1].replace("\\'", "'")
    return re.sub(r"\\([0-7]{3}|.)", _escaped, token.text[1:-1])


def _escaped(match: re.Match[str]) -> str:
    text = match[1]
    if len(text) == 1:
        return _ESCAPES.get(text, text)
    return bytes((int(text, 8) & 255,)).decode("utf-8", "surrogateescape")  # it is an octet, not a character
