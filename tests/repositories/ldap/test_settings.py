"""What `aad check` says of [repositories.NAME]."""

from __future__ import annotations

from pathlib import Path

import pytest

from aad.core.secret import Secret
from aad.repositories.ldap.settings import LdapSettings
from tests.parts.authority import Authority

GOOD = {"servers": ("ldaps://dc1.example.com", "ldaps://[2001:db8::1]:3269/"), "base_dn": "dc=example,dc=com"}
NO_PEM = Path(__file__)


def settings(**changes: object) -> LdapSettings:
    return LdapSettings(**(GOOD | changes))  # type: ignore[arg-type]  # whatever the test wants


def test_the_smallest_is_good(authority: Authority) -> None:
    assert list(settings().faults()) == []
    assert list(settings(ca_file=authority.ca_file).faults()) == []
    assert list(settings(bind_dn="cn=aad", bind_password=Secret(b"x")).faults()) == []


@pytest.mark.parametrize(
    ("key", "changes"),
    [
        ("servers", {"servers": ()}),
        *(
            ("servers.[0]", {"servers": (url,)})
            for url in (
                "dc1.example.com",
                "https://dc1.example.com",
                "ldapi:///run/slapd",
                "ldaps://",
                "ldaps://:636",
                "ldaps://dc1:port",
                "ldaps://dc1:99999",
                "ldaps://dc1/dc=example",
                "ldaps://aad:secret@dc1",
                "ldaps://[::1",
                "",
            )
        ),
        ("starttls", {"starttls": True}),
        ("bind_password", {"bind_dn": "cn=aad"}),
        ("bind_password", {"bind_dn": "cn=aad", "bind_password": Secret(b"\0")}),
        ("bind_dn", {"bind_password": Secret(b"x")}),
        ("ca_file", {"ca_file": Path("/nowhere/ca.pem")}),
        ("ca_file", {"ca_file": NO_PEM}),
        *(
            ("user_filter", {"user_filter": text})
            for text in (
                "(uid=*)",
                "uid={name}",
                "(uid={name}",
                "(&(uid={name})",
                "({name}=x)",
                "({name})",
                "(uid={name}))(",
            )
        ),
    ],
)
def test_faults_name_the_key(key: str, changes: dict[str, object]) -> None:
    assert [fault[0] for fault in settings(**changes).faults()] == [key]


@pytest.mark.parametrize(
    ("key", "changes"),
    [
        ("nested_groups", {"nested_groups": True}),
        ("nested_groups", {"nested_groups": True, "directory": "openldap"}),
        ("group_filter", {"nested_groups": True, "directory": "active-directory", "group_filter": "(member={dn})"}),
        ("group_filter", {"group_filter": "(objectClass=posixGroup)"}),
        ("group_filter", {"group_filter": "(member={dn}"}),
        ("group_filter", {"group_filter": "(member={dn})({name})"}),
        ("group_attribute", {"group_attribute": "1.2.840.113556.1.2.102"}),
        ("group_attribute", {"group_attribute": "memberOf "}),
        ("group_attribute", {"group_attribute": "memberOf;x"}),
        ("name_attribute", {"name_attribute": "0.9.2342.19200300.100.1.1"}),
        ("group_base_dn", {"group_base_dn": "ou=groups,dc=example,dc=com"}),
        ("user_filter", {"user_filter": "(&(uid={name})(manager={dn}))"}),
        ("attributes", {"attributes": tuple(f"a{number}" for number in range(17))}),
        *(
            ("attributes.[1]", {"attributes": ("title", name)})
            for name in ("", "*", "+", "a b", "userCertificate;binary", "userPassword", "unicodePwd", "1.", "ä")
        ),
    ],
)
def test_faults_of_what_else_is_asked(key: str, changes: dict[str, object]) -> None:
    assert [fault[0] for fault in settings(**changes).faults()] == [key]


@pytest.mark.parametrize(
    "changes",
    [
        {"directory": "openldap", "group_filter": "(&(objectClass=posixGroup)(memberUid={name}))"},
        {"group_filter": "(|(member={dn})(memberUid={name}))", "group_base_dn": "ou=groups,dc=example,dc=com"},
        {"directory": "active-directory", "nested_groups": True},
        {"attributes": ("departmentNumber", "1.2.840.113556.1.4.2", "x-121")},
    ],
)
def test_what_else_may_be_asked(changes: dict[str, object]) -> None:
    assert list(settings(**changes).faults()) == []
    assert list(settings(**changes).warnings()) == []


def test_groups_below_a_part_of_the_domain_are_warned_about() -> None:
    nested = {"directory": "active-directory", "nested_groups": True}
    below = settings(**nested, base_dn="OU=Staff,DC=example,DC=com")
    assert [warning[0] for warning in below.warnings()] == ["group_base_dn"]
    assert list(settings(**nested, base_dn="DC=example, DC=com").warnings()) == []


def test_what_a_directory_is_sets_what_nobody_set() -> None:
    there = settings(directory="active-directory")
    assert there.compared() == "sAMAccountName"
    assert b"userPrincipalName" in there.template()
    assert settings(directory="active-directory", user_filter="(cn={name})").compared() == "cn"
    assert (
        settings(directory="openldap").template()
        == settings().template()
        == settings(user_filter="(uid={name})").template()
    )


def test_passwords_in_the_clear_are_warned_about() -> None:
    servers = ("ldaps://dc1.example.com", "ldap://dc2.example.com")
    assert [warning[0] for warning in settings(servers=servers).warnings()] == ["servers.[1]"]
    assert list(settings(servers=servers[1:], starttls=True).warnings()) == []


@pytest.mark.parametrize(
    ("user_filter", "attribute"),
    [
        ("(uid={name})", "uid"),
        ("(&(objectClass=person)(|(sAMAccountName={name})(mail={name})))", "sAMAccountName"),
        ("(&(objectClass=user)(cn:caseExactMatch:={name}))", "cn"),
        ("(userPrincipalName={name}@example.com)", "userPrincipalName"),
    ],
)
def test_the_name_is_what_the_filter_compares_first(user_filter: str, attribute: str) -> None:
    assert list(settings(user_filter=user_filter).faults()) == []
    assert settings(user_filter=user_filter).compared() == attribute
    assert settings(user_filter=user_filter, name_attribute="cn").compared() == "cn"
