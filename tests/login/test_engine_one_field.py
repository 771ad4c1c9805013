"""Password and code in one field: for clients that can't do a challenge."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aad.core.answer import Plain
from aad.core.conversation import Accepted, Rejected
from aad.core.identity import Attempt
from aad.core.outcome import Reason
from aad.core.policy import Chain
from aad.core.secret import Secret
from aad.login.engine import Asked
from aad.ports import Unavailable
from tests.parts.fakes import World, attempt

APP = (Chain("app", ("password", "app")),)


def typed(text: str) -> Plain:
    return Plain(Secret(text))


def both(password: str, code: str) -> Attempt:
    return replace(attempt(password), appended_code=typed(code))


def perhaps(whole: str, length: int = 6) -> Attempt:
    return replace(attempt(whole), maybe_split=(typed(whole[:-length]), typed(whole[-length:])))


async def test_the_first_try_mails_and_the_second_one_brings_the_code() -> None:
    world = World()
    assert isinstance(await world.engine.begin(attempt()), Asked)
    assert isinstance(await world.engine.begin(both("right", world.sender.code)), Accepted)
    assert len(world.sender.messages) == 1
    assert not world.store.logins
    assert not world.store.failures()
    references = [fields["login"] for name, fields in world.records if name in {"login.started", "login.accepted"}]
    assert references[0] == references[2] == world.sender.messages[0].values["reference"]


async def test_the_code_is_good_as_long_as_it_lives_and_once() -> None:
    world = World()
    await world.engine.begin(attempt())
    code = world.sender.code
    world.store.time += 119.0
    assert isinstance(await world.engine.begin(both("right", code)), Accepted)
    assert isinstance(await world.engine.begin(both("right", code)), Asked)  # a new one was mailed
    assert len(world.sender.messages) == 2


async def test_a_wrong_code_counts_and_the_mailed_one_stays_good() -> None:
    world = World()
    await world.engine.begin(attempt())
    code = world.sender.code
    wrong = "000000" if code != "000000" else "111111"
    assert isinstance(await world.engine.begin(both("right", wrong)), Asked)
    assert world.reasons("code.refused") == [Reason.WRONG_CODE]
    assert isinstance(await world.engine.begin(both("right", code)), Accepted)
    assert len(world.sender.messages) == 1


async def test_too_many_wrong_codes_end_the_login_and_are_a_failed_one() -> None:
    world = World()
    await world.engine.begin(attempt())
    wrong = "000000" if world.sender.code != "000000" else "111111"
    for _ in range(2):
        assert isinstance(await world.engine.begin(both("right", wrong)), Asked)
    assert await world.engine.begin(both("right", wrong)) == Rejected(Reason.WRONG_CODE)
    assert world.store.failures() == {("codes", "alice"): 3}
    assert not world.store.logins


async def test_the_right_code_is_nothing_without_the_password() -> None:
    world = World()
    await world.engine.begin(attempt())
    assert await world.engine.begin(both("wrong", world.sender.code)) == Rejected(Reason.WRONG_PASSWORD)
    assert world.store.logins


async def test_a_code_that_nobody_sends_comes_at_once() -> None:
    world = World(chains=APP)
    assert isinstance(await world.engine.begin(both("right", "424242")), Accepted)
    assert await world.engine.begin(both("wrong", "424242")) == Rejected(Reason.WRONG_PASSWORD)
    assert isinstance(await world.engine.begin(both("right", "000000")), Asked)
    assert isinstance(await world.engine.begin(attempt()), Asked)


async def test_the_code_stays_good_where_nobody_could_tell() -> None:
    world = World()
    await world.engine.begin(attempt())
    code = world.sender.code
    method = world.engine.methods["email_otp"]
    verify = method.verify

    async def out_of_order(*_: object) -> None:
        what = "the store is out of order"
        raise Unavailable(what)

    method.verify = out_of_order  # type: ignore[method-assign, assignment]
    with pytest.raises(Unavailable):
        await world.engine.begin(both("right", code))
    method.verify = verify  # type: ignore[method-assign]
    assert isinstance(await world.engine.begin(both("right", code)), Accepted)
    assert len(world.sender.messages) == 1


async def test_by_its_length_a_code_is_read_where_one_is_waited_for() -> None:
    world = World()
    world.repository.users["alice"] = (world.repository.users["alice"][0], b"abc123456")
    assert isinstance(await world.engine.begin(perhaps("abc123456")), Asked)  # the password ends in digits
    assert isinstance(await world.engine.begin(perhaps("abc123456" + world.sender.code)), Accepted)


async def test_by_its_length_a_code_is_read_where_the_next_method_takes_one() -> None:
    world = World(chains=APP)
    assert isinstance(await world.engine.begin(perhaps("right424242")), Accepted)
    assert await world.engine.begin(perhaps("wrong424242")) == Rejected(Reason.WRONG_PASSWORD)
