"""From a host's name to a connection that is ready for mail. The door of aiosmtplib: nobody else imports it.

Its exceptions hold addresses and whatever the server said: they become ours here, with no cause (`from None`).
"""

from __future__ import annotations

import asyncio
import errno
import os
import ssl
from typing import cast

import aiosmtplib

from aad.ports import Unavailable
from aad.senders.smtp.connection import Connection, Offers, why
from aad.senders.smtp.dial import Dialler
from aad.senders.smtp.protocol import NotSmtpError, SmtpProtocol
from aad.senders.smtp.replies import ehlo_name, quoted
from aad.senders.smtp.target import Target, login_refused

_RESET = (errno.ECONNRESET, os.strerror(errno.ECONNRESET))
_CODES = range(200, 600)  # RFC 5321 4.2.1; aiosmtplib says -1 of what it can't read, or is too long
_FAILURES = (aiosmtplib.SMTPException, OSError, ValueError)


async def open_line(route: Target, dialler: Dialler, tls: ssl.SSLContext | None) -> Connection:
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
    try:
        await smtp.connect()
        await smtp.ehlo()
        if route.username:
            await _log_in(smtp, route)
        if smtp.transport is None:
            raise ConnectionResetError(*_RESET)  # noqa: TRY301 - it fails as all the others
    except _FAILURES as error:
        _cut(smtp)
        raise _unreachable(error, route) from None
    except BaseException:
        _cut(smtp)
        raise
    session: ssl.SSLObject | None = smtp.transport.get_extra_info("ssl_object")
    offers = Offers(
        pipelining=smtp.supports_extension("pipelining"),
        smtputf8=smtp.supports_extension("smtputf8"),
        secured=(session.version() or "TLS").replace("TLSv", "TLS ") if session else "not encrypted",
    )
    return Connection(SmtpProtocol(cast("asyncio.Transport", smtp.transport)), route, offers)


def _cut(smtp: aiosmtplib.SMTP) -> None:
    if abort := getattr(smtp.transport, "abort", None):
        abort()  # close() would let TLS wait for a server that may be stuck
    smtp.close()


async def _log_in(smtp: aiosmtplib.SMTP, route: Target) -> None:
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


def _unreachable(error: Exception, route: Target) -> Unavailable:
    return Unavailable(f"{route.host}:{route.port}: {_why(error, route)}", where=route.where)


def _why(error: BaseException, route: Target) -> str:
    while isinstance(error, aiosmtplib.SMTPConnectError) and isinstance(error.__cause__, OSError):
        error = error.__cause__
    match error:
        case aiosmtplib.SMTPResponseException() if error.code not in _CODES:
            return why(NotSmtpError(), route)
        case aiosmtplib.SMTPResponseException():
            return f"the mail server answers {quoted(error.code, error.message)}"
        case TimeoutError():  # aiosmtplib's own among them
            return why(error, route)
        case aiosmtplib.SMTPServerDisconnected():
            return "the mail server hung up"
        case aiosmtplib.SMTPException() if route.security == "starttls":
            return "the mail server offers no STARTTLS, and nothing is sent without"
    return why(error, route)
