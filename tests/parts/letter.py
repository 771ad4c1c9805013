"""A mail that arrived at a test's mail server."""

import email
import email.policy
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

# Not inside a word, a number with a point or dash, an address, or a time.
CODE = re.compile(r"(?<![\w/.+-])(?<!\d:)\d{4,10}(?![\w/-]|[.:]\d)", re.ASCII)


@dataclass(frozen=True)
class Letter:
    """What the sender's program put on the wire, and the parts a reader would see."""

    sender: str
    recipients: tuple[str, ...]
    text: str
    subject: str
    raw: bytes

    @classmethod
    def parse(cls, sender: str, recipients: Sequence[str], raw: bytes) -> Self:
        """Decode a mail; `text` is its plain body, or its HTML when it has no other."""
        message = email.message_from_bytes(raw, policy=email.policy.default)
        body = message.get_body(("plain", "html"))
        text = str(body.get_content()) if body else ""
        return cls(sender, tuple(recipients), text, str(message["Subject"] or ""), raw)


def code_in(letter: Letter) -> str:
    """Return the code of a letter: the first 4 to 10 digits that stand alone in its body."""
    found = CODE.search(letter.text)
    if not found:
        msg = f"no code in {letter.text!r}"
        raise AssertionError(msg)
    return found.group()
