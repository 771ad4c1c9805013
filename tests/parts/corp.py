"""A company: who is in its directory, and the tables of aad.toml that lead to its directory and its mail server."""

from __future__ import annotations

from collections.abc import Callable

from tests.parts.authority import Authority
from tests.parts.daemon import Daemon
from tests.parts.directory import Directory, Person
from tests.parts.recipes import Site

ALICE = Person("alice", "correct horse", mail=("alice@example.com",))
PEOPLE = (
    ALICE,
    Person("bob", "battery staple", mail=("not an address", "bob@example.com", "bob@example.org")),
    Person("carol", "no address", mail=()),
    Person("twin", "first", mail=("one@example.com",), unit="a"),
    Person("twin", "second", mail=("two@example.com",), unit="b"),
    *(Person(f"user{number:02}", f"pw-{number:02}", mail=(f"user{number:02}@example.com",)) for number in range(20)),
)
ODD_NAMES = ("Doe, John", "a+b=c", 'quo"te', "#hash", "back\\slash", "(par*en)", "Zoë <ö>", "semi;colon")
ODD_PEOPLE = (
    Person("circled", "①23", mail=("circled@example.com",)),
    Person("digits", "123", mail=("digits@example.com",)),
    Person("nul", "in\0side", mail=("nul@example.com",)),
    Person("long", "0123456789abcdef" * 8, mail=("long@example.com",)),
    *(Person(name, "odd", mail=("odd@example.com",)) for name in ODD_NAMES),
)
Make = Callable[..., Daemon]
Cook = Callable[..., tuple[Daemon, Site]]


def repository(directory: Directory) -> str:
    """Return the table of the repository `corp`."""
    return f"""
[repositories.corp]
type = "ldap"
servers = ["{directory.ldaps_uri}"]
ca_file = "{directory.ca_file}"
bind_dn = "{directory.bind_dn}"
bind_password = "{directory.bind_password}"
base_dn = "{directory.base_dn}"
"""


def sender(port: int, authority: Authority, security: str = "tls", password: str = "mail secret") -> str:
    """Return the table of the sender `mail`, a server of this machine that asks for a login."""
    return f"""
[senders.mail]
host = "localhost"
port = {port}
security = "{security}"
ca_file = "{authority.ca_file}"
authentication_required = true
username = "aad"
password = "{password}"
sender_email = "noreply@example.com"
"""
