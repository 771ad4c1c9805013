"""Mail by SMTP: a sender that keeps connections, and an access token where it logs in with one.

smtp_settings.py has the keys; letter.py makes the mail; smtp_pool.py keeps the connections and smtp_gate.py knows when
it isn't worth trying. smtp_open.py makes one (the door of aiosmtplib), over a socket of smtp_dial.py, by a route of
smtp_route.py; smtp_line.py hands mails over on it, in the sentences of smtp_talk.py; smtp_words.py reads the answers.
oauth_token.py keeps the token; oauth_http.py asks for it in the words of oauth.py, signed by oauth_jwt.py (the door to
RSA) where oauth_settings.py says so.
"""

from __future__ import annotations

import asyncio
import secrets
import ssl
import time
from dataclasses import replace
from types import TracebackType
from typing import ClassVar, Self

from aad.core import mask
from aad.core.message import Message, Receipt, Template
from aad.core.secret import Secret
from aad.core.settings import spoken
from aad.ports import AddressRefusedError, Unavailable, Wiring
from aad.senders.smtp import message as letter
from aad.senders.smtp.address import parsed
from aad.senders.smtp.connect import open_line
from aad.senders.smtp.connection import Connection, Mail
from aad.senders.smtp.dial import Dialler
from aad.senders.smtp.oauth.http_client import Issuer
from aad.senders.smtp.oauth.token_cache import TokenCache
from aad.senders.smtp.pool import Limits, Pool
from aad.senders.smtp.settings import PORTS, SmtpSettings
from aad.senders.smtp.target import Target, TokenRefusedError

_LETTERS = 64  # compiled templates that are kept: one for each method is plenty


class Smtp:
    """Sends mail; a `ports.Sender`."""

    Settings: ClassVar[type] = SmtpSettings

    def __init__(self, settings: SmtpSettings, wiring: Wiring) -> None:
        """Note the settings; nothing is opened."""
        self._settings = settings
        self._sender = str(parsed(settings.sender_email))  # its domain in ASCII
        login = settings.authentication_required or settings.by_token
        self._route = Target(
            host=settings.host,
            port=settings.port or PORTS[settings.security],
            security=settings.security,
            timeout=settings.timeout,
            where=f"sender {wiring.name}",
            username=settings.username if login else "",
            password=(settings.password if login else None) or Secret(b""),
            by_token=settings.by_token,
        )
        self._dialler = Dialler(self._route.host, self._route.port)
        self._tls: ssl.SSLContext | None = None
        self._letters: dict[Template, letter.MailTemplate] = {}
        self._pool = self._new_pool()
        self._tokens = self._new_tokens() if settings.by_token else None

    def _new_pool(self) -> Pool:
        s = self._settings
        limits = Limits(connections=s.connections, queue=s.queue, idle=s.idle, lifetime=s.lifetime)
        return Pool(self._line, limits, self._route.where)

    def _new_tokens(self) -> TokenCache:
        s, where = self._settings, self._route.where
        issuer = Issuer(s.applicant(s.username), s.token_ca_file, s.timeout, where)
        return TokenCache(issuer.issue, str(issuer.endpoint), where)

    async def __aenter__(self) -> Self:
        """Read the authorities, if they are needed, and begin to fetch a token. Unavailable: they can't be read."""
        self._pool = self._new_pool()
        await self._secured()
        if self._tokens:
            self._tokens.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Give mails under way 2 s, then close."""
        try:
            await self._pool.close()
        finally:
            if self._tokens:
                await self._tokens.close()

    def masked(self, address: str) -> str:
        """Return `address` as `recipient_mask` shows it."""
        return mask.masked(address, self._settings.recipient_mask)

    def usable(self, address: str) -> bool:
        """Say whether `address` is one plain address that mail can go to."""
        return parsed(address) is not None

    async def send(self, message: Message, deadline: float) -> Receipt:
        """Send; return when the mail server took it.

        AddressRefusedError, Deferred, Unavailable, Underway: see `ports.Sender`. ValueError: the template is wrong, see
        `letter.compile`.
        """
        to = parsed(message.recipient)
        if to is None:  # asked before, but a second recipient must not depend on that
            what = "is not one plain mail address"
            raise AddressRefusedError(what)
        octets = self._letter(message.template).fill(str(to), message.values, time.time(), secrets.token_hex(16))
        mail = Mail(sender=self._sender, recipient=str(to), octets=octets, until=message.until)
        try:
            return await self._pool.send(mail, deadline)
        except Unavailable as error:
            lack = self._tokens.lack if self._tokens else ""
            if not lack or lack in error.what:
                raise
            what = f"{error.what}; {lack}"
            raise type(error)(what, where=error.where) from None

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
        token = f", {self._tokens.source}: good for {spoken(self._tokens.left // 1)}" if self._tokens else ""
        return f"{self._route.host}:{self._route.port}: {said}{token}"

    async def _line(self) -> Connection:
        tls = await self._secured()
        if not self._tokens:
            return await open_line(self._route, self._dialler, tls)
        token = await self._tokens.get()
        try:
            return await open_line(replace(self._route, password=token), self._dialler, tls)
        except TokenRefusedError:
            other = await self._tokens.instead_of(token)
            if other is None:
                raise
        return await open_line(replace(self._route, password=other), self._dialler, tls)

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

    def _letter(self, template: Template) -> letter.MailTemplate:
        found = self._letters.get(template)
        if found is None:
            if len(self._letters) >= _LETTERS:
                self._letters.clear()
            found = letter.compile(template, self._sender, self._settings.sender_name)
            self._letters[template] = found
        return found
