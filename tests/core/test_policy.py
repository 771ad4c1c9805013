"""Which chain is asked of whom."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aad.core.answer import NOTHING
from aad.core.identity import Attempt, Named, User
from aad.core.policy import Chain, Event
from aad.core.user_address import read

ALICE = User(name="alice", repository="corp", handle="", groups=frozenset({"CN=VPN,DC=example", "Straße"}))
FROM_VPN = Attempt(event="vpn", client="gateway", name="alice", answer=NOTHING, deadline=0.0)
EVERYBODY = Chain("everybody", ("password", "email_otp"))


@pytest.mark.parametrize("methods", [(), ""])
def test_an_empty_chain_can_not_be_built(methods: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="chain 'empty' has no methods"):
        Chain("empty", methods)
    with pytest.raises(ValueError, match="has no methods"):
        replace(EVERYBODY, methods=methods)


@pytest.mark.parametrize(
    ("groups", "fits"),
    [
        ((), True),
        (("CN=VPN,DC=example",), True),
        (("cn=vpn,dc=EXAMPLE",), True),
        (("nobody", "cn=vpn,dc=example"), True),
        (("STRASSE",), True),
        (("cn=vpn",), False),
        (("nobody",), False),
    ],
)
def test_groups_are_compared_without_regard_to_case(groups: tuple[str, ...], fits: bool) -> None:  # noqa: FBT001
    assert (not Chain("chain", ("password",), frozenset(groups)).misfit(ALICE, FROM_VPN)) == fits


DNS = frozenset({"CN=VPN,OU=Groups,DC=example,DC=com", r"cn=Sales\, West,dc=example"})


@pytest.mark.parametrize(
    ("group", "fits"),
    [
        ("cn=vpn, ou=groups, dc=example, dc=com", True),
        ("2.5.4.3=vpn;ou=groups;dc=example;dc=com", True),
        ('cn="Sales, West",dc=example', True),
        (r"cn=sales\2c  west,dc=example", True),
        ("cn=sales,dc=example", False),
        ("cn=vpn,ou=groups,dc=example", False),
        ("vpn", False),
    ],
)
def test_groups_are_compared_as_directories_do(group: str, fits: bool) -> None:  # noqa: FBT001
    bob = replace(ALICE, groups=DNS, groups_are_dns=True)
    assert (not Chain("chain", ("password",), frozenset({group})).misfit(bob, FROM_VPN)) == fits


def test_who_is_in_no_group_gets_the_chains_for_everybody_only() -> None:
    bob = replace(ALICE, groups=frozenset())
    assert not EVERYBODY.misfit(bob, FROM_VPN)
    assert Chain("vpn", ("password",), frozenset({"vpn"})).misfit(bob, FROM_VPN) == "only for members of vpn"


CLOSED = Chain("closed", ("password",), frozenset({"nobody"}))
VPN = Chain("vpn", ("password",), frozenset({"cn=vpn,dc=example"}), short_name="App")
MAIL = Chain("mail", ("password", "email_otp"), short_name="mail")


def test_the_first_that_fits_is_asked() -> None:
    assert Event("vpn", ("corp",), (CLOSED, VPN, EVERYBODY)).chains_for(ALICE, FROM_VPN) == (VPN, EVERYBODY)
    assert Event("vpn", ("corp",), (EVERYBODY, VPN)).chains_for(ALICE, FROM_VPN)[0] == EVERYBODY
    assert Event("vpn", ("corp",), (CLOSED, VPN, EVERYBODY)).misfits(ALICE, FROM_VPN) == [
        (CLOSED, "only for members of nobody")
    ]


def test_where_no_chain_fits_nobody_gets_in() -> None:
    assert Event("vpn", ("corp",), (CLOSED,)).chains_for(ALICE, FROM_VPN) == ()
    assert Event("vpn", ("corp",), ()).chains_for(ALICE, FROM_VPN) == ()


def test_a_chain_for_some_clients() -> None:
    chain = Chain("chain", ("password",), clients=frozenset({"gateway", "backup"}))
    assert not chain.misfit(ALICE, FROM_VPN)
    assert chain.misfit(ALICE, replace(FROM_VPN, client="switch")) == "only through backup, gateway"


ONLY = "only from 10.0.0.0/8, 2001:db8::/32"


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("10.1.2.3", ""),
        ("::ffff:10.1.2.3", ""),
        ("2001:db8::5", ""),
        ("192.0.2.1", f"{ONLY}, not from 192.0.2.1"),
        ("", f"{ONLY}, and gateway doesn't say where the user is (is empty)"),
        ("00-11-22-33-44-55", f"{ONLY}, and gateway doesn't say where the user is (holds no address)"),
    ],
)
def test_a_chain_for_some_networks(place: str, why: str) -> None:
    chain = Chain("chain", ("password",), networks=("10.0.0.0/8", "2001:db8::/32"))
    assert chain.misfit(ALICE, replace(FROM_VPN, user_address=read(place))) == why
    assert chain.misfit(ALICE, FROM_VPN) == f"{ONLY}, and gateway doesn't say where the user is"


def test_networks_mean_the_same_in_every_spelling() -> None:
    for networks, place, fits in (
        (("::ffff:10.0.0.0/104",), "10.1.2.3", True),
        (("::ffff:10.0.0.0/104",), "::ffff:10.1.2.3", True),
        (("::ffff:10.0.0.0/104",), "192.0.2.1", False),
        (("10.1.2.3",), "[::ffff:10.1.2.3]:443", True),
        (("fe80::/10",), "fe80::1%eth0", True),
        (("0.0.0.0/0", "::/0"), "unknown", False),
        (("0.0.0.0/0", "::/0"), "0.0.0.0", False),
    ):
        chain = Chain("chain", ("password",), networks=networks)
        assert (not chain.misfit(ALICE, replace(FROM_VPN, user_address=read(place)))) == fits, (networks, place)


def test_the_user_names_a_chain_by_its_short_name() -> None:
    event = Event("vpn", ("corp",), (CLOSED, EVERYBODY, VPN, MAIL))
    assert event.named("alice APP").chain == "app"
    assert event.chains_for(ALICE, FROM_VPN, "app") == (VPN,)
    assert event.chains_for(ALICE, FROM_VPN, "mail") == (MAIL,)
    assert event.chains_for(replace(ALICE, groups=frozenset()), FROM_VPN, "app") == ()
    assert event.misfits(ALICE, FROM_VPN, "mail")[1:] == [
        (EVERYBODY, 'only for who asks for "everybody", not "mail"'),
        (VPN, 'only for who asks for "App", not "mail"'),
    ]


def test_where_the_event_lets_choose_all_that_fit_are_offered() -> None:
    event = Event("vpn", ("corp",), (CLOSED, VPN, MAIL), choose=True)
    assert event.chains_for(ALICE, FROM_VPN) == (VPN, MAIL)
    assert event.chains_for(ALICE, FROM_VPN, "mail") == (MAIL,)
    assert event.misfits(ALICE, FROM_VPN, "nothing")[-1][0] == MAIL


REALMS = (("corp", "ad"), ("corp.example.com", "ad"), ("partner.org", "ldap"))


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("alice", Named("alice")),
        ("CORP\\alice", Named("alice", "ad")),
        ("alice@Corp.Example.com", Named("alice", "ad")),
        ("alice@partner.org mail", Named("alice", "ldap", "mail")),
        ("corp\\alice  App", Named("alice", "ad", "app")),
        ("alice@elsewhere.org", Named("alice@elsewhere.org")),
        ("OTHER\\alice", Named("OTHER\\alice")),
        ("alice@elsewhere.org@partner.org", Named("alice@elsewhere.org", "ldap")),
        ("anna maria", Named("anna maria")),
        ("mail", Named("mail")),
        (" mail", Named(" mail")),
        ("CORP\\", Named("CORP\\")),
        ("@partner.org", Named("@partner.org")),
        ("", Named("")),
    ],
)
def test_a_name_is_taken_apart(typed: str, expected: Named) -> None:
    event = Event("vpn", ("ad", "ldap"), (VPN, MAIL), realms=REALMS)
    assert event.named(typed) == expected


def test_one_person_is_one_key_whatever_the_spelling() -> None:
    event = Event("vpn", ("ad", "ldap"), (VPN, MAIL), realms=REALMS)
    assert {event.named(typed).key for typed in ("alice", "ALICE", "CORP\\Alice", "alice@CORP.example.com mail")} == {
        "alice"
    }


MEMBERS = Chain("members", ("password", "email_otp"), frozenset({"cn=vpn,dc=example"}))
STAFF = Chain("staff", ("password", "totp"), frozenset({"cn=staff,dc=example"}), short_name="staff")
UNREADABLE = {"cn=vpn,dc=", "vpn", "cn=v\ufffdpn,dc=example", "", "cn=" + "x" * 2000 + ",dc=example"}
WHY = "only for members of cn=vpn,dc=example, and the user's group "


@pytest.mark.parametrize("group", sorted(UNREADABLE))
def test_behind_a_chain_of_which_nobody_can_tell_none_is_asked(group: str) -> None:
    bob = replace(ALICE, groups=frozenset({group, "cn=staff,dc=example"}), groups_are_dns=True)
    event = Event("vpn", ("corp",), (CLOSED, STAFF, MEMBERS, EVERYBODY))
    assert event.chains_for(bob, FROM_VPN) == ()  # perhaps "nobody" is what could not be read
    event = replace(event, chains=(STAFF, MEMBERS, EVERYBODY))
    assert event.chains_for(bob, FROM_VPN) == (STAFF,)
    event = replace(event, chains=(MEMBERS, EVERYBODY))
    assert event.chains_for(bob, FROM_VPN) == ()
    ((chain, why),) = event.misfits(bob, FROM_VPN)
    assert chain == MEMBERS
    assert why.startswith(WHY)
    assert " can't be read: " in why
    assert len(why) < 400


def test_where_nothing_else_fits_a_group_that_can_not_be_read_tells_nothing() -> None:
    bob = replace(ALICE, groups=frozenset({"cn=,"}), groups_are_dns=True)
    elsewhere = replace(MEMBERS, clients=frozenset({"switch"}))
    afar = replace(MEMBERS, networks=("192.0.2.0/24",))
    event = Event("vpn", ("corp",), (elsewhere, afar, EVERYBODY))
    there = replace(FROM_VPN, user_address=read("198.51.100.1"))
    assert event.chains_for(bob, there) == (EVERYBODY,)
    assert event.misfits(bob, there)[0] == (elsewhere, "only through switch")
    assert event.chains_for(bob, replace(there, user_address=read("192.0.2.1"))) == ()


def test_who_wants_a_chain_by_name_gets_none_that_nobody_can_tell() -> None:
    bob = replace(ALICE, groups=frozenset({"cn=,"}), groups_are_dns=True)
    event = Event("vpn", ("corp",), (STAFF, MAIL))
    assert event.chains_for(bob, FROM_VPN, "staff") == ()
    assert [chain for chain, _ in event.misfits(bob, FROM_VPN, "staff")] == [STAFF]
    assert event.chains_for(bob, FROM_VPN, "mail") == (MAIL,)
    assert event.chains_for(bob, FROM_VPN) == ()


def test_where_groups_may_be_names_what_is_no_dn_is_one() -> None:
    bob = replace(ALICE, groups=frozenset({"cn=,", "vpn"}))
    assert Event("vpn", ("local",), (MEMBERS, EVERYBODY)).chains_for(bob, FROM_VPN) == (EVERYBODY,)
    assert not Chain("names", ("password",), frozenset({"CN=, "})).misfit(bob, FROM_VPN)


def test_a_chain_whose_group_can_not_be_read_is_nobodys_and_says_so() -> None:
    with pytest.raises(ValueError, match="holds U\\+FFFD"):
        Chain("odd", ("password",), frozenset({"v\ufffdpn"})).misfit(ALICE, FROM_VPN)


GROUPS = st.sampled_from(["cn=vpn,dc=example", "CN = staff ,dc=example", "cn=other", "cn=,", "vpn", "\ufffd"])


@given(st.frozensets(GROUPS), GROUPS, st.permutations([MEMBERS, STAFF, EVERYBODY]))
def test_to_lose_the_spelling_of_a_group_never_opens_a_chain(
    groups: frozenset[str], lost: str, chains: list[Chain]
) -> None:
    event = Event("vpn", ("corp",), tuple(chains))
    whole = replace(ALICE, groups=groups | {lost}, groups_are_dns=True)
    broken = replace(whole, groups=groups - {lost} | {lost[:-1] + "\ufffd"})
    before, after = (event.chains_for(user, FROM_VPN)[:1] for user in (whole, broken))
    assert after in {(), before}
