"""Mail by SMTP: the sender's settings, and a sender that keeps connections.

letter.py makes the mail; smtp_pool.py keeps the connections and smtp_gate.py knows when it isn't worth trying;
smtp_line.py speaks on one (the door of aiosmtplib), over a socket of smtp_dial.py; smtp_words.py reads the answers.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import secrets
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from aad.core import mask
from aad.core.macros import LONGEST_VALUE
from aad.core.message import Message, Receipt, Template
from aad.core.secret import Secret
from aad.core.settings import Duration, option
from aad.ports import AddressRefused, Unavailable, Wiring
from aad.senders import letter
from aad.senders.address import parsed
from aad.senders.smtp_dial import Dialler
from aad.senders.smtp_line import Line, Mail, Route, open_line
from aad.senders.smtp_pool import Limits, Pool

_PORTS = {"tls": 465, "starttls": 587, "none": 25}  # RFC 8314 3.3, RFC 6409 3.1, RFC 5321 4.5.4.2
_LETTERS = 64  # compiled templates that are kept: one for each method is plenty
_HOST = re.compile(r"[A-Za-z0-9._:%-]{1,253}")


@dataclass(frozen=True, kw_only=True)
class SmtpSettings:
    """[senders.NAME] with type = "smtp"."""

    host: str = option(doc="The mail server's name, which its certificate must bear.")
    port: int = option(0, "Its port; 0: 465, 587 or 25, as security is.", at_least=0, at_most=65535)
    security: str = option("tls", "How the connection is secured.", choices=("none", "starttls", "tls"))
    ca_file: Path | None = option(None, "Who may sign its certificate; default: the system's authorities.")
    authentication_required: bool = option(default=False, doc="Log in with username and password.")
    username: str = option("", "The account at the mail server.")
    password: Secret | None = option(None, "Its password.")
    sender_email: str = option(doc="The address that mails come from.")
    sender_name: str = option("", "The name that stands beside it.")
    recipient_mask: str = option(mask.DEFAULT, "How the prompt and the log show where a mail went.")
    timeout: Duration = option(Duration(10.0), "For one step of the dialogue.", at_least=0.1, at_most=300.0)
    connections: int = option(8, "Connections to the mail server, at most.", at_least=1, at_most=100)
    idle: Duration = option(Duration(60.0), "An unused connection is closed after that.", at_least=0.1, at_most=300.0)
    lifetime: Duration = option(Duration(600.0), "... and one this old after its mail.", at_least=1.0, at_most=86400.0)
    queue: int = option(1000, "Mails that wait for a connection, at most.", at_least=1, at_most=100_000)

    def faults(self) -> Iterator[tuple[str, str]]:
        """Yield each key that can't be right, and what would be."""
        if not _HOST.fullmatch(self.host):
            yield "host", "should be a host name or an address, such as smtp.example.com"
        address = parsed(self.sender_email)
        if not address or not address.ascii:
            yield (
                "sender_email",
                "should be an address such as noreply@example.com, ASCII before the @, nothing beside it",
            )
        if not self.sender_name.isprintable() or len(self.sender_name) > LONGEST_VALUE:
            yield "sender_name", f"should be at most {LONGEST_VALUE} characters, without control characters"
        if not mask.valid(self.recipient_mask):
            yield "recipient_mask", f'should be made of {{local:N}}, {{domain:N}}, {{tld}} and "*": {mask.DEFAULT}'
        if self.ca_file and (what := _unreadable(self.ca_file)):
            yield "ca_file", what
        yield from self._login_faults()

    def _login_faults(self) -> Iterator[tuple[str, str]]:
        if not self.username.isprintable():
            yield "username", "should be without control characters"
        if not self.authentication_required:
            return
        if not self.username:
            yield "username", "missing: authentication_required needs it"
        if not self.password:
            yield "password", "missing: authentication_required needs it"
        elif b"\0" in self.password.reveal():
            yield "password", "should be without NUL characters"  # PLAIN ends there, RFC 4616 2

    def warnings(self) -> Iterator[tuple[str, str]]:
        """Yield what works, but is unwise."""
        if self.authentication_required and self.security == "none" and not _loopback(self.host):
            yield "security", 'sends the password in clear: should be "tls" or "starttls"'
        if not self.authentication_required and (self.username or self.password):
            yield "authentication_required", "is false, so username and password are not used"


class Smtp:
    """Sends mail; a `ports.Sender`."""

    Settings: ClassVar[type] = SmtpSettings

    def __init__(self, settings: SmtpSettings, wiring: Wiring) -> None:
        """Note the settings; nothing is opened."""
        self._settings = settings
        self._sender = str(parsed(settings.sender_email))  # its domain in ASCII
        login = settings.authentication_required
        self._route = Route(
            host=settings.host,
            port=settings.port or _PORTS[settings.security],
            security=settings.security,
            timeout=settings.timeout,
            where=f"sender {wiring.name}",
            username=settings.username if login else "",
            password=(settings.password if login else None) or Secret(b""),
        )
        self._dialler = Dialler(self._route.host, self._route.port)
        self._tls: ssl.SSLContext | None = None
        self._letters: dict[Template, letter.Letter] = {}
        self._pool = self._new_pool()

    def _new_pool(self) -> Pool:
        s = self._settings
        limits = Limits(connections=s.connections, queue=s.queue, idle=s.idle, lifetime=s.lifetime)
        return Pool(self._line, limits, self._route.where)

    async def __aenter__(self) -> Self:
        """Read the authorities, once, if they are needed. Unavailable: they can't be read."""
        self._pool = self._new_pool()
        await self._secured()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Give mails under way 2 s, then close."""
        await self._pool.close()

    def masked(self, address: str) -> str:
        """Return `address` as `recipient_mask` shows it."""
        return mask.masked(address, self._settings.recipient_mask)

    def usable(self, address: str) -> bool:
        """Say whether `address` is one plain address that mail can go to."""
        return parsed(address) is not None

    async def send(self, message: Message, deadline: float) -> Receipt:
        """Send; return when the mail server took it.

        AddressRefused, Deferred, Unavailable, Underway: see `ports.Sender`. ValueError: the template is wrong, see
        `letter.compile`.
        """
        to = parsed(message.recipient)
        if to is None:  # asked before, but a second recipient must not depend on that
            what = "is not one plain mail address"
            raise AddressRefused(what)
        octets = self._letter(message.template).fill(str(to), message.values, time.time(), secrets.token_hex(16))
        mail = Mail(sender=self._sender, recipient=str(to), octets=octets, until=message.until)
        return await self._pool.send(mail, deadline)

    @property
    def queued(self) -> int:
        """Count the mails that wait for a connection."""
        return self._pool.waiting

    async def probe(self) -> str:
        """Connect, log in, say NOOP and QUIT: "smtp.example.com:465: TLS 1.3, authenticated". Unavailable: and why."""
        line = await self._line()
        try:
            said = await line.probe()
        finally:
            await line.quit()
        return f"{self._route.host}:{self._route.port}: {said}"

    async def _line(self) -> Line:
        return await open_line(self._route, self._dialler, await self._secured())

    async def _secured(self) -> ssl.SSLContext | None:
        """Return the one TLS context, which verifies chain and name; in a thread, as reading it takes 25 ms.

        None with security = "none": the authorities would be a megabyte for nothing.
        """
        if self._tls is None and self._settings.security != "none":
            try:
                # ca_file instead of the system's authorities, not beside them
                self._tls = await asyncio.to_thread(ssl.create_default_context, cafile=self._settings.ca_file)
            except OSError as error:
                what = f"ca_file can't be read: {error.strerror or 'no certificate in it'}"
                raise Unavailable(what, where=self._route.where) from None
        return self._tls

    def _letter(self, template: Template) -> letter.Letter:
        found = self._letters.get(template)
        if found is None:
            if len(self._letters) >= _LETTERS:
                self._letters.clear()
            found = letter.compile(template, self._sender, self._settings.sender_name)
            self._letters[template] = found
        return found


def _unreadable(ca_file: Path) -> str:
    """Say what is wrong with a file of certificates; empty: nothing."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(ca_file)
    except ssl.SSLError:
        return f"{ca_file} holds no certificate in PEM"
    except OSError as error:
        return f"{ca_file} can't be read: {error.strerror}"
    return ""


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
