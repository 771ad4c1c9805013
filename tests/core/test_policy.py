"""Which chain is asked of whom."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aad.core.answer import NOTHING
from aad.core.identity import Attempt, Named, User
from aad.core.policy import Chain, Event
from aad.core.user_address import read

ALICE = User(name="alice", repository="corp", handle="", groups=frozenset({"CN=VPN,DC=example", "Straße"}))
FROM_VPN = Attempt(event="vpn", endpoint="gateway", name="alice", answer=NOTHING, deadline=0.0)
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
    assert chain.misfit(ALICE, replace(FROM_VPN, endpoint="switch")) == "only through backup, gateway"


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
    assert chain.misfit(ALICE, replace(FROM_VPN, place=read(place))) == why
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
        assert (not chain.misfit(ALICE, replace(FROM_VPN, place=read(place)))) == fits, (networks, place)


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
