"""From a host's name to a connection that is ready for mail: connected, secured, logged in. The door of aiosmtplib.

Its exceptions hold addresses and whatever the server said: they become ours here, with no cause (`from None`).
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
import time
from typing import cast

import aiosmtplib

from aad.net.resolve import NoAnswerError, Resolver
from aad.ports import Unavailable
from aad.senders.smtp.connection import Connection, Offers, Target, described
from aad.senders.smtp.protocol import NotSmtpError, SmtpProtocol
from aad.senders.smtp.replies import ehlo_name, quoted

_RESET = (errno.ECONNRESET, os.strerror(errno.ECONNRESET))
_CODES = range(200, 600)  # RFC 5321 4.2.1; aiosmtplib says -1 of what it can't read, or is too long
_TEMPORARY = range(400, 500)  # RFC 5321 4.2.1; RFC 4954 4: 454
_CREDENTIALS_INVALID = 535  # RFC 4954 6
_FAILURES = (aiosmtplib.SMTPException, OSError, ValueError)


class TokenRefusedError(Unavailable):
    """The mail server doesn't take this access token: another one may be tried."""


class Connector:
    """Makes TCP connections to one host and port. The address that was connected to last is tried first."""

    def __init__(self, host: str, port: int) -> None:
        """Look nothing up yet."""
        self._host = host
        self._port = port
        self._resolver = Resolver()
        self._good = ""

    async def connect(self, timeout: float) -> socket.socket:  # noqa: ASYNC109 - shared out among the addresses
        """Return a connected, non-blocking socket within `timeout` seconds. OSError (TimeoutError among them): none."""
        async with asyncio.timeout(timeout):
            found = await self._resolver.addresses(self._host, time.monotonic() + timeout)
            failure = OSError(f"{self._host} has no address")
            for address in sorted(found, key=lambda one: one != self._good):
                try:
                    async with asyncio.timeout(timeout / len(found)):
                        connected = await _connected(address, self._port)
                except OSError as error:
                    failure = error
                else:
                    self._good = address
                    return connected
            raise failure


async def _connected(address: str, port: int) -> socket.socket:
    ((family, kind, protocol, _, place), *_) = socket.getaddrinfo(
        address, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
    )
    connection = socket.socket(family, kind, protocol)
    try:
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, place)
    except BaseException:
        connection.close()
        raise
    return connection


async def open_connection(target: Target, connector: Connector, tls: ssl.SSLContext | None) -> Connection:
    """Connect, secure the connection and log in. Unavailable: which of these failed, in words for an administrator.

    With "starttls" the server must offer it and it must succeed: nothing but EHLO is ever said in clear.
    """
    try:
        sock = await connector.connect(target.timeout)
    except NoAnswerError as error:
        raise _unavailable(str(error), target) from None
    except OSError as error:
        raise _unreachable(error, target) from None
    smtp = aiosmtplib.SMTP(
        hostname=target.host,
        sock=sock,
        local_hostname=ehlo_name(sock.getsockname()[0]),
        timeout=target.timeout,
        use_tls=target.security == "tls",
        start_tls=target.security == "starttls",
        tls_context=tls,
    )
    try:
        await smtp.connect()
        await smtp.ehlo()
        if target.username:
            await _log_in(smtp, target)
        if smtp.transport is None:
            raise ConnectionResetError(*_RESET)  # noqa: TRY301 - it fails as all the others
    except _FAILURES as error:
        _abort(smtp)
        raise _unreachable(error, target) from None
    except BaseException:
        _abort(smtp)
        raise
    session: ssl.SSLObject | None = smtp.transport.get_extra_info("ssl_object")
    offers = Offers(
        pipelining=smtp.supports_extension("pipelining"),
        smtputf8=smtp.supports_extension("smtputf8"),
        secured=(session.version() or "TLS").replace("TLSv", "TLS ") if session else "not encrypted",
    )
    return Connection(SmtpProtocol(cast("asyncio.Transport", smtp.transport)), target, offers)


def _abort(smtp: aiosmtplib.SMTP) -> None:
    if smtp.transport is not None:
        # close() would let TLS wait for a server that may be stuck
        cast("asyncio.Transport", smtp.transport).abort()
    smtp.close()


async def _log_in(smtp: aiosmtplib.SMTP, target: Target) -> None:
    """Log in. Behind TLS PLAIN comes first: a FIPS host has no MD5 for CRAM-MD5; in clear CRAM-MD5 does.

    A token is refused by a challenge (334, a status in JSON); only after our empty line there is a 535. Unavailable;
    TokenRefusedError: of a token, by a 535.
    """
    if target.security != "none":
        smtp.AUTH_METHODS = ("plain", "login", "cram-md5")
    offered = "xoauth2" in smtp.server_auth_methods if target.by_token else smtp.supported_auth_methods
    if not offered:
        known = "XOAUTH2" if target.by_token else "PLAIN, LOGIN, CRAM-MD5"
        message = f"the mail server offers no authentication that we know ({known})"
        raise Unavailable(message, where=target.where)
    log_in = smtp.auth_xoauth2 if target.by_token else smtp.login
    try:
        await log_in(target.username.encode(), target.password.reveal())
    except aiosmtplib.SMTPAuthenticationError as error:
        raise _login_refused(error.code, error.message, target) from None


def _login_refused(code: int, text: str, target: Target) -> Unavailable:
    """Return the refusal. Of what a server says to a password nothing is repeated but the number."""
    by_token = target.by_token
    answer = quoted(code, text) if by_token else str(code)
    if code in _TEMPORARY:
        what = "the access token" if by_token else "the user name and password"
        return _unavailable(f"the mail server can't check {what} now: {answer}", target)
    what = "the access token" if by_token else "the user name or password"
    refusal = _unavailable(f"the mail server refuses {what}: {answer}", target)
    invalid = by_token and code == _CREDENTIALS_INVALID
    return TokenRefusedError(refusal.what, where=refusal.where) if invalid else refusal


def _unreachable(error: Exception, target: Target) -> Unavailable:
    return _unavailable(_why(error, target), target)


def _unavailable(what: str, target: Target) -> Unavailable:
    return Unavailable(f"{target.host}:{target.port}: {what}", where=target.where)


def _why(error: BaseException, target: Target) -> str:
    while isinstance(error, aiosmtplib.SMTPConnectError) and isinstance(error.__cause__, OSError):
        error = error.__cause__
    match error:
        case aiosmtplib.SMTPResponseException() if error.code not in _CODES:
            return described(NotSmtpError(), target)
        case aiosmtplib.SMTPResponseException():
            return f"the mail server answers {quoted(error.code, error.message)}"
        case TimeoutError():  # aiosmtplib's own among them
            return described(error, target)
        case aiosmtplib.SMTPServerDisconnected():
            return "the mail server hung up"
        case aiosmtplib.SMTPException() if target.security == "starttls":
            return "the mail server offers no STARTTLS, and nothing is sent without"
    return described(error, target)
