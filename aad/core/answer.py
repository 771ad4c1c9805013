"""What the user gave: a password or a code, readable or only checkable (CHAP, MS-CHAPv2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from aad.core.secret import Secret


class Answer(Protocol):
    """One answer. A front makes it, a method checks it; PAP, CHAP and MS-CHAPv2 look the same from inside."""

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
"""The answer of somebody who typed nothing."""

_SSHD_JUNK = b"\b\n\r\x7fINCORRECT"


def mangled(answer: Answer) -> bool:
    """Say whether sshd replaced what was typed: it does, over and over to the same length, for names it doesn't know.

    The user never typed that, so it is no guess of his at a password.
    """
    typed = answer.text.reveal() if answer.text is not None else b""
    times = len(typed) // len(_SSHD_JUNK) + 1
    return bool(typed) and typed == (_SSHD_JUNK * times)[: len(typed)]
