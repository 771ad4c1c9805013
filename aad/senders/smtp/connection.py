"""One connection to a mail server that stands: mails are handed over, one after the other, until QUIT."""

from __future__ import annotations

import math
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NoReturn

from aad.core.settings import spoken
from aad.ports import AddressRefusedError, Deferred, Unavailable, Underway
from aad.senders.smtp.address import parameters
from aad.senders.smtp.protocol import Answer, HungUpError, NotSmtpError, SmtpProtocol
from aad.senders.smtp.replies import ABOUT_THE_ADDRESS, broken, insecure, quoted, refuses_address
from aad.senders.smtp.target import Target

END_OF_DATA = 60.0
"""Seconds for the answer to DATA, at least. Who gives up early has mailed and says he has not; RFC 5321 4.5.3.2.6."""

_PARTING = 1.0  # seconds for the answer to QUIT
_SERVICE_CLOSES = 421
_OK = 250
_WILL_FORWARD = 251
_GO_ON = 354
_FOR_NOW = range(400, 500)  # RFC 5321 4.2.1
_FAILURES = (OSError, HungUpError, NotSmtpError)


class ConnectionDroppedError(Unavailable):
    """A kept connection turned out to be dead before anything of DATA was sent: a fresh one may be tried."""


class WithdrawnError(Exception):
    """Whoever wanted the mail sent wants it no more, and nothing of DATA was sent."""


@dataclass(frozen=True, kw_only=True)
class Mail:
    """The envelope, of usable addresses, and the letter; after `until` (`time.monotonic()`) it is of no use."""

    sender: str
    recipient: str = field(repr=False)
    octets: bytes = field(repr=False)
    until: float = math.inf


@dataclass(frozen=True, kw_only=True)
class Offers:
    """What the server said of itself, and how the connection is `secured`, in words."""

    pipelining: bool
    smtputf8: bool
    secured: str


class Connection:
    """A connection that is ready for mail, one after the other. It never is used by two tasks at a time."""

    def __init__(self, talk: SmtpProtocol, route: Target, offers: Offers) -> None:
        """Hold a connected, authenticated connection."""
        self._talk = talk
        self._route = route
        self._offers = offers
        self._kept = False  # it has carried a mail before, and may have died since
        self._begun = False  # the server may still hold an envelope of ours
        self.opened = time.monotonic()

    @property
    def open(self) -> bool:
        """Whether the connection stands, as far as is known."""
        return self._talk.open

    async def deliver(self, mail: Mail, commit: Callable[[], bool]) -> str:
        """Hand over one mail and return the server's words, such as "2.0.0 Ok: queued as 4XyZ".

        `commit()` is asked before DATA; or before the content, if both go together. False: WithdrawnError.
        AddressRefusedError: not to this address. ConnectionDroppedError: nothing was sent. Underway: nobody knows,
        as the answer to the mail itself didn't come. Deferred: not now. Unavailable: all else, the mail won't arrive.
        """
        options = parameters(mail.recipient, smtputf8=self._offers.smtputf8)
        if self._begun:
            self._start((await self._ask(b"RSET"))[0], "to start afresh")
        self._begun = True
        data = await self._envelope(mail, options)
        if not commit():
            if data:  # it waits for the mail
                self.cut()
            raise WithdrawnError
        said = await self._hand_over(mail, data)
        self._begun = False
        return said

    async def _envelope(self, mail: Mail, options: tuple[bytes, ...]) -> Answer | None:
        """Have the server take sender and recipient; return its answer to DATA, if that went with them."""
        sender = b" ".join((b"MAIL FROM:<" + mail.sender.encode() + b">", *options))
        recipient = b"RCPT TO:<" + mail.recipient.encode() + b">"
        data: Answer | None = None
        if self._offers.pipelining:
            first, answer, data = await self._ask(sender, recipient, b"DATA")
            self._start(first, "the sender's address")
        else:
            self._start((await self._ask(sender))[0], "the sender's address")
            (answer,) = await self._ask(recipient)
        self._kept = True
        if answer.code in (_OK, _WILL_FORWARD):
            return data
        if data and data.code == _GO_ON:  # RFC 2920 3.1 would have us send an empty mail to nobody
            self.cut()
        if answer.code in ABOUT_THE_ADDRESS:
            raise self._address_refused(answer, mail)
        raise self._refused(answer, f"the mail server refuses the recipient: {quoted(*answer, mail.recipient)}")

    async def _hand_over(self, mail: Mail, data: Answer | None) -> str:
        patience = max(END_OF_DATA, self._route.timeout)
        try:
            said = data or (await self._talk.ask(b"DATA", timeout=patience))[0]
            if said.code == _GO_ON:
                said = await self._talk.content(mail.octets, patience)
        except _FAILURES as error:
            self.cut()
            what = f"{self._route.where}: {why(error, self._route)} at DATA"
            raise Underway(what) from None
        if said.code == _OK:
            return said.message
        if said.code == _SERVICE_CLOSES:
            self.cut()
        if refuses_address(*said):
            raise self._address_refused(said, mail)
        raise self._refused(said, f"the mail server refuses the mail: {quoted(*said, mail.recipient)}")

    async def _ask(self, *commands: bytes) -> list[Answer]:
        """Say commands before the mail and return their answers. One that doesn't come ends the connection."""
        try:
            answers = await self._talk.ask(*commands, timeout=self._route.timeout)
        except _FAILURES as error:
            self._lose(why(error, self._route))
        for answer in answers:
            if answer.code == _SERVICE_CLOSES:  # RFC 5321 3.8: a server that closes may say so in answer to any command
                self._lose(f"the mail server closes the connection: {quoted(*answer)}")
        if len(answers) < len(commands):
            self._lose(why(HungUpError(), self._route))
        return answers

    def _start(self, answer: Answer, what: str) -> None:
        """See that the server takes RSET or MAIL. A kept connection that doesn't may have had its share of mails."""
        if answer.code != _OK:
            self._lose(f"the mail server refuses {what}: {quoted(*answer)}")

    def _lose(self, what: str) -> NoReturn:
        self.cut()
        raise (ConnectionDroppedError if self._kept else Unavailable)(what, where=self._route.where) from None

    def _refused(self, answer: Answer, what: str) -> Unavailable:
        kind = Deferred if answer.code in _FOR_NOW and answer.code != _SERVICE_CLOSES else Unavailable
        return kind(what, where=self._route.where)

    @staticmethod
    def _address_refused(answer: Answer, mail: Mail) -> AddressRefusedError:
        return AddressRefusedError(f"the mail server refuses the address: {quoted(*answer, mail.recipient)}")

    async def probe(self) -> str:
        """Say how the connection is secured, after the server answered once more."""
        self._start((await self._ask(b"NOOP"))[0], "even NOOP")
        return f"{self._offers.secured}, authenticated" if self._route.username else self._offers.secured

    async def quit(self) -> None:
        """Take leave, politely if the server answers within a second."""
        with suppress(*_FAILURES):
            await self._talk.ask(b"QUIT", timeout=_PARTING)
        self.cut()

    def cut(self) -> None:
        """Close the connection at once, and free its socket."""
        self._talk.cut()


def why(error: BaseException, route: Target) -> str:
    """Say what went wrong. Of foreign texts only those of OpenSSL and the operating system are repeated."""
    match error:
        case HungUpError():
            return "the mail server hung up"
        case NotSmtpError():
            return "what the mail server answers is no SMTP"
        case ssl.SSLError():
            return insecure(error, "the mail server's", "is security right for this port?")
        case TimeoutError() | ConnectionAbortedError():  # the latter by asyncio, for a slow TLS handshake
            return f"no answer within {spoken(route.timeout)}"
    return broken(error)
