"""A message template, compiled once and filled for each mail.

Filling costs some 10 us; building an `EmailMessage` costs 900. All that varies comes in as an argument: no clock, no
randomness here. The result is ASCII with CRLF line ends, so it needs nothing of the mail server (no 8BITMIME, no
SMTPUTF8); only an address that isn't ASCII stands in To as it is, RFC 6532 3.2.
"""

from __future__ import annotations

import base64
import html
import string
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import formatdate

from aad.core import macros
from aad.core.macros import LONGEST_VALUE, MAIL, clean
from aad.core.message import Template

_LONGEST_LINE = 998  # octets without CRLF, RFC 5322 2.1.1
_LONGEST_SUBJECT = 900  # leaves room for the header's name


@dataclass(frozen=True)
class _Text:
    """A text with holes: `slots` says which of the `pieces` are filled by which macro."""

    pieces: tuple[str, ...]
    slots: tuple[tuple[int, str], ...]
    short: bool  # no line can grow longer than RFC 5322 allows, whatever the values

    def fill(self, values: Mapping[str, str]) -> str:
        if not self.slots:
            return self.pieces[0]
        pieces = list(self.pieces)
        for place, macro in self.slots:
            pieces[place] = values[macro]
        return "".join(pieces)

    def longest(self, value: int) -> int:
        """Return the most characters a filled text can have, if a value has at most `value`."""
        return sum(map(len, self.pieces)) + len(self.slots) * value


def _compiled(part: str, text: str, widest: int = LONGEST_VALUE) -> _Text:
    """Cut `text` at its macros; `widest`: characters of the longest value. ValueError: says what is wrong in `part`."""
    if wrong := macros.unknown(text, MAIL):
        message = f"{part}: {wrong}"
        raise ValueError(message)
    pieces, slots = [""], []
    for literal, macro, _, _ in string.Formatter().parse(text):
        pieces[-1] += literal
        if macro is not None:
            slots.append((len(pieces), macro))
            pieces += ["", ""]
    lines = macros.filled(text, dict.fromkeys(MAIL, "x" * widest)).split("\n")
    return _Text(tuple(pieces), tuple(slots), max(map(len, lines)) <= _LONGEST_LINE)


def _checked(part: str, text: str, allowed: str) -> str:
    """Return the template's text with LF line ends. ValueError: it holds a control character that isn't `allowed`."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    for c in text:
        if c not in allowed and unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp"):
            message = f"{part}: U+{ord(c):04X} can't be part of a mail"
            raise ValueError(message)
    return text


def _encoded_words(text: str) -> Iterator[str]:
    """Cut `text` into encoded words of RFC 2047, each short enough to stand behind a header's name in 78 columns."""
    chunk = b""
    for octets in (c.encode() for c in text):
        if len(chunk) + len(octets) > 39:  # noqa: PLR2004 - makes 64 columns: =?utf-8?b? 52 ?=
            yield f"=?utf-8?b?{base64.b64encode(chunk).decode()}?="
            chunk = b""
        chunk += octets
    yield f"=?utf-8?b?{base64.b64encode(chunk).decode()}?="


def _unstructured(text: str) -> str:
    """Return the value of a Subject header. A value that looks like an encoded word must not be taken for one."""
    if text.isascii() and "=?" not in text and text == text.strip():
        return text
    return "\r\n ".join(_encoded_words(text))


def mailbox(name: str, address: str) -> str:
    """Return the value of a From header, RFC 5322 3.4; `name` may be empty and holds no control character."""
    if not name:
        return address
    if name.isascii() and "=?" not in name:
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}" <{address}>'
    return "\r\n ".join((*_encoded_words(name), f"<{address}>"))


def _part(subtype: str, text: str, *, short: bool) -> str:
    """Return one text of the mail: its headers, an empty line and its body, which ends a line.

    What isn't ASCII goes as base64 rather than quoted-printable: no soft line break can fall into the code.
    """
    kind = f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: "
    if short and text.isascii():
        return f"{kind}7bit\r\n\r\n{text}"
    body = base64.encodebytes(text.encode()).decode().replace("\n", "\r\n")
    return f"{kind}base64\r\n\r\n{body}"


@dataclass(frozen=True)
class MailTemplate:
    """A compiled template, which `fill` makes a mail of."""

    _head: str
    _host: str
    _subject: _Text
    _text: _Text
    _html: _Text | None
    _macros: tuple[str, ...]

    def fill(self, recipient: str, values: Mapping[str, str], now: float, unique: str) -> bytes:
        """Return the mail to one usable `recipient`: CRLF, dots not yet stuffed; ASCII octets, if the recipient is.

        `values`: as they came, they are cleaned here; `now`: Unix seconds; `unique`: letters and digits never used
        before, that can't be guessed: the boundary between the parts is made of them. KeyError: a macro has no value.
        """
        shown = {macro: clean(values[macro]) for macro in self._macros}
        body = _part("plain", self._text.fill(shown), short=self._text.short)
        if self._html:
            safe = {macro: html.escape(value) for macro, value in shown.items()}
            rich = _part("html", self._html.fill(safe), short=self._html.short)
            mark = f"=_{unique}"
            body = (
                f'Content-Type: multipart/alternative; boundary="{mark}"\r\n\r\n'
                f"--{mark}\r\n{body}\r\n--{mark}\r\n{rich}\r\n--{mark}--\r\n"
            )
        return (
            f"{self._head}To: {recipient}\r\nSubject: {_unstructured(self._subject.fill(shown))}\r\n"
            f"Date: {formatdate(now)[:-5]}+0000\r\nMessage-ID: <{unique}@{self._host}>\r\n{body}"
        ).encode()


def compile_template(template: Template, sender_email: str, sender_name: str = "") -> MailTemplate:
    """Compile a template. ValueError: an unknown macro, a lone brace or a control character, and in which part."""
    subject = _compiled("subject", _checked("subject", template.subject, ""))
    if subject.longest(LONGEST_VALUE) > _LONGEST_SUBJECT:
        message = f"subject: longer than {_LONGEST_SUBJECT} characters, once its macros are filled"
        raise ValueError(message)
    text = _compiled("text", _body("text", template.text))
    # An escaped character has up to six: &quot;
    rich = _compiled("html", _body("html", template.html), 6 * LONGEST_VALUE) if template.html else None
    used = {macro for part in (subject, text, rich) if part for _, macro in part.slots}
    head = f"From: {mailbox(sender_name, sender_email)}\r\nMIME-Version: 1.0\r\nAuto-Submitted: auto-generated\r\n"
    return MailTemplate(head, sender_email.rpartition("@")[2], subject, text, rich, tuple(sorted(used)))


def _body(part: str, text: str) -> str:
    text = _checked(part, text, "\n\t")
    return (text if text.endswith("\n") else text + "\n").replace("\n", "\r\n")
