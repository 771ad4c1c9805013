"""Groups by DN and by name."""

from __future__ import annotations

from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aad.core.distinguished_name import LONGEST, DnError
from aad.core.group_name import UNTOLD, group_key, short, wrong_with

VPN = "cn=vpn,ou=groups,dc=example,dc=com"


def test_a_name_is_compared_as_one() -> None:
    assert group_key("VPN  Users") == group_key(" vpn users\u200b") == group_key("\uff36PN users")
    assert group_key("vpn") != group_key("vpn users")


def test_a_dn_is_never_a_name() -> None:
    for name in ("cn\u200b=vpn", "cn=vpn\u200b,", "vpn"):
        assert group_key(name).startswith(" ")
    assert group_key("cn\u200b=vpn") != group_key("cn=vpn")
    assert not group_key(VPN).startswith(" ")


@pytest.mark.parametrize("name", ["", "vpn", "cn=vpn,", UNTOLD, "cn=\ufffd", "x" * (LONGEST + 1)])
def test_where_groups_are_dns_a_name_is_not_read(name: str) -> None:
    with pytest.raises(DnError):
        group_key(name, dn=True)


@pytest.mark.parametrize("name", [UNTOLD, "vpn\ufffd", "x" * (LONGEST + 1)])
def test_what_can_not_be_read_is_not_even_a_name(name: str) -> None:
    with pytest.raises(DnError):
        group_key(name)


@pytest.mark.parametrize(
    ("name", "dn", "perhaps", "what"),
    [
        (VPN, True, True, ""),
        (VPN, False, False, ""),
        ("vpn", False, False, ""),
        ("vpn", False, True, ""),
        (
            "vpn",
            True,
            True,
            'is no DN (RFC 4514): "vpn" should be a type and "=", such as "cn="; should be such as "cn=vpn',
        ),
        ("cn=vpn,ou", False, True, 'is no DN (RFC 4514): "ou" should be a type'),
        ("cn=vpn,ou", False, False, ""),
        ("a b = c,", False, True, ""),
        ("", False, False, "should be the name of a group"),
        (" \u200b", False, True, "should be the name of a group"),
        ("", True, True, "is no DN"),
        ("vpn\ufffd", False, False, "holds U+FFFD"),
        ("x" * (LONGEST + 1), False, False, f"has more than {LONGEST} characters"),
    ],
)
def test_what_is_wrong_with_a_configured_group(name: str, dn: bool, perhaps: bool, what: str) -> None:  # noqa: FBT001
    said = wrong_with(name, dn=dn, perhaps=perhaps)
    assert what in said
    assert bool(said) == bool(what)


@given(st.text())
def test_every_name_has_a_key_or_can_not_be_read(name: str) -> None:
    try:
        key = group_key(name)
    except DnError:
        assert "\ufffd" in name or len(name) > LONGEST
    else:
        if category(key.strip()[:1] or "x").startswith("M"):
            return  # RFC 4518 2.6.1: a SPACE that a combining mark follows is no space
        assert key == group_key(f" {name} ")


@pytest.mark.parametrize(
    ("group", "name"),
    [
        ("vpn", "vpn"),
        (VPN, "vpn"),
        ("CN=VPN Users, OU=x", "VPN Users"),
        ('cn = "VPN Users" , OU=x', "VPN Users"),
        (r"cn=Sales\, West,dc=x", "Sales, West"),
        (r"cn=Sales\2C West\C3\A9,dc=x", "Sales, Westé"),
        ("cn=#0c0376706e,dc=x", "vpn"),
        ("cn=a+sn=b,dc=x", "a"),
        (r"cn=\20vpn\ ,dc=x", "vpn"),
        (r"cn=\20,dc=x", r"cn=\20,dc=x"),
        ("a group = odd", "a group = odd"),
        ("cn=", "cn="),
        (r"cn=\ff,dc=x", r"cn=\ff,dc=x"),
        ("", ""),
    ],
)
def test_the_short_name_of_a_group(group: str, name: str) -> None:
    assert short(group) == name


@given(st.text())
def test_every_group_has_a_short_name(group: str) -> None:
    assert short(group) or not group
