"""The keys of [senders.NAME] with type = "smtp", and what is wrong with their values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aad.core import mask
from aad.core.macros import LONGEST_VALUE
from aad.core.secret import Secret
from aad.core.settings import Duration, option
from aad.senders.smtp.address import parsed
from aad.senders.smtp.oauth.settings import OAuthSettings
from aad.senders.smtp.replies import loopback, no_authorities

PORTS = {"tls": 465, "starttls": 587, "none": 25}  # RFC 8314 3.3, RFC 6409 3.1, RFC 5321 4.5.4.2
_HOST = re.compile(r"[A-Za-z0-9._:%-]{1,253}")


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """The keys that every mail server may need."""

    host: str = option(doc="The mail server's name, which its certificate must bear.")
    port: int = option(0, "Its port; 0: 465, 587 or 25, as security is.", at_least=0, at_most=65535)
    security: str = option("tls", "How the connection is secured.", choices=("none", "starttls", "tls"))
    ca_file: Path | None = option(None, "Who may sign its certificate; default: the system's authorities.")
    authentication_required: bool = option(default=False, doc="Log in with username and password.")
    authentication: str = option(
        "password",
        'How to log in: with a password, if authentication_required; "xoauth2": with an access token (OAuth 2).',
        choices=("password", "xoauth2"),
    )
    username: str = option("", "The account at the mail server.")
    password: Secret | None = option(None, "Its password.")
    sender_email: str = option(doc="The address that mails come from.")
    sender_name: str = option("", "The name that stands beside it.")
    recipient_mask: str = option(mask.DEFAULT, "How the prompt and the log show where a mail went.")
    timeout: Duration = option(Duration(10.0), "For one step of the dialogue.", at_least=0.1, at_most=300.0)
    connections: int = option(
        50,
        "Connections to the mail server, at most. More than 8 are opened only while mails wait.",
        at_least=1,
        at_most=1000,
    )
    idle: Duration = option(Duration(60.0), "An unused connection is closed after that.", at_least=0.1, at_most=300.0)
    lifetime: Duration = option(
        Duration(600.0), "A connection this old is closed after its current mail.", at_least=1.0, at_most=86400.0
    )
    queue: int = option(1000, "Mails that wait for a connection, at most.", at_least=1, at_most=100_000)


@dataclass(frozen=True, kw_only=True)
class SmtpSettings(OAuthSettings, ServerSettings):
    """[senders.NAME] with type = "smtp". The keys of the last base come first in listings."""

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
        if self.ca_file and (what := no_authorities(self.ca_file)):
            yield "ca_file", what
        yield from self._login_faults()

    @property
    def by_token(self) -> bool:
        """Whether it logs in with an OAuth 2 access token, which needs no `authentication_required`."""
        return self.authentication == "xoauth2"

    def _login_faults(self) -> Iterator[tuple[str, str]]:
        if not self.username.isprintable():
            yield "username", "should be without control characters"
        yield from self.oauth_faults(wanted=self.by_token)
        if self.by_token:
            yield from self._token_faults()
        elif self.authentication_required:
            yield from self._password_faults()

    def _token_faults(self) -> Iterator[tuple[str, str]]:
        if not self.username:
            yield "username", "missing: should be the mailbox that sends, such as noreply@example.com"
        if self.password:
            yield "password", 'not with authentication = "xoauth2", which needs none'
        if self.security == "none" and not loopback(self.host):
            yield "security", 'should be "tls" or "starttls": an access token is never sent in clear'

    def _password_faults(self) -> Iterator[tuple[str, str]]:
        if not self.username:
            yield "username", "missing: authentication_required needs it"
        if not self.password:
            yield "password", "missing: authentication_required needs it"
        elif b"\0" in self.password.reveal():
            yield "password", "should be without NUL characters"  # PLAIN ends there, RFC 4616 2

    def warnings(self) -> Iterator[tuple[str, str]]:
        """Yield what works, but is unwise."""
        if self.by_token:
            yield from self.oauth_warnings()
            return
        if self.authentication_required and self.security == "none" and not loopback(self.host):
            yield "security", 'sends the password in clear: should be "tls" or "starttls"'
        if not self.authentication_required and (self.username or self.password):
            yield "authentication_required", "is false, so username and password are not used"
