"""A mail server for the demo that keeps every mail: the only door to aiosmtpd, which comes with the extra [demo]."""

from __future__ import annotations

import queue
from dataclasses import dataclass

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from aad.canary.mail_matching import MailText


@dataclass(frozen=True)
class ReceivedMail(MailText):
    """A mail that arrived, and the address it was for."""

    recipient: str = ""


class Mailbox:
    """Listens on 127.0.0.1, in a thread of its own; every mail goes into `mails`."""

    def __init__(self, port: int) -> None:
        """Listen on `port` at once. OSError."""
        self.mails: queue.Queue[ReceivedMail] = queue.Queue()
        self._controller = Controller(self, hostname="127.0.0.1", port=port)
        self._controller.start()

    def stop(self) -> None:
        """Close the port and all connections."""
        self._controller.stop()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        """Take a mail, and return the reply."""
        mail = MailText.parse(envelope.original_content or b"")
        self.mails.put(ReceivedMail(mail.subject, mail.text, envelope.rcpt_tos[0]))
        return "250 2.0.0 Ok: queued as DEMO"
