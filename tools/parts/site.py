"""The users of a directory, and the daemon's configuration for that directory and a mail server."""

from __future__ import annotations

from tests.parts.directory import Directory, Person

CONFIGURATION = """
[repositories.corp]
type = "ldap"
servers = ["{ldap}"]
{ldap_tls}
bind_dn = "{directory.bind_dn}"
bind_password = "{directory.bind_password}"
base_dn = "{directory.base_dn}"
[senders.mail]
host = "{mail_host}"
port = {mail_port}
security = "none"
sender_email = "noreply@example.com"
[limits]
mails_per_user = "unlimited"
mails_per_client = "unlimited"
"""


def people(count: int, word: str = "user") -> list[Person]:
    """Return so many people: user0007 has the password pw-0007 and the address user0007@example.com."""
    return [Person(f"{word}{n:04}", f"pw-{n:04}", mail=(f"{word}{n:04}@example.com",)) for n in range(count)]


def configuration(
    directory: Directory,
    mail_port: int,
    rest: str = "",
    *,
    tls: bool = False,
    mail_host: str = "127.0.0.1",
    ldap_host: str = "localhost",
) -> str:
    """Return aad.toml without its head (clients, events, chains), followed by `rest`."""
    ldap = directory.ldaps_uri if tls else directory.ldap_uri
    text = CONFIGURATION.format(
        ldap=ldap.replace("localhost", ldap_host),
        ldap_tls=f'ca_file = "{directory.ca_file}"' if tls else "",
        directory=directory,
        mail_host=mail_host,
        mail_port=mail_port,
    )
    return text + rest
