"""Users whose account their repository holds as disabled, locked or expired: no chain lets them in but by its word."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from aad.core.conversation import Accepted, Rejected
from aad.core.identity import Bar
from aad.core.outcome import Reason
from aad.core.policy import Chain, Event
from aad.login.engine import Asked, Reply
from tests.parts.fakes import World, attempt

BARRED = Bar(Reason.ACCOUNT_BARRED, "account disabled (userAccountControl)")
UNKNOWN = Bar(Reason.ACCOUNT_UNKNOWN, "accountExpires can't be read")
APP = Chain("app", ("app",))
MAIL = Chain("mail", ("email_otp",))
PASSWORD = Chain("password", ("password",))
BOTH = Chain("both", ("password", "email_otp"))
CODE = "424242"


def world(*chains: Chain, bar: Bar | None = BARRED, choose: bool = False) -> World:
    there = World(event=Event("vpn", ("corp",), chains, choose=choose))
    there.repository.users = {
        name: (replace(user, barred=bar), password) for name, (user, password) in there.repository.users.items()
    }
    return there


async def walked(there: World, *typed: str) -> Reply:
    """Begin with the right password, and answer each challenge."""
    reply = await there.engine.begin(attempt())
    for each in typed:
        assert isinstance(reply, Asked), reply
        reply = await there.engine.answer(reply.ticket, attempt(each))
    return reply


@pytest.mark.parametrize("bar", [BARRED, UNKNOWN])
@pytest.mark.parametrize("chain", [APP, MAIL, Chain("long", ("app", "email_otp"))])
@pytest.mark.parametrize("name", ["alice", "alias"])
async def test_a_chain_without_the_password_is_refused_before_anything_is_sent(
    bar: Bar, chain: Chain, name: str
) -> None:
    there = world(chain, bar=bar)
    for _ in range(5):  # no guess, so nobody is locked out
        assert await there.engine.begin(attempt(name=name)) == Rejected(bar.reason, bar.because)
    assert there.reasons("login.rejected") == [f"{bar.reason}: {bar.because}"] * 5
    assert not there.sender.messages
    assert not there.repository.binds
    assert "user.locked" not in there.names()
    assert not there.store.failures()


async def test_it_never_gives_way_to_a_chain_that_asks_for_less() -> None:
    there = world(APP, PASSWORD)
    assert await walked(there) == Rejected(BARRED.reason, BARRED.because)
    assert not there.repository.binds


async def test_the_users_choice_is_among_chains_by_which_the_repository_is_asked() -> None:
    free = world(APP, BOTH, choose=True, bar=None)
    choice = await walked(free)
    assert isinstance(choice, Asked)
    assert choice.prompt == "Choose: 1 app, 2 both"
    there = world(APP, BOTH, choose=True)
    mailed = await walked(there)
    assert isinstance(mailed, Asked)
    assert (mailed.method, there.repository.binds) == ("email_otp", 1)  # there is nothing to choose any more
    assert isinstance(await there.engine.answer(mailed.ticket, attempt(there.sender.code)), Accepted)
    assert await walked(world(APP, MAIL, choose=True)) == Rejected(BARRED.reason, BARRED.because)


async def test_a_password_later_in_the_chain_decides() -> None:
    there = world(Chain("late", ("app", "password")))
    assert isinstance(await walked(there, CODE, "right"), Accepted)  # the repository said yes
    assert there.repository.binds == 1
    assert isinstance(await walked(there, CODE, "wrong"), Rejected)


async def test_where_the_repository_is_asked_its_verdict_counts() -> None:
    assert isinstance(await walked(world(PASSWORD, bar=UNKNOWN)), Accepted)
    there = world(PASSWORD)
    there.repository.users = {"alice": (there.repository.users["alice"][0], b"another")}
    assert await walked(there) == Rejected(Reason.WRONG_PASSWORD)


async def test_whoever_is_barred_and_accepted_was_asked_for_the_password() -> None:
    """Over all chains of up to three methods, alone and before another one, chosen or not."""
    accepted = 0
    methods = ("password", "app", "email_otp")
    chains = [Chain("-".join(names), names) for length in (1, 2, 3) for names in product(methods, repeat=length)]
    for chain, other, choose in product(chains, (APP, PASSWORD), (False, True)):
        there = world(chain, other, choose=choose)
        reply = await there.engine.begin(attempt())
        for _ in range(6):
            if not isinstance(reply, Asked):
                break
            typed = there.sender.code if reply.method == "email_otp" else CODE if reply.method == "app" else "right"
            reply = await there.engine.answer(reply.ticket, attempt(typed if reply.method else "1"))
        if isinstance(reply, Accepted):
            accepted += 1
            assert "password" in reply.login.chain.methods
            assert there.repository.binds
        elif not choose:
            assert "password" not in chain.methods, chain
    assert accepted > len(chains)


@pytest.mark.parametrize(
    ("chains", "bar", "ends"),
    [
        ((PASSWORD, BOTH), None, False),
        ((APP,), None, False),
        ((PASSWORD, BOTH), BARRED, True),
        ((APP,), BARRED, True),
        ((PASSWORD, BOTH), UNKNOWN, False),  # the repository has told, when the session began
        ((PASSWORD, APP), UNKNOWN, True),
    ],
)
def test_a_session_ends_when_its_user_is_barred(chains: tuple[Chain, ...], bar: Bar | None, *, ends: bool) -> None:
    there = world(*chains, bar=bar)
    user = there.repository.users["alice"][0]
    assert there.engine.identify.shuts_out("vpn", user) == (bar if ends else None)
