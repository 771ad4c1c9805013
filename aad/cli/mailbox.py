"""A mail server that keeps what it gets, for the demo: the only door to aiosmtpd."""

from __future__ import annotations

import email
import email.policy
import queue
from typing import Any

from aiosmtpd.controller import UnthreadedController
from aiosmtpd.smtp import SMTP, Envelope, Session


class Mailbox:
    """Listens on a free port of 127.0.0.1 within the running event loop; `letters` gets every mail, as text."""

    def __init__(self, loop: Any) -> None:
        """Prepare; `start` listens."""
        self.letters: queue.Queue[tuple[str, str, str]] = queue.Queue()
        self._controller = UnthreadedController(self, hostname="127.0.0.1", port=0, loop=loop)

    def start(self) -> int:
        """Listen, and return the port."""
        self._controller.begin()
        server = self._controller.server
        port: int = server.sockets[0].getsockname()[1]  # type: ignore[union-attr]  # begun, so there is one
        return port

    def stop(self) -> None:
        """Stop."""
        self._controller.end()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        """Keep a mail: recipient, subject, text."""
        letter = email.message_from_bytes(envelope.content or b"", policy=email.policy.default)  # type: ignore[arg-type]
        body = letter.get_body(("plain",))
        self.letters.put((envelope.rcpt_tos[0], str(letter["Subject"]), body.get_content() if body else ""))
        return "250 2.0.0 Ok: queued as DEMO"
