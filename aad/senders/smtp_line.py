"""One connection to a mail server, from the banner to QUIT. The door of aiosmtplib: nobody else imports it.

Its exceptions hold addresses and whatever the server said: they become ours here, with no cause (`from None`).
"""

from __future__ import annotations

import asyncio
import math
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn

import aiosmtplib

from aad.core.settings import spoken
from aad.ports import AddressRefused, Deferred, Unavailable, Underway
from aad.senders.address import parameters
from aad.senders.smtp_dial import Dialler
from aad.senders.smtp_route import Route, login_refused
from aad.senders.smtp_words import ABOUT_THE_ADDRESS, broken, ehlo_name, insecure, quoted, refuses_address

END_OF_DATA = 60.0
"""Seconds for the answer to DATA, at least. Who gives up early has mailed and says he has not; RFC 5321 4.5.3.2.6."""

_PARTING = 1.0  # seconds for the answer to QUIT
_SERVICE_CLOSES = 421
_OK = 250
_WILL_FORWARD = 251
_FOR_NOW = range(400, 500)  # RFC 5321 4.2.1
_FAILURES = (aiosmtplib.SMTPException, OSError, ValueError)


class Dropped(Unavailable):
    """A kept connection turned out to be dead before anything of DATA was sent: a fresh one may be tried."""


class Withdrawn(Exception):  # noqa: N818 - an outcome
    """Whoever wanted the mail sent wants it no more, and nothing of DATA was sent."""


@dataclass(frozen=True, kw_only=True)
class Mail:
    """The envelope, of usable addresses, and the letter; after `until` (`time.monotonic()`) it is of no use."""

    sender: str
    recipient: str = field(repr=False)
    octets: bytes = field(repr=False)
    until: float = math.inf


class Line:
    """A connection that is ready for mail, one after the other. It never is used by two tasks at a time."""

    def __init__(self, smtp: aiosmtplib.SMTP, route: Route) -> None:
        """Hold a connected, authenticated client."""
        self._smtp = smtp
        self._route = route
        self._kept = False  # it has carried a mail before, and may have died since
        self._begun = False  # the server may still hold an envelope of ours
        self.opened = time.monotonic()

    @property
    def open(self) -> bool:
        """Whether the connection stands, as far as is known."""
        return self._smtp.is_connected

    async def deliver(self, mail: Mail, commit: Callable[[], bool]) -> str:
        """Hand over one mail and return the server's words, such as "2.0.0 Ok: queued as 4XyZ".

        `commit()` is asked before DATA; False: Withdrawn. AddressRefused: not to this address. Dropped: nothing was
        sent, try a fresh connection. Underway: nobody knows, as the answer to the mail itself didn't come. Deferred:
        not now. Unavailable: all else, the mail won't arrive.
        """
        options = parameters(mail.recipient, smtputf8=self._smtp.supports_extension("smtputf8"))
        if self._begun:
            self._start(await self._ask(b"RSET"), "to start afresh")
        self._begun = True
        self._start(await self._ask(b"MAIL", b"FROM:<" + mail.sender.encode() + b">", *options), "the sender's address")
        answer = await self._ask(b"RCPT", b"TO:<" + mail.recipient.encode() + b">")
        self._kept = True
        if answer.code in ABOUT_THE_ADDRESS:
            raise self._address_refused(answer, mail)
        if answer.code not in (_OK, _WILL_FORWARD):
            raise self._refused(answer, f"the mail server refuses the recipient: {quoted(*answer, mail.recipient)}")
        if not commit():
            raise Withdrawn
        said = await self._hand_over(mail)
        self._begun = False
        return said

    async def _hand_over(self, mail: Mail) -> str:
        try:
            return (await self._smtp.data(mail.octets, timeout=max(END_OF_DATA, self._route.timeout))).message
        except aiosmtplib.SMTPDataError as error:
            refusal = aiosmtplib.SMTPResponse(error.code, error.message)
        except _FAILURES as error:
            self.cut()
            what = f"{self._route.where}: {_why(error, self._route)} at DATA"
            raise Underway(what) from None
        if refusal.code == _SERVICE_CLOSES:
            self.cut()
        if refuses_address(*refusal):
            raise self._address_refused(refusal, mail)
        raise self._refused(refusal, f"the mail server refuses the mail: {quoted(*refusal, mail.recipient)}")

    async def _ask(self, *words: bytes) -> aiosmtplib.SMTPResponse:
        """Say one command before DATA and return the answer. An answer that doesn't come ends the connection."""
        try:
            answer = await self._smtp.execute_command(*words)
        except _FAILURES as error:
            self._lose(_why(error, self._route))
        if answer.code == _SERVICE_CLOSES:  # RFC 5321 3.8: a server that closes may say so in answer to any command
            self._lose(f"the mail server closes the connection: {quoted(*answer)}")
        return answer

    def _start(self, answer: aiosmtplib.SMTPResponse, what: str) -> None:
        """See that the server takes RSET or MAIL. A kept connection that doesn't may have had its share of mails."""
        if answer.code != _OK:
            self._lose(f"the mail server refuses {what}: {quoted(*answer)}")

    def _lose(self, what: str) -> NoReturn:
        self.cut()
        raise (Dropped if self._kept else Unavailable)(what, where=self._route.where) from None

    def _refused(self, answer: aiosmtplib.SMTPResponse, what: str) -> Unavailable:
        kind = Deferred if answer.code in _FOR_NOW and answer.code != _SERVICE_CLOSES else Unavailable
        return kind(what, where=self._route.where)

    @staticmethod
    def _address_refused(answer: aiosmtplib.SMTPResponse, mail: Mail) -> AddressRefused:
        return AddressRefused(f"the mail server refuses the address: {quoted(*answer, mail.recipient)}")

    async def probe(self) -> str:
        """Say how the connection is secured, after the server answered once more."""
        self._start(await self._ask(b"NOOP"), "even NOOP")
        tls = self._smtp.get_transport_info("ssl_object")
        secured = tls.version().replace("TLSv", "TLS ") if tls else "not encrypted"
        return f"{secured}, authenticated" if self._route.username else secured

    async def quit(self) -> None:
        """Take leave, politely if the server answers within a second."""
        try:
            async with asyncio.timeout(_PARTING):
                await self._smtp.quit()
        except _FAILURES:
            pass
        finally:
            self.cut()

    def cut(self) -> None:
        """Close the connection at once, and free its socket."""
        if abort := getattr(self._smtp.transport, "abort", None):
            abort()  # close() would let TLS wait for a server that may be stuck
        self._smtp.close()


async def open_line(route: Route, dialler: Dialler, tls: ssl.SSLContext | None) -> Line:
    """Connect, secure the connection and log in. Unavailable: whichever of these failed, in an administrator's words.

    With "starttls" the server must offer it and it must succeed: nothing but EHLO is ever said in clear.
    """
    try:
        sock = await dialler.dial(route.timeout)
    except OSError as error:
        raise _unreachable(error, route) from None
    smtp = aiosmtplib.SMTP(
        hostname=route.host,
        sock=sock,
        local_hostname=ehlo_name(sock.getsockname()[0]),
        timeout=route.timeout,
        use_tls=route.security == "tls",
        start_tls=route.security == "starttls",
        tls_context=tls,
    )
    line = Line(smtp, route)
    try:
        await smtp.connect()
        await smtp.ehlo()
        if route.username:
            await _log_in(smtp, route)
    except _FAILURES as error:
        line.cut()
        raise _unreachable(error, route) from None
    except BaseException:
        line.cut()
        raise
    return line


async def _log_in(smtp: aiosmtplib.SMTP, route: Route) -> None:
    """Log in. Behind TLS PLAIN comes first: a FIPS host has no MD5 for CRAM-MD5; in clear CRAM-MD5 does.

    A token is refused by a challenge (334, a status in JSON); only after our empty line there is a 535.
    """
    if route.security != "none":
        smtp.AUTH_METHODS = ("plain", "login", "cram-md5")
    offered = "xoauth2" in smtp.server_auth_methods if route.by_token else smtp.supported_auth_methods
    if not offered:
        known = "XOAUTH2" if route.by_token else "PLAIN, LOGIN, CRAM-MD5"
        message = f"the mail server offers no authentication that we know ({known})"
        raise Unavailable(message, where=route.where)
    try:
        await (smtp.auth_xoauth2 if route.by_token else smtp.login)(route.username.encode(), route.password.reveal())
    except aiosmtplib.SMTPAuthenticationError as error:
        raise login_refused(error.code, error.message, route) from None


def _unreachable(error: Exception, route: Route) -> Unavailable:
    return Unavailable(f"{route.host}:{route.port}: {_why(error, route)}", where=route.where)


def _why(error: BaseException, route: Route) -> str:
    """Say what went wrong. Of foreign texts only those of OpenSSL and the operating system are repeated."""
    while isinstance(error, aiosmtplib.SMTPConnectError) and isinstance(error.__cause__, OSError):
        error = error.__cause__
    match error:
        case aiosmtplib.SMTPResponseException():
            return f"the mail server answers {quoted(error.code, error.message)}"
        case ssl.SSLError():
            return insecure(error, "the mail server's", "is security right for this port?")
        case TimeoutError() | ConnectionAbortedError():  # the latter by asyncio, for a slow TLS handshake
            return f"no answer within {spoken(route.timeout)}"
        case aiosmtplib.SMTPServerDisconnected():
            return "the mail server hung up"
        case aiosmtplib.SMTPException() if route.security == "starttls":
            return "the mail server offers no STARTTLS, and nothing is sent without"
    return broken(error)
