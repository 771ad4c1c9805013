"""Password and code in one User-Password, from clients that can't do a challenge. PURE."""

from __future__ import annotations

from dataclasses import dataclass

from aad.core.answer import Answer, Plain
from aad.core.one_time_code import LONGEST, SHORTEST
from aad.core.secret import Secret

_DIGITS = frozenset(b"0123456789")


@dataclass(frozen=True)
class OneField:
    """How the code follows the password: after a `separator`, or, without one, as the last `length` digits."""

    separator: str = ""
    length: int = 0

    def read(self, answer: Answer) -> tuple[Answer, Answer | None, tuple[Answer, Answer] | None]:
        """Return the password, the code behind it, and both as a guess: a password may end in digits of its own.

        With a separator: password, code, None. By length: the whole answer, None, (password, code). Without a code: the
        whole answer, None, None.
        """
        typed = answer.text.reveal() if answer.text is not None else b""
        if self.separator:
            password, found, code = typed.rpartition(self.separator.encode())
            if found and SHORTEST <= len(code) <= LONGEST and _DIGITS.issuperset(code):
                return _plain(password), _plain(code), None
        elif 0 < self.length < len(typed) and _DIGITS.issuperset(typed[-self.length :]):
            return answer, None, (_plain(typed[: -self.length]), _plain(typed[-self.length :]))
        return answer, None, None


def _plain(octets: bytes) -> Answer:
    return Plain(Secret(octets))
