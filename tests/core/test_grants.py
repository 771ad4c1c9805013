"""Which tables fit, and what their values become."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aad.core.grants import Table, granted, value
from aad.core.identity import User

VPN = "cn=vpn,ou=groups,dc=example,dc=com"
ADMINS = "cn=admins,ou=groups,dc=example,dc=com"
ALICE = User(
    name="alice",
    repository="corp",
    handle="",
    groups=frozenset({"CN=VPN,ou=groups,dc=example,dc=com", ADMINS}),
    attributes={"ip": ("192.0.2.7",), "room": ("1", "2"), "empty": ("",)},
)


def table(name: str = "one", *, attributes: dict[str, str | list[str]], **rest: Any) -> Table:
    items = {key: [given] if isinstance(given, str) else given for key, given in attributes.items()}
    return Table(name=name, attributes=tuple((key, tuple(map(value, texts))) for key, texts in items.items()), **rest)


def pairs(*tables: Table, user: User = ALICE, event: str = "vpn", client: str = "gateway") -> list[tuple[str, str]]:
    return [(each.name, each.text) for each in granted(tables, user, event, client).given]


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("plain", ["plain"]),
        ("a {{brace}}", ["a {brace}"]),
        ("{user}@{group}", ["alice@vpn"]),
        ("{attribute:ip}", ["192.0.2.7"]),
        ("room-{attribute:room}-{user}", ["room-1-alice", "room-2-alice"]),
        ("{attribute:empty}", []),
        ("{attribute:missing}", []),
    ],
)
def test_macros_are_filled(text: str, becomes: list[str]) -> None:
    one = table(attributes={"Class": text}, groups=("nobody", VPN, ADMINS))
    assert pairs(one) == [("Class", each) for each in becomes]


@pytest.mark.parametrize(
    "text",
    ["{", "{otp}", "{user:x}", "{user!r}", "{group:1}", "{attribute}", "{attribute:}", "{attribute:a b}", "{}", "{0}"],
)
def test_what_is_no_macro_is_said(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no macro|written twice"):
        value(text)


def test_a_value_is_made_of_one_attribute() -> None:
    assert value("{attribute:a}-{attribute:a}").attribute == "a"
    with pytest.raises(ValueError, match="one attribute in a value"):
        value("{attribute:a}-{attribute:b}")


@pytest.mark.parametrize("name", ["userPassword", "UNICODEPWD", "userPassword;x-1"])
def test_nobody_is_told_a_secret(name: str) -> None:
    with pytest.raises(ValueError, match="secret"):
        value(f"{{attribute:{name}}}")


@given(st.text())
def test_what_the_directory_holds_is_never_read_as_a_macro(text: str) -> None:
    user = User(name="{group}", repository="corp", handle="", attributes={"a": (text,)})
    assert pairs(table(attributes={"Class": "{attribute:a}"}), user=user) == ([("Class", text)] if text else [])
    assert pairs(table(attributes={"Class": "{user}"}), user=user) == [("Class", "{group}")]


@given(st.text())
def test_a_text_is_a_value_or_a_value_error(text: str) -> None:
    try:
        made = value(text)
    except ValueError:
        return
    assert (made.literal is None) == bool(made.macros)


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        ({}, ""),
        ({"groups": (VPN,)}, ""),
        ({"groups": ("cn=other",)}, "only for members of cn=other"),
        ({"clients": frozenset({"gateway"})}, ""),
        ({"clients": frozenset({"switch"})}, "only through switch"),
        ({"events": frozenset({"vpn"})}, ""),
        ({"events": frozenset({"wifi"})}, "only for event wifi"),
    ],
)
def test_a_table_is_for_who_fits(rules: dict[str, Any], why: str) -> None:
    one = table(attributes={"Class": "x"}, **rules)
    assert one.misfit(ALICE, "vpn", "gateway") == why
    assert pairs(one) == ([] if why else [("Class", "x")])


def test_the_first_table_that_gives_an_attribute_decides() -> None:
    tables = (
        table("a", attributes={"Filter-Id": "a"}),
        table("b", attributes={"Filter-Id": "b", "Class": "b"}),
        table("c", attributes={"Filter-Id": "c", "Class": ["c", "cc"]}, add=True),
    )
    given_, left_out = granted(tables, ALICE, "vpn", "gateway").given, granted(tables, ALICE, "", "").left_out
    assert [(each.table, each.name, each.text) for each in given_] == [
        ("a", "Filter-Id", "a"),
        ("b", "Class", "b"),
        ("c", "Filter-Id", "c"),
        ("c", "Class", "c"),
        ("c", "Class", "cc"),
    ]
    assert left_out == ("Filter-Id of b: a gave it before",)


def test_nothing_is_looked_at_behind_stop() -> None:
    last = table("b", attributes={"Class": "b"})
    assert pairs(table(attributes={"Filter-Id": "a"}, stop=True), last) == [("Filter-Id", "a")]
    assert pairs(table(attributes={"Filter-Id": "a"}, stop=True, groups=("x",)), last) == [("Class", "b")]


def test_what_is_missing_is_left_out_and_a_later_table_may_give_it() -> None:
    own = table("own", attributes={"Framed-IP-Address": "{attribute:missing}"})
    pool = table("pool", attributes={"Framed-IP-Address": "255.255.255.254"})
    grant = granted((own, pool), ALICE, "vpn", "gateway")
    assert [(each.table, each.text) for each in grant.given] == [("pool", "255.255.255.254")]
    assert grant.left_out == ("Framed-IP-Address of own: the user has nothing for {attribute:missing}",)
    assert not grant.lacking


def test_what_is_required_must_be_there() -> None:
    one = table(attributes={"Class": "x", "Filter-Id": "{attribute:missing}"}, required=True)
    assert granted((one,), ALICE, "vpn", "").lacking == (
        "Filter-Id of one: the user has nothing for {attribute:missing}"
    )


@pytest.mark.parametrize(
    "group", ["cn = vpn , OU = groups,dc=example,dc=com", "2.5.4.3=vpn;ou=Groups;dc=example;dc=com"]
)
def test_groups_are_compared_as_directories_do(group: str) -> None:
    assert pairs(table(attributes={"Class": "{group}"}, groups=(group,))) == [("Class", "vpn")]


def test_who_may_be_confined_by_a_table_is_lacking_it() -> None:
    bob = User(name="bob", repository="corp", handle="", groups=frozenset({"cn=,", ADMINS}), groups_are_dns=True)
    confining = table(attributes={"Filter-Id": "guests"}, groups=(VPN,))
    usual = table("two", attributes={"Filter-Id": "all"})
    lacking = granted((confining, usual), bob, "vpn", "gateway").lacking
    assert lacking.startswith(f"one is only for members of {VPN}, and the user's group \"cn=,\" can't be read: ")
    for known in (
        table(attributes={"Filter-Id": "admins"}, groups=(VPN, ADMINS)),
        table(attributes={"Filter-Id": "guests"}, groups=(VPN,), clients=frozenset({"switch"})),
        table(attributes={"Filter-Id": "guests"}, groups=(VPN,), events=frozenset({"wifi"})),
    ):
        assert not granted((known, usual), bob, "vpn", "gateway").lacking
    first = table("zero", attributes={"Class": "x"}, stop=True)
    assert not granted((first, confining), bob, "vpn", "gateway").lacking
