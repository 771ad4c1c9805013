"""[repositories.NAME] with type = "ldap": the keys, and what they mean together."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aad.core.secret import Secret
from aad.core.settings import Duration, option
from aad.repositories.ldap_line import compiled
from aad.repositories.ldap_servers import host_and_port

_NAME = "{name}"
_ASSERTION = re.compile(r"\(\s*([A-Za-z0-9.-]+)([^()=]*)=([^()]*)")  # (attribute:rule:=value
MARKER = b"\x01the user's name\x01"  # stands for the name; no filter has it


@dataclass(frozen=True, kw_only=True)
class LdapSettings:
    """[repositories.NAME] with type = "ldap"."""

    servers: tuple[str, ...] = option(doc='In order: the next when one fails; "ldaps://HOST[:PORT]" or "ldap://..."')
    starttls: bool = option(default=False, doc="With ldap://: begin TLS before anything else, or don't talk at all.")
    ca_file: Path | None = option(None, "The authority that signed the servers' certificates; default: the system's.")
    bind_dn: str = option("", "The account that searches; default: anonymous.")
    bind_password: Secret | None = option(None, "Its password.")
    base_dn: str = option(doc="Where the users are, at any depth.")
    user_filter: str = option("(uid={name})", "Which of them is meant (RFC 4515); {name} arrives escaped.")
    email_attribute: str = option("mail", "Holds the addresses.")
    group_attribute: str = option("memberOf", "Holds the groups, as chains name them.")
    name_attribute: str = option("", "Holds the user's name; default: what user_filter compares {name} with first.")
    language_attribute: str = option("preferredLanguage", "Holds the language.")
    timeout: Duration = option(Duration(2.0), "For one server; then the next.", at_least=0.1, at_most=30.0)
    connections: int = option(8, "Logins that are checked at the same time.", at_least=1, at_most=64)

    def faults(self) -> Iterator[tuple[str, str]]:
        """Check what the keys mean together."""
        if not self.servers:
            yield "servers", 'should name at least one server, such as "ldaps://dc1.example.com"'
        for number, url in enumerate(self.servers):
            try:
                host_and_port(url)
            except ValueError:
                yield f"servers.[{number}]", f'"{url}" should be "ldaps://HOST", "ldap://HOST", or with ":PORT"'
        if self.starttls and any(url.startswith("ldaps:") for url in self.servers):
            yield "starttls", "goes with ldap://, but ldaps:// is TLS from the first octet: leave one of them out"
        if self.bind_dn and not self.bind_password:
            # RFC 4513 5.1.2: a bind with a name and no password succeeds, as anonymous.
            yield "bind_password", "missing: bind_dn can't log in without one"
        if self.bind_password and not self.bind_dn:
            yield "bind_dn", "missing: bind_password is for nobody"
        if self.ca_file:
            yield from _ca_faults(self.ca_file)
        yield from self._filter_faults()

    def warnings(self) -> Iterator[tuple[str, str]]:
        """Complain of passwords in the clear."""
        for number, url in enumerate(self.servers):
            if url.startswith("ldap://") and not self.starttls:
                yield f"servers.[{number}]", f'"{url}" sends passwords in the clear: use ldaps:// or starttls = true'

    def compared(self) -> str:
        """Return the attribute that holds the user's name."""
        with_name = (attribute for attribute, _, value in _ASSERTION.findall(self.user_filter) if _NAME in value)
        return self.name_attribute or next(with_name, "")

    def template(self) -> bytes:
        """Return user_filter as octets, with `MARKER` where the name belongs. ValueError: it is no filter."""
        return compiled(self.user_filter.replace(_NAME, MARKER.decode()))

    def _filter_faults(self) -> Iterator[tuple[str, str]]:
        if _NAME not in self.user_filter:
            yield "user_filter", 'should hold {name}, such as "(uid={name})": else it finds the same for everybody'
        elif _NAME in _ASSERTION.sub("", self.user_filter):
            yield "user_filter", 'should have {name} as a value, such as "(uid={name})"'
        else:
            try:
                self.template()
            except ValueError:
                yield "user_filter", 'is no search filter; should be such as "(uid={name})", in parentheses (RFC 4515)'


def _ca_faults(ca_file: Path) -> Iterator[tuple[str, str]]:
    try:
        ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError:
        yield "ca_file", f"{ca_file} should hold certificates in PEM"
    except OSError as error:
        yield "ca_file", f"{ca_file} can't be read: {error.strerror}"
