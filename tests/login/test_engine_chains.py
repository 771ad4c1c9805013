"""Which chain: by the user's choice in a challenge, by its short name; and whose names are one person's."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from aad.core.conversation import Accepted, Rejected
from aad.core.outcome import Reason
from aad.core.policy import Chain, Event
from aad.core.user_address import literal
from aad.login.engine import Asked, Reply
from aad.ports import Method
from tests.parts.fakes import App, World, attempt

MAIL = Chain("by mail", ("password", "email_otp"), short_name="mail")
APP = Chain("by app", ("password", "app"), short_name="app")
PASSWORD_ONLY = Chain("password only", ("password",))
CODE = "424242"


def world(*chains: Chain, choose: bool = True, **more: Any) -> World:
    return World(event=Event("vpn", ("corp",), chains, choose=choose, **more))


async def asked(world: World, typed: str = "right", name: str = "alice") -> Asked:
    reply = await world.engine.begin(attempt(typed, name))
    assert isinstance(reply, Asked), reply
    return reply


async def answered(world: World, before: Asked, typed: str) -> Reply:
    return await world.engine.answer(before.ticket, attempt(typed))


@pytest.mark.parametrize("typed", ["2", "app", "APP", "App"])
async def test_the_user_chooses_after_his_password(typed: str) -> None:
    there = world(MAIL, APP)
    choice = await asked(there)
    assert choice.prompt == "Choose: 1 mail, 2 app"
    assert not there.sender.messages
    app = await answered(there, choice, typed)
    assert isinstance(app, Asked)
    assert app.prompt == "The app's code"
    assert isinstance(await answered(there, app, CODE), Accepted)


@pytest.mark.parametrize("begins", ["app", "another password"])
async def test_who_is_yet_to_choose_how_to_begin_has_no_password_looked_at(begins: str) -> None:
    there = world(MAIL, Chain("another beginning", (begins,), short_name="app"))
    methods: dict[str, Method[Any]] = there.engine.methods  # type: ignore[assignment]
    methods["another password"] = methods["password"]
    for number in range(20):
        assert (await asked(there, f"wrong {number}")).prompt == "Choose: 1 mail, 2 app"
    assert there.repository.binds == 0
    assert not there.store.failures()


async def test_who_is_yet_to_choose_after_the_password_is_locked_out_by_wrong_ones() -> None:
    there = world(MAIL, APP)
    for number in range(8):
        assert isinstance(await there.engine.begin(attempt(f"wrong {number}")), Rejected)
    assert there.repository.binds == 3


async def test_the_other_choice_mails() -> None:
    there = world(MAIL, APP)
    mailed = await answered(there, await asked(there), "mail")
    assert isinstance(mailed, Asked)
    assert isinstance(await answered(there, mailed, there.sender.code), Accepted)


async def test_three_wrong_choices_end_the_login_and_are_no_guess() -> None:
    there = world(MAIL, APP)
    choice = await asked(there)
    for _ in range(2):
        again = await answered(there, choice, "3")
        assert isinstance(again, Asked)
        choice = again
    assert await answered(there, choice, CODE) == Rejected(Reason.NO_CHOICE)
    assert not any(tally.count for tally in there.store.counted.values())


async def test_a_choice_in_time() -> None:
    there = world(MAIL, APP)
    choice = await asked(there)
    there.store.time += 121.0
    assert await answered(there, choice, "1") == Rejected(Reason.EXPIRED)


async def test_a_wrong_password_isn_t_asked_anything() -> None:
    there = world(MAIL, APP)
    assert await there.engine.begin(attempt("wrong")) == Rejected(Reason.WRONG_PASSWORD)


async def test_a_shorter_chain_is_no_choice() -> None:
    there = world(MAIL, PASSWORD_ONLY)
    assert "Choose" not in (await asked(there)).prompt


async def test_where_nobody_may_choose_the_first_is_asked() -> None:
    there = world(MAIL, APP, choose=False)
    assert "Choose" not in (await asked(there)).prompt
    assert len(there.sender.messages) == 1


async def test_the_short_name_behind_the_user_s_chooses() -> None:
    there = world(MAIL, APP, choose=False)
    app = await asked(there, name="alice app")
    assert app.prompt == "The app's code"
    assert isinstance(await there.engine.answer(app.ticket, attempt(CODE, "alice app")), Accepted)
    assert {fields["user"] for name, fields in there.records if name != "login.started"} == {"alice"}


async def test_a_realm_picks_the_repository_and_one_person_is_one_key() -> None:
    there = world(MAIL, realms=(("corp", "corp"),), choose=False)
    for name in ("CORP\\alice", "alice@corp", "ALICE@CORP"):
        if name.lower().startswith("alice"):
            there.repository.users.setdefault(name.split("@")[0], there.repository.users["alice"])
        assert await there.engine.begin(attempt(f"wrong, by {name}", name)) == Rejected(Reason.WRONG_PASSWORD)
    assert await there.engine.begin(attempt("right", "alice")) == Rejected(Reason.LOCKED)


async def test_who_asks_from_elsewhere_at_the_same_moment_is_not_let_in_along() -> None:
    inside = Chain("inside", ("password",), networks=("10.0.0.0/8",))
    there = world(inside, MAIL, choose=False)
    gate = asyncio.Event()
    there.repository.gate = gate.wait
    replies = [
        asyncio.create_task(there.engine.begin(replace(attempt(), user_address=literal(place))))
        for place in ("10.1.2.3", "192.0.2.9")
    ]
    await asyncio.sleep(0)
    gate.set()
    assert [type(reply) for reply in await asyncio.gather(*replies)] == [Accepted, Asked]


async def test_what_was_kept_is_read_again() -> None:
    there = world(MAIL, APP)
    choice = await asked(there)
    ((ticket, kept),) = there.store.logins.items()
    assert there.engine.pending._decoded(ticket, kept.login) is not None
    there.engine.pending._methods = {"password": there.engine.methods["password"]}
    assert await answered(there, choice, "1") == Rejected(Reason.STATE_UNKNOWN)


async def test_a_password_that_is_checked_elsewhere_is_never_tried_on_the_repository() -> None:
    class Elsewhere(App):
        proves: ClassVar[str] = "password"

    there = world(Chain("elsewhere", ("app",)))
    there.engine.methods["app"] = Elsewhere()  # type: ignore[index]  # a dict, here
    await asked(there, "a password of another server")
    assert there.repository.binds == 0
