"""Mail by SMTP: a sender that keeps connections, and an access token where it logs in with one.

settings.py has the keys, address.py the usable addresses; message.py makes the mail; pool.py keeps the connections.
connect.py makes one (the door of aiosmtplib); connection.py hands mails over on it, by the commands of protocol.py;
replies.py says what of a server's answers may be logged. oauth/ gets and keeps the access token.
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
from aad.senders.smtp.address import parsed
from aad.senders.smtp.connect import Connector, TokenRefusedError, open_connection
from aad.senders.smtp.connection import Connection, Mail, Target
from aad.senders.smtp.message import MailTemplate, compile_template
from aad.senders.smtp.oauth.token_cache import TokenCache
from aad.senders.smtp.pool import Limits, Pool
from aad.senders.smtp.settings import PORTS, SmtpSettings

_TEMPLATES = 64  # compiled templates that are kept: one for each method is plenty


class Smtp:
    """Sends mail; a `ports.Sender`."""

    Settings: ClassVar[type] = SmtpSettings

    def __init__(self, settings: SmtpSettings, wiring: Wiring) -> None:
        """Open nothing yet."""
        self._settings = settings
        self._sender = str(parsed(settings.sender_email))  # its domain in ASCII
        login = settings.authentication_required or settings.by_token
        self._target = Target(
            host=settings.host,
            port=settings.port or PORTS[settings.security],
            security=settings.security,
            timeout=settings.timeout,
            where=f"sender {wiring.name}",
            username=settings.username if login else "",
            password=(settings.password if login else None) or Secret(b""),
            by_token=settings.by_token,
        )
        self._connector = Connector(self._target.host, self._target.port)
        self._tls: ssl.SSLContext | None = None
        self._templates: dict[Template, MailTemplate] = {}
        self._pool = self._new_pool()
        self._tokens = self._new_tokens() if settings.by_token else None

    def _new_pool(self) -> Pool:
        s = self._settings
        limits = Limits(connections=s.connections, queue=s.queue, idle=s.idle, lifetime=s.lifetime)
        return Pool(self._connection, limits, self._target.where)

    def _new_tokens(self) -> TokenCache:
        s, where = self._settings, self._target.where
        # Imported here: h11 comes with the extra [oauth], and few need it.
        from aad.senders.smtp.oauth.http_client import TokenClient  # noqa: PLC0415

        client = TokenClient(
            s.oauth_client(s.username), where, timeout=s.timeout, ca_file=s.token_ca_file, proxy=s.token_proxy
        )
        return TokenCache(client.fetch, str(client.endpoint), where)

    async def __aenter__(self) -> Self:
        """Read the authorities, if they are needed, and begin to fetch a token. Unavailable: they can't be read."""
        self._pool = self._new_pool()
        await self._tls_context()
        if self._tokens:
            self._tokens.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Give mails under way 2 s to end, then close all connections."""
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
        """Send; return when the mail server has taken it.

        AddressRefusedError, Deferred, Unavailable, Underway: see `ports.Sender`. ValueError: the template is wrong, see
        `message.compile_template`.
        """
        to = parsed(message.recipient)
        if to is None:  # asked before, but a second recipient must not depend on that
            what = "is not one plain mail address"
            raise AddressRefusedError(what)
        octets = self._compiled(message.template).fill(str(to), message.values, time.time(), secrets.token_hex(16))
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
        """Connect, log in, say NOOP and QUIT; return "smtp.example.com:465: TLS 1.3, authenticated". Unavailable."""
        connection = await self._connection()
        try:
            secured = await connection.probe()
        finally:
            await connection.quit()
        token = f", {self._tokens.source}: good for {spoken(self._tokens.left // 1)}" if self._tokens else ""
        return f"{self._target.host}:{self._target.port}: {secured}{token}"

    async def _connection(self) -> Connection:
        tls = await self._tls_context()
        if not self._tokens:
            return await open_connection(self._target, self._connector, tls)
        token = await self._tokens.get()
        try:
            return await open_connection(replace(self._target, password=token), self._connector, tls)
        except TokenRefusedError:
            other = await self._tokens.instead_of(token)
            if other is None:
                raise
        return await open_connection(replace(self._target, password=other), self._connector, tls)

    async def _tls_context(self) -> ssl.SSLContext | None:
        """Return the one TLS context, which verifies chain and name; in a thread, as reading it takes 25 ms.

        None with security = "none": the authorities would be a megabyte for nothing.
        """
        if self._tls is None and self._settings.security != "none":
            try:
                # ca_file instead of the system's authorities, not beside them
                self._tls = await asyncio.to_thread(ssl.create_default_context, cafile=self._settings.ca_file)
            except OSError as error:
                what = f"ca_file can't be read: {error.strerror or 'no certificate in it'}"
                raise Unavailable(what, where=self._target.where) from None
        return self._tls

    def _compiled(self, template: Template) -> MailTemplate:
        found = self._templates.get(template)
        if found is None:
            if len(self._templates) >= _TEMPLATES:
                self._templates.clear()
            found = compile_template(template, self._sender, self._settings.sender_name)
            self._templates[template] = found
        return found
