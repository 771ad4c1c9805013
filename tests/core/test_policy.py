"""Which chain is asked of whom."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aad.core.identity import User
from aad.core.policy import Chain, Event

ALICE = User(name="alice", repository="corp", handle="", groups=frozenset({"CN=VPN,DC=example", "Straße"}))
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
    assert Chain("chain", ("password",), frozenset(groups)).fits(ALICE) == fits


def test_who_is_in_no_group_gets_the_chains_for_everybody_only() -> None:
    bob = replace(ALICE, groups=frozenset())
    assert EVERYBODY.fits(bob)
    assert not Chain("vpn", ("password",), frozenset({"vpn"})).fits(bob)


def test_the_first_that_fits_is_asked() -> None:
    closed = Chain("closed", ("password",), frozenset({"nobody"}))
    vpn = Chain("vpn", ("password",), frozenset({"cn=vpn,dc=example"}))
    assert Event("vpn", ("corp",), (closed, vpn, EVERYBODY)).chain_for(ALICE) == vpn
    assert Event("vpn", ("corp",), (EVERYBODY, vpn)).chain_for(ALICE) == EVERYBODY


def test_where_no_chain_fits_nobody_gets_in() -> None:
    closed = Chain("closed", ("password",), frozenset({"nobody"}))
    assert Event("vpn", ("corp",), (closed,)).chain_for(ALICE) is None
    assert Event("vpn", ("corp",), ()).chain_for(ALICE) is None
