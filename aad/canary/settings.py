"""The keys of canary.toml, each of which is an option of `aad canary` too."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from aad.canary.imap import PORTS, SECURITY, Account, Imap
from aad.canary.mailbox import Mailbox
from aad.canary.maildir import Maildir
from aad.core.secret import Secret
from aad.core.settings import Duration, option
from aad.radius_client.nas import PROTOCOLS, Nas, host_and_port

FORMATS = ("text", "json", "nagios", "prometheus")
STEPS = ("password", "mail", "code")


@dataclass(frozen=True, kw_only=True)
class CanarySettings:
    """canary.toml."""

    user: str = option(doc="The test user's name.")
    server: str = option(doc="Where aad is, HOST or HOST:PORT; port: 1812.")
    secret: Secret = option(doc="The secret shared with aad, to which this machine is a client.")
    password: Secret = option(doc="The test user's password.")
    protocol: str = option("pap", "How the code is sent.", choices=PROTOCOLS)
    maildir: Path | None = option(None, "The Maildir where the mail arrives; this, or imap.", written=True)
    imap: str = option("", "The IMAP server that has the mail, HOST or HOST:PORT; port: 993 with tls, else 143.")
    imap_user: str = option("", "The user who logs in there; default: the test user.")
    imap_password: Secret | None = option(None, "That user's password.")
    imap_security: str = option(
        "tls", "How IMAP is secured; with tls and starttls the certificate is verified.", choices=SECURITY
    )
    imap_ca_file: Path | None = option(None, "The authorities that may sign its certificate; default: the system's.")
    imap_folder: str = option("INBOX", "The folder where the mail arrives.")
    timeout: Duration = option(Duration(30.0), "How long the whole login may take.", at_least=0.5, at_most=3600.0)
    warn: Duration = option(Duration(0.0), "A login that takes longer is slow; default: none is.")
    warn_password: Duration = option(Duration(0.0), "The same for the time from password to challenge.")
    warn_mail: Duration = option(Duration(0.0), "The same from challenge to mail.")
    warn_code: Duration = option(Duration(0.0), "The same from code to accept.")
    code_pattern: str = option("", "A regular expression for the code in subject and text; its first group, if any.")
    keep: bool = option(False, "Leave the mail in the mailbox.")
    format: str = option("text", "The format of the report.", choices=FORMATS)
    output: Path | None = option(None, "Write the report into this file, which is replaced in one step.", written=True)

    def faults(self) -> Iterator[tuple[str, str]]:
        """Yield the keys with wrong values, and what would be right."""
        for key in ("user", "secret", "password"):
            if not getattr(self, key):
                yield key, "should not be empty"
        if (self.maildir is None) == (not self.imap):
            yield "imap" if self.imap else "maildir", "there should be one mailbox: maildir or imap"
        if self.imap and not self.imap_password:
            yield "imap_password", "missing: imap needs it"
        if not self.imap_folder.isascii() or not self.imap_folder.isprintable():
            yield "imap_folder", "should be ASCII, as IMAP writes it (modified UTF-7)"
        if self.imap_ca_file is not None and not os.access(self.imap_ca_file, os.R_OK):
            yield "imap_ca_file", f"{self.imap_ca_file} can't be read"
        for key in ("server", "imap"):
            try:
                host_and_port(getattr(self, key) or "-")
            except ValueError as error:
                yield key, str(error)
        try:
            re.compile(self.code_pattern)
        except re.error as error:
            yield "code_pattern", f"should be a regular expression: {error}"

    def warnings(self) -> Iterator[tuple[str, str]]:
        """Yield the keys with unwise values, and why they are."""
        if self.imap and self.imap_security == "none":
            yield "imap_security", 'with "none" the mailbox\'s password can be read on the way'

    def nas(self) -> Nas:
        """Return the RADIUS client that logs in."""
        host, port = host_and_port(self.server)
        return Nas(host=host, port=port, secret=self.secret, protocol=self.protocol, called="aad canary")

    def mailbox(self) -> Mailbox:
        """Return the mailbox where the mail arrives, not yet opened."""
        if self.maildir is not None:
            return Maildir(self.maildir)
        host, port = host_and_port(self.imap, PORTS[self.imap_security])
        account = Account(
            host=host,
            port=port,
            security=self.imap_security,
            ca_file=self.imap_ca_file,
            user=self.imap_user or self.user,
            password=self.imap_password or Secret(b""),
            folder=self.imap_folder,
        )
        return Imap(account)

    def limits(self) -> Mapping[str, float]:
        """Return for each step and "total" the seconds above which it is slow; 0: never."""
        return {step: getattr(self, f"warn_{step}") for step in STEPS} | {"total": self.warn}
