"""Answers that a user gave: a password or a code, readable or only checkable (CHAP, MS-CHAPv2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from aad.core.secret import Secret


class Answer(Protocol):
    """One answer. A front makes it, a method checks it; PAP, CHAP and MS-CHAPv2 look the same to methods."""

    @property
    def text(self) -> Secret | None:
        """The octets the user typed; None where only `matches` can tell (CHAP)."""

    @property
    def empty(self) -> bool:
        """Whether the user typed nothing."""

    def matches(self, expected: Secret) -> bool:
        """Whether the user typed exactly `expected`; compared in constant time."""


@dataclass(frozen=True)
class Plain:
    """An answer whose octets are known: PAP, a form, a terminal."""

    text: Secret

    @property
    def empty(self) -> bool:
        """Whether there are no octets, or only NULs."""
        return not self.text

    def matches(self, expected: Secret) -> bool:
        """Compare in constant time."""
        return self.text == expected


NOTHING = Plain(Secret(b""))
"""The answer of a user who typed nothing."""

_SSHD_JUNK = b"\b\n\r\x7fINCORRECT"


def mangled(answer: Answer) -> bool:
    """Say whether sshd replaced the password: for names it doesn't know, with its junk repeated to the same length.

    The user never typed that, so it is no guess of theirs at a password.
    """
    octets = answer.text.reveal() if answer.text is not None else b""
    times = len(octets) // len(_SSHD_JUNK) + 1
    return bool(octets) and octets == (_SSHD_JUNK * times)[: len(octets)]
