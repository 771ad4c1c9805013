"""Finds the mail of a login by the reference that prompt and mail share, and the code in it. PURE."""

from __future__ import annotations

import email
import email.policy
import re
from dataclasses import dataclass
from typing import Self

from aad.core.one_time_code import LONGEST, SHORTEST
from aad.core.secret import Secret
from aad.login.engine import REFERENCE_LENGTH, REFERENCE_LETTERS

_TOKEN = rf"(?<![\w-])[{REFERENCE_LETTERS}]{{{REFERENCE_LENGTH}}}(?![\w-])"
_ANNOUNCED = re.compile(rf"\b[Rr][EeÉé][Ff]\w*\W{{1,3}}({_TOKEN})")  # "ref", "Referenz:", "réf. ", "REF #"
_ALONE = re.compile(_TOKEN)
# Not inside a word, a number with a point or dash, an address, or a time.
_NUMBER = re.compile(rf"(?<![\w/.+-])(?<!\d:)\d{{{SHORTEST},{LONGEST}}}(?![\w/-]|[.:]\d)", re.ASCII)
_LINE = re.compile(rf"^[^\S\n]*(\d{{{SHORTEST},{LONGEST}}})[^\S\n]*$", re.ASCII | re.MULTILINE)


class NoCodeError(ValueError):
    """No code is recognized in a mail. The message holds no number of the mail, as one of them may be the code."""


def reference_in(prompt: str) -> str:
    """Return the reference that a prompt shows; empty: it shows none, or it is ambiguous."""
    if announced := _ANNOUNCED.search(prompt):
        return announced[1]
    words = set(_ALONE.findall(prompt))
    return words.pop() if len(words) == 1 else ""


@dataclass(frozen=True)
class MailText:
    """Subject and plain text of a mail."""

    subject: str
    text: str

    @classmethod
    def parse(cls, octets: bytes) -> Self:
        """Decode a mail. Never fails: what can't be decoded is left empty."""
        mail = email.message_from_bytes(octets, policy=email.policy.default)
        try:
            body = mail.get_body(("plain",))
            text = str(body.get_content()) if body is not None else ""
            subject = str(mail["Subject"] or "")
        except (LookupError, ValueError, AttributeError, TypeError):  # an unknown charset, headers that are none
            subject, text = "", ""
        return cls(subject, text.replace("\r\n", "\n"))

    def mentions(self, reference: str) -> bool:
        """Return whether the reference stands in it as a word of its own."""
        return any(re.search(rf"(?<![\w-]){re.escape(reference)}(?![\w-])", part) for part in (self.subject, self.text))

    def code(self, reference: str, pattern: str = "") -> Secret:
        """Return the code: the first group of `pattern`, or its whole match; without it a number. NoCodeError."""
        if pattern:
            found = re.search(pattern, f"{self.subject}\n{self.text}", re.MULTILINE)
            code = found[1 if found.re.groups else 0] if found is not None else ""
            if not code:
                message = "code_pattern matches nothing in it"
                raise NoCodeError(message)
            return Secret(str(code))
        return Secret(_only(self.subject, self.text, reference))

    def has_code(self, pattern: str) -> bool:
        """Return whether a code is recognized in it."""
        try:
            self.code("", pattern)
        except NoCodeError:
            return False
        return True


def _only(subject: str, text: str, reference: str) -> str:
    """Return the one number that can be meant. A wrong guess would cost the user one of their tries.

    The clearest sign first: it has a line to itself; subject and text both have it; there is no other number.
    """
    in_subject = set(_NUMBER.findall(subject)) - {reference}
    in_text = set(_NUMBER.findall(text)) - {reference}
    lines = set(_LINE.findall(text)) - {reference}
    for numbers in (lines, in_subject & in_text, in_text or in_subject):
        if len(numbers) == 1:
            return str(numbers.pop())
    several = f"{len(in_text)} numbers, and it isn't plain which one is the code" if in_text else "no number"
    message = f"it has {several}: give a code_pattern"
    raise NoCodeError(message)
