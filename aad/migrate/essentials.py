"""The tables of aad.toml that the other files don't have: chain and event; and, to be filled in, mail and users."""

from __future__ import annotations

from collections.abc import Iterable

from aad.migrate.toml_writer import TomlWriter

_USERS = """\
[repositories.corp]
type = "ldap"
servers = ["ldaps://dc1.example.com"]
bind_dn = "cn=aad,ou=services,dc=example,dc=com"
bind_password = { file = "ldap.password" }
base_dn = "ou=people,dc=example,dc=com"
user_filter = "(uid={name})"
"""
_MAIL = """\
[senders.mail]
type = "smtp"
host = "smtp.example.com"
authentication_required = true
username = "noreply@example.com"
password = { file = "smtp.password" }
sender_email = "noreply@example.com"
"""
CHAIN = "password-and-email"


def users_and_mail(page: TomlWriter, *, users: bool = True) -> None:
    """Write the tables that have to be filled in: their lines begin with # and no space."""
    what = "who the users are and how a code is mailed" if users else "how a code is mailed"
    page.remark(f"Fill in, and remove the # at the beginning: {what}.")
    page.off((f"{_USERS}\n" if users else "") + _MAIL)


def chain_and_event(page: TomlWriter, event: str) -> None:
    """Write an event with one chain, for all users."""
    chain(page, CHAIN)
    page.table("events", event)
    page.key("chains", [CHAIN])


def chain(page: TomlWriter, name: str, groups: Iterable[str] = ()) -> None:
    """Write a chain: password, then a code by mail."""
    page.table("chains", name)
    page.key("methods", ["password", "email_otp"])
    if groups:
        page.key("groups", groups)
