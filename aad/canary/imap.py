"""A mailbox over IMAP (RFC 3501), its certificate verified: the door to imaplib."""

from __future__ import annotations

import imaplib
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aad.canary.mailbox import OCTETS, RECENT, Mail
from aad.core.secret import Secret
from aad.ports import Unavailable

SECURITY = ("tls", "starttls", "none")
PORTS = {"tls": 993, "starttls": 143, "none": 143}
_NO_PLAIN = "it offers no AUTH=PLAIN, so no login with a password is possible"
_NO_UIDNEXT = "it doesn't send UIDNEXT, so new mails can't be told from old ones"
_CLOSED = "not open"
_GONE = (imaplib.IMAP4.error, OSError, ValueError)  # ValueError: an answer that imaplib can't read


@dataclass(frozen=True, kw_only=True)
class Account:
    """An IMAP server, the login there, and the folder."""

    host: str
    port: int
    security: str
    ca_file: Path | None
    user: str
    password: Secret
    folder: str


class Imap:
    """A mailbox.Mailbox that asks an IMAP server twice a second, so IDLE isn't needed (RFC 2177)."""

    pause = 0.5

    def __init__(self, account: Account) -> None:
        """Open nothing yet."""
        self.where = f"imap {account.host}:{account.port}"
        self._account = account
        self._server: imaplib.IMAP4 | None = None
        self._first_new = self._next = 1
        self._uidplus = False

    def open(self, seconds: float) -> None:
        """Connect, log in, select the folder and note where new mails begin. Unavailable."""
        end = time.monotonic() + seconds
        with self._gone():
            self._server = server = self._connected(seconds)
        with self._patience(end - time.monotonic()):
            if "AUTH=PLAIN" not in server.capabilities:  # RFC 4616; it takes any octets, LOGIN doesn't
                raise Unavailable(_NO_PLAIN, where=self.where)
            credentials = b"\0".join((b"", self._account.user.encode(), self._account.password.reveal()))
            server.authenticate("PLAIN", lambda _: credentials)
            capabilities = _good(server.capability())[-1]  # after a login there may be others
            self._uidplus = b"UIDPLUS" in capabilities.upper().split()
            folder = self._account.folder.replace("\\", "\\\\").replace('"', '\\"')
            _good(server.select(f'"{folder}"'))
            _, (uid,) = server.response("UIDNEXT")
            if uid is None:
                raise Unavailable(_NO_UIDNEXT, where=self.where)
            self._first_new = int(uid)
            self._next = max(1, self._first_new - RECENT)

    def close(self) -> None:
        """Log out without CLOSE, which would expunge mails that others marked as deleted."""
        if self._server is not None:
            with suppress(*_GONE):
                self._server.logout()
            self._server = None

    def mails(self, seconds: float) -> Sequence[Mail]:
        """Fetch the mails not fetched yet, by PEEK, so that they stay unread. Unavailable."""
        with self._patience(seconds) as server:
            _good(server.noop())
            found = _good(server.uid("SEARCH", f"UID {self._next}:*"))[0] or b""
            # "n:*" has the last mail in it even if that is an older one, RFC 3501 6.4.8.
            uids = sorted(uid for uid in map(int, found.split()) if uid >= self._next)
            mails = []
            for uid in uids:
                data = _good(server.uid("FETCH", str(uid), f"(BODY.PEEK[]<0.{OCTETS}>)"))
                mails += [Mail(str(uid), one[1], uid >= self._first_new) for one in data if isinstance(one, tuple)]
                self._next = uid + 1
            return mails

    def remove(self, mail: Mail) -> None:
        """Mark the mail as deleted, and expunge it alone where the server can (UIDPLUS, RFC 4315). Unavailable."""
        with self._patience(5.0) as server:
            _good(server.uid("STORE", mail.handle, "+FLAGS.SILENT", r"(\Deleted)"))
            if self._uidplus:
                _good(server.uid("EXPUNGE", mail.handle))

    def _connected(self, seconds: float) -> imaplib.IMAP4:
        host, port, security = self._account.host, self._account.port, self._account.security
        if security == "none":
            return imaplib.IMAP4(host, port, timeout=seconds)
        tls = ssl.create_default_context(cafile=self._account.ca_file)
        if security == "tls":
            return imaplib.IMAP4_SSL(host, port, ssl_context=tls, timeout=seconds)
        server = imaplib.IMAP4(host, port, timeout=seconds)
        try:
            server.starttls(tls)  # it raises where the server has none: nothing goes on in clear
        except BaseException:
            server.shutdown()
            raise
        return server

    @contextmanager
    def _patience(self, seconds: float) -> Iterator[imaplib.IMAP4]:
        """Limit each read and write to `seconds`. Unavailable."""
        if self._server is None:
            raise Unavailable(_CLOSED, where=self.where)
        with self._gone():
            self._server.sock.settimeout(max(seconds, 0.5))
            yield self._server

    @contextmanager
    def _gone(self) -> Iterator[None]:
        try:
            yield
        except _GONE as error:
            raise Unavailable(_words(error), where=self.where) from error


def _good(answer: tuple[str, list[Any]]) -> list[Any]:
    """Return the data of an OK answer; a NO becomes imaplib's own error."""
    status, data = answer
    if status != "OK":
        raise imaplib.IMAP4.error(data[0].decode(errors="replace") if data and data[0] else status)
    return data


def _words(error: BaseException) -> str:
    """Return what is wrong in one line; a server's text is cut, and its control characters are replaced."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate isn't trusted: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    words = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return "".join(c if c.isprintable() else "?" for c in words)[:200]
