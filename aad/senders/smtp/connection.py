"""One connection to a mail server that is open and logged in: mails are handed over one after the other, until QUIT."""

from __future__ import annotations

import math
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NoReturn

from aad.core.secret import Secret
from aad.core.settings import spoken
from aad.ports import AddressRefusedError, Deferred, Unavailable, Underway
from aad.senders.smtp.address import parameters
from aad.senders.smtp.protocol import Answer, HungUpError, NotSmtpError, SmtpProtocol
from aad.senders.smtp.replies import ABOUT_THE_ADDRESS, broken, insecure, quoted, refuses_address

END_OF_DATA = 60.0
"""Seconds for the answer to DATA, at least: a client that gives up early has mailed and says it has not (RFC 5321
4.5.3.2.6)."""

_FAREWELL = 1.0  # seconds for the answer to QUIT
_SERVICE_CLOSES = 421
_OK = 250
_WILL_FORWARD = 251
_GO_ON = 354
_FOR_NOW = range(400, 500)  # RFC 5321 4.2.1
_FAILURES = (OSError, HungUpError, NotSmtpError)


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where the mail server is and how to log in there.

    `timeout`: seconds for each step; `where`: what an Unavailable names; no `username`: without AUTH; `by_token`: the
    password is an OAuth 2 access token.
    """

    host: str
    port: int
    security: str
    timeout: float
    where: str
    username: str = ""
    password: Secret = field(default_factory=lambda: Secret(b""))
    by_token: bool = False


class ConnectionDroppedError(Unavailable):
    """A kept connection turned out to be dead before anything of DATA was sent: a fresh one may be tried."""


class WithdrawnError(Exception):
    """The mail was withdrawn, and nothing of DATA was sent."""


@dataclass(frozen=True, kw_only=True)
class Mail:
    """The envelope, of usable addresses, and the message; after `until` (`time.monotonic()`) it is of no use."""

    sender: str
    recipient: str = field(repr=False)
    octets: bytes = field(repr=False)
    until: float = math.inf


@dataclass(frozen=True, kw_only=True)
class Offers:
    """Which extensions the server offers, and how the connection is `secured`, for the administrator."""

    pipelining: bool
    smtputf8: bool
    secured: str


class Connection:
    """A connection that is ready for mail, one after the other; used by one task at a time."""

    def __init__(self, protocol: SmtpProtocol, target: Target, offers: Offers) -> None:
        """Take over a connection that is open and logged in."""
        self._protocol = protocol
        self._target = target
        self._offers = offers
        self._kept = False  # it has carried a mail before, and may have died since
        self._begun = False  # the server may still hold an envelope of ours
        self.opened = time.monotonic()

    @property
    def open(self) -> bool:
        """Whether the connection is open, as far as is known."""
        return self._protocol.open

    async def deliver(self, mail: Mail, commit: Callable[[], bool]) -> str:
        """Hand over one mail and return the text of the server's answer, such as "2.0.0 Ok: queued as 4XyZ".

        `commit()` is asked before DATA; or before the content, if both go together. False: WithdrawnError.
        AddressRefusedError: not to this address. ConnectionDroppedError: nothing was sent. Underway: not known, as
        the answer to the mail itself didn't come. Deferred: not now. Unavailable: all else, the mail won't arrive.
        """
        options = parameters(mail.recipient, smtputf8=self._offers.smtputf8)
        if self._begun:
            self._expect_ok((await self._ask(b"RSET"))[0], "to start afresh")
        self._begun = True
        data = await self._envelope(mail, options)
        if not commit():
            if data:  # it waits for the mail
                self.abort()
            raise WithdrawnError
        text = await self._hand_over(mail, data)
        self._begun = False
        return text

    async def _envelope(self, mail: Mail, options: tuple[bytes, ...]) -> Answer | None:
        """Have the server take sender and recipient; return its answer to DATA, if that went with them."""
        sender = b" ".join((b"MAIL FROM:<" + mail.sender.encode() + b">", *options))
        recipient = b"RCPT TO:<" + mail.recipient.encode() + b">"
        data: Answer | None = None
        if self._offers.pipelining:
            first, answer, data = await self._ask(sender, recipient, b"DATA")
            self._expect_ok(first, "the sender's address")
        else:
            self._expect_ok((await self._ask(sender))[0], "the sender's address")
            (answer,) = await self._ask(recipient)
        self._kept = True
        if answer.code in (_OK, _WILL_FORWARD):
            return data
        if data and data.code == _GO_ON:  # RFC 2920 3.1 would have us send an empty mail without recipients
            self.abort()
        if answer.code in ABOUT_THE_ADDRESS:
            raise self._address_refused(answer, mail)
        raise self._refused(answer, f"the mail server refuses the recipient: {quoted(*answer, mail.recipient)}")

    async def _hand_over(self, mail: Mail, data: Answer | None) -> str:
        patience = max(END_OF_DATA, self._target.timeout)
        try:
            answer = data or (await self._protocol.ask(b"DATA", timeout=patience))[0]
            if answer.code == _GO_ON:
                answer = await self._protocol.content(mail.octets, patience)
        except _FAILURES as error:
            self.abort()
            what = f"{self._target.where}: {described(error, self._target)} at DATA"
            raise Underway(what) from None
        if answer.code == _OK:
            return answer.message
        if answer.code == _SERVICE_CLOSES:
            self.abort()
        if refuses_address(*answer):
            raise self._address_refused(answer, mail)
        raise self._refused(answer, f"the mail server refuses the mail: {quoted(*answer, mail.recipient)}")

    async def _ask(self, *commands: bytes) -> list[Answer]:
        """Send commands before the mail and return their answers. One that doesn't come ends the connection.

        ConnectionDroppedError, Unavailable.
        """
        try:
            answers = await self._protocol.ask(*commands, timeout=self._target.timeout)
        except _FAILURES as error:
            self._lose(described(error, self._target))
        for answer in answers:
            if answer.code == _SERVICE_CLOSES:  # RFC 5321 3.8: a server that closes may say so in answer to any command
                self._lose(f"the mail server closes the connection: {quoted(*answer)}")
        if len(answers) < len(commands):
            self._lose(described(HungUpError(), self._target))
        return answers

    def _expect_ok(self, answer: Answer, what: str) -> None:
        """Check that the server takes RSET, MAIL or NOOP. ConnectionDroppedError, Unavailable: it doesn't.

        On a kept connection it may only want no more mails there.
        """
        if answer.code != _OK:
            self._lose(f"the mail server refuses {what}: {quoted(*answer)}")

    def _lose(self, what: str) -> NoReturn:
        self.abort()
        raise (ConnectionDroppedError if self._kept else Unavailable)(what, where=self._target.where) from None

    def _refused(self, answer: Answer, what: str) -> Unavailable:
        kind = Deferred if answer.code in _FOR_NOW and answer.code != _SERVICE_CLOSES else Unavailable
        return kind(what, where=self._target.where)

    @staticmethod
    def _address_refused(answer: Answer, mail: Mail) -> AddressRefusedError:
        return AddressRefusedError(f"the mail server refuses the address: {quoted(*answer, mail.recipient)}")

    async def probe(self) -> str:
        """Ask the server once more (NOOP) and say how the connection is secured. Unavailable."""
        self._expect_ok((await self._ask(b"NOOP"))[0], "even NOOP")
        return f"{self._offers.secured}, authenticated" if self._target.username else self._offers.secured

    async def quit(self) -> None:
        """Say QUIT, wait a second at most for the answer, and close the connection."""
        with suppress(*_FAILURES):
            await self._protocol.ask(b"QUIT", timeout=_FAREWELL)
        self.abort()

    def abort(self) -> None:
        """Close the connection at once, and free its socket."""
        self._protocol.abort()


def described(error: BaseException, target: Target) -> str:
    """Say what went wrong. Of foreign texts only those of OpenSSL and the operating system are repeated."""
    match error:
        case HungUpError():
            return "the mail server hung up"
        case NotSmtpError():
            return "what the mail server answers is no SMTP"
        case ssl.SSLError():
            return insecure(error, "the mail server's", "is security right for this port?")
        case TimeoutError() | ConnectionAbortedError():  # the latter by asyncio, for a slow TLS handshake
            return f"no answer within {spoken(target.timeout)}"
    return broken(error)
