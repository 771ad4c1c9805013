"""A mail server that keeps what it gets, for the demo: the only door to aiosmtpd, which comes with the extra [demo]."""

from __future__ import annotations

import email
import email.policy
import queue
from dataclasses import dataclass

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass(frozen=True)
class ReceivedMail:
    """A mail that arrived."""

    recipient: str
    subject: str
    text: str


class Mailbox:
    """Listens on 127.0.0.1, in a thread of its own; `letters` gets every mail."""

    def __init__(self, port: int) -> None:
        """Listen on `port` from the start."""
        self.letters: queue.Queue[ReceivedMail] = queue.Queue()
        self._controller = Controller(self, hostname="127.0.0.1", port=port)
        self._controller.start()

    def stop(self) -> None:
        """Stop."""
        self._controller.stop()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        """Keep a mail."""
        content = envelope.original_content or b""
        letter = email.message_from_bytes(content, policy=email.policy.default)
        body = letter.get_body(("plain",))
        self.letters.put(ReceivedMail(envelope.rcpt_tos[0], str(letter["Subject"]), body.get_content() if body else ""))
        return "250 2.0.0 Ok: queued as DEMO"
