"""The engine over fakes: what a login leads to, what is counted, what is written."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from aad.core.conversation import Accepted, Rejected
from aad.core.outcome import Reason
from aad.core.policy import Chain
from aad.core.settings import Rate
from aad.login.engine import Asked
from aad.login.pending import PURPOSE
from aad.login.signer import Signer
from aad.methods.email_otp import EmailOtpSettings
from aad.ports import AddressRefusedError, AmbiguousUserError, Unavailable
from tests.parts.fakes import KEY, World, attempt

STORY = ["login.started", "password.accepted", "mail.sent", "challenge.sent", "code.accepted", "login.accepted"]


async def asked(world: World, **given: str) -> Asked:
    reply = await world.engine.begin(attempt(**given))
    assert isinstance(reply, Asked), reply
    return reply


async def test_a_whole_login() -> None:
    world = World()
    first = await asked(world)
    assert "a***@e***.com" in first.prompt
    assert first.seconds == 120.0
    assert isinstance(await world.engine.answer(first.ticket, attempt(world.sender.code)), Accepted)
    assert world.names() == STORY
    references = {fields["login"] for _, fields in world.records}
    assert references == {world.sender.messages[0].values["reference"]}
    assert not world.store.logins
    assert not world.store.counted


async def test_the_store_holds_no_code() -> None:
    world = World()
    await asked(world)
    (kept,) = world.store.logins.values()
    assert world.sender.code.encode() not in kept.login


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"name": "nobody"}, Reason.UNKNOWN_USER),
        ({"typed": "wrong"}, Reason.WRONG_PASSWORD),
        ({"typed": ""}, Reason.EMPTY_PASSWORD),
        ({"typed": "\0\0"}, Reason.EMPTY_PASSWORD),
        ({"name": "carol"}, Reason.NO_ADDRESS),
        ({"typed": "\b\n\r\x7fINCORRECT\b\n"}, Reason.NAME_MANGLED),
    ],
)
async def test_refused_at_once(given: dict[str, str], reason: Reason) -> None:
    world = World()
    assert await world.engine.begin(attempt(**given)) == Rejected(reason)
    assert world.reasons("login.rejected") == [reason]
    assert not world.sender.messages
    assert not world.store.logins


async def test_two_users_of_one_name() -> None:
    world = World()
    world.repository.trouble = AmbiguousUserError()
    assert await world.engine.begin(attempt()) == Rejected(Reason.AMBIGUOUS_USER)


async def test_an_empty_password_is_never_tried() -> None:
    world = World()
    await world.engine.begin(attempt(""))
    assert world.repository.binds == 0
    assert not world.store.failures()


async def test_nobody_said_how() -> None:
    world = World(chains=(Chain("admins", ("password",), frozenset({"cn=admins"})),))
    assert await world.engine.begin(attempt()) == Rejected(Reason.NO_CHAIN, "admins only for members of cn=admins")


async def test_a_wrong_code_is_asked_again_while_attempts_last() -> None:
    world = World()
    ticket = (await asked(world)).ticket
    for _ in range(2):
        again = await world.engine.answer(ticket, attempt("000"))
        assert isinstance(again, Asked)
        assert again.ticket != ticket
        assert again.prompt.startswith("Wrong code")
        ticket = again.ticket
    assert await world.engine.answer(ticket, attempt("000")) == Rejected(Reason.WRONG_CODE)
    assert len(world.sender.messages) == 1
    assert world.store.failures() == {("codes", "alice"): 3}
    assert world.names().count("user.locked") == 1


async def test_the_right_code_after_a_wrong_one_clears_the_count() -> None:
    world = World()
    again = await world.engine.answer((await asked(world)).ticket, attempt("000"))
    assert isinstance(again, Asked)
    assert world.store.failures() == {("codes", "alice"): 1}
    assert isinstance(await world.engine.answer(again.ticket, attempt(world.sender.code)), Accepted)
    assert not world.store.failures()


async def test_an_answer_counts_once() -> None:
    world = World()
    ticket = (await asked(world)).ticket
    replies = await asyncio.gather(*(world.engine.answer(ticket, attempt(world.sender.code)) for _ in range(50)))
    assert sum(isinstance(reply, Accepted) for reply in replies) == 1
    assert replies.count(Rejected(Reason.STATE_UNKNOWN)) == 49


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"name": "bob"}, Reason.OTHER_USER),
        ({"client": "other"}, Reason.OTHER_ENDPOINT),
        ({"event": "ssh"}, Reason.OTHER_ENDPOINT),
    ],
)
async def test_a_code_belongs_to_user_client_and_event(given: dict[str, str], reason: Reason) -> None:
    world = World()
    ticket = (await asked(world)).ticket
    assert await world.engine.answer(ticket, attempt(world.sender.code, **given)) == Rejected(reason)
    assert not world.store.failures()
    assert isinstance(await world.engine.answer(ticket, attempt(world.sender.code)), Accepted), "it is still alice's"


@pytest.mark.parametrize("typed", ["12345", "1234567", "12345 ", "-23456", "0x1234"])
async def test_a_code_is_its_ascii_digits(typed: str) -> None:
    world = World()
    assert isinstance(await world.engine.answer((await asked(world)).ticket, attempt(typed)), Asked)
    assert "code.refused" in world.names()


async def test_full_width_digits_are_no_digits() -> None:
    world = World()
    ticket = (await asked(world)).ticket
    wide = "".join(chr(ord(digit) - ord("0") + 0xFF10) for digit in world.sender.code)
    assert isinstance(await world.engine.answer(ticket, attempt(wide)), Asked)


async def test_too_late() -> None:
    world = World()
    ticket = (await asked(world)).ticket
    world.store.time += 120.0
    assert await world.engine.answer(ticket, attempt(world.sender.code)) == Rejected(Reason.EXPIRED)
    assert "code.expired" in world.names()


async def test_an_empty_answer_mails_again_but_not_too_soon() -> None:
    world = World()
    first = await asked(world)
    soon = await world.engine.answer(first.ticket, attempt(""))
    assert isinstance(soon, Asked)
    assert len(world.sender.messages) == 1
    world.store.time += 30.0
    later = await world.engine.answer(soon.ticket, attempt(""))
    assert isinstance(later, Asked)
    codes = [message.values["otp"] for message in world.sender.messages]
    assert len(codes) == 2
    assert codes[0] == codes[1]
    assert later.seconds == 90.0  # sending again doesn't lengthen its life
    assert world.sender.messages[1].values["number"] == "2"
    assert isinstance(await world.engine.answer(later.ticket, attempt(codes[0])), Accepted)


async def test_begun_again_the_login_gets_the_same_challenge() -> None:
    world = World()
    first = await asked(world)
    assert await asked(world) == first
    assert len(world.sender.messages) == 1
    assert isinstance(await world.engine.answer(first.ticket, attempt(world.sender.code)), Accepted)
    assert await asked(world) != first


async def test_begun_again_much_later_it_is_a_new_login() -> None:
    world = World()
    first = await asked(world)
    world.store.time += 30.0
    second = await asked(world)
    assert second.ticket != first.ticket
    assert world.sender.messages[0].values["reference"] != world.sender.messages[1].values["reference"]
    assert isinstance(
        await world.engine.answer(first.ticket, attempt(world.sender.messages[0].values["otp"])), Accepted
    )


async def test_begun_again_with_a_wrong_password_is_refused() -> None:
    world = World()
    await asked(world)
    assert await world.engine.begin(attempt("wrong")) == Rejected(Reason.WRONG_PASSWORD)


async def test_begun_again_after_a_wrong_code_gives_no_new_tries() -> None:
    world = World(settings=EmailOtpSettings(senders=("mail",), attempts=2))
    await world.engine.answer((await asked(world)).ticket, attempt("000"))
    assert await world.engine.answer((await asked(world)).ticket, attempt("000")) == Rejected(Reason.WRONG_CODE)
    assert len(world.sender.messages) == 1


async def test_begun_twice_while_the_directory_is_slow_is_one_login() -> None:
    world = World()
    gate = asyncio.Event()
    world.repository.gate = gate.wait
    tasks = [asyncio.create_task(world.engine.begin(attempt())) for _ in range(5)]
    await asyncio.sleep(0)
    gate.set()
    replies = await asyncio.gather(*tasks)
    assert all(reply == replies[0] for reply in replies)
    assert world.repository.binds == 1
    assert len(world.sender.messages) == 1


async def test_locked_after_so_many_failures() -> None:
    world = World()
    for number in range(3):
        assert await world.engine.begin(attempt(f"wrong {number}")) == Rejected(Reason.WRONG_PASSWORD)
    assert world.names().count("user.locked") == 1
    assert await world.engine.begin(attempt()) == Rejected(Reason.LOCKED)
    assert world.repository.binds == 3
    world.store.time += 300.0
    await asked(world)


async def test_a_thousand_guesses_at_once_are_three_binds() -> None:
    world = World()
    await asyncio.gather(*(world.engine.begin(attempt(f"wrong {number}")) for number in range(1000)))
    assert world.repository.binds == 3


async def test_another_spelling_or_name_is_the_same_count() -> None:
    world = World()
    for name in ("alice", "alias"):
        await world.engine.begin(attempt(f"wrong, by {name}", name=name))
    assert world.store.failures() == {("passwords", "alice"): 2}


async def test_an_alias_gets_in() -> None:
    world = World()
    first = await asked(world, name="alias")
    assert isinstance(await world.engine.answer(first.ticket, attempt(world.sender.code, name="alias")), Accepted)
    assert not world.store.failures()


async def test_who_knows_no_password_ends_no_login_that_waits() -> None:
    world = World()
    first = await asked(world)
    for number in range(3):
        await world.engine.begin(attempt(f"wrong {number}"))
    assert await world.engine.begin(attempt()) == Rejected(Reason.LOCKED)
    assert isinstance(await world.engine.answer(first.ticket, attempt(world.sender.code)), Accepted)


async def test_out_of_order_is_no_failure() -> None:
    world = World()
    world.repository.trouble = Unavailable("dc1: connection refused", where="repository corp")
    for _ in range(5):
        with pytest.raises(Unavailable):
            await world.engine.begin(attempt())
    world.repository.trouble = None
    await asked(world)
    assert world.names().count("repository.down") == 1
    assert world.names().count("repository.up") == 1
    assert world.names().count("login.unavailable") == 5


async def test_no_mail_no_challenge() -> None:
    world = World()
    world.sender.trouble = Unavailable("connection refused", where="sender mail")
    with pytest.raises(Unavailable):
        await world.engine.begin(attempt())
    assert not world.store.logins
    assert {"mail.failed", "sender.down"} <= set(world.names())


async def test_an_address_the_mail_server_refuses() -> None:
    world = World()
    world.sender.trouble = AddressRefusedError("550 no such user")
    assert await world.engine.begin(attempt()) == Rejected(Reason.ADDRESS_REFUSED)


async def test_no_more_mails_than_allowed() -> None:
    world = World(per_user=Rate(2, 600.0))
    for _ in range(2):
        await asked(world)
        world.store.time += 31.0
    assert await world.engine.begin(attempt()) == Rejected(Reason.MAIL_LIMIT)
    assert len(world.sender.messages) == 2
    assert await asked(world, name="bob")  # others go on
    world.store.time += 600.0
    await asked(world)


async def test_a_mail_nobody_took_is_not_counted() -> None:
    world = World(per_user=Rate(1, 600.0))
    world.sender.trouble = Unavailable("connection refused", where="sender mail")
    for _ in range(3):
        with pytest.raises(Unavailable):
            await world.engine.begin(attempt())
    world.sender.trouble = None
    await asked(world)


async def test_when_no_other_mail_may_go_the_code_sent_stays_good() -> None:
    world = World(per_user=Rate(1, 600.0))
    first = await asked(world)
    world.store.time += 31.0
    again = await world.engine.answer(first.ticket, attempt(""))
    assert isinstance(again, Asked)
    assert len(world.sender.messages) == 1
    assert isinstance(await world.engine.answer(again.ticket, attempt(world.sender.code)), Accepted)


async def test_a_full_house_takes_no_new_logins() -> None:
    world = World(most=1)
    first = await asked(world)
    assert await world.engine.begin(attempt(name="bob")) == Rejected(Reason.TOO_MANY_WAITING)
    assert isinstance(await world.engine.answer(first.ticket, attempt(world.sender.code)), Accepted)


async def test_an_answer_that_could_not_be_checked_may_be_given_again() -> None:
    world = World()
    first = await asked(world)
    world.store.time += 30.0
    world.sender.trouble = Unavailable("connection refused", where="sender mail")
    with pytest.raises(Unavailable):
        await world.engine.answer(first.ticket, attempt(""))
    assert isinstance(await world.engine.answer(first.ticket, attempt(world.sender.code)), Accepted)


async def test_a_password_asked_for_as_a_later_method() -> None:
    world = World(chains=(Chain("code first", ("email_otp", "password")),))
    first = await asked(world, typed="")
    second = await world.engine.answer(first.ticket, attempt(world.sender.code))
    assert isinstance(second, Asked)
    assert second.prompt == "Password: "
    assert isinstance(await world.engine.answer(second.ticket, attempt("right")), Accepted)


async def test_a_challenge_keeps_what_its_prompt_is_made_of_for_a_client_with_words_of_its_own() -> None:
    world = World()
    first, again = await asked(world), await asked(world)
    reference = world.sender.messages[0].values["reference"]
    assert first.values == {"recipient": "a***@e***.com", "reference": reference, "user": "alice", "minutes": "2"}
    assert again == replace(first, seconds=again.seconds)
    assert len(world.sender.messages) == 1


async def test_a_login_kept_by_a_version_that_knew_no_values_goes_on() -> None:
    world = World()
    first = await asked(world)
    before = world.store.logins[first.ticket]
    signer = Signer(KEY, world.store.now, lambda *_: None)
    kept = json.loads(signer.verified(PURPOSE, first.ticket, before.login) or b"")
    del kept["challenge"]["values"]
    signed = signer.sign(PURPOSE, first.ticket, json.dumps(kept).encode(), before.expires)
    world.store.logins[first.ticket] = replace(before, login=signed)
    again = await asked(world)
    assert (again.prompt, again.values) == (first.prompt, {})
    assert isinstance(await world.engine.answer(first.ticket, attempt(world.sender.code)), Accepted)


async def test_an_answer_under_another_name_after_a_reload_without_the_repository_ends_nothing() -> None:
    there = World()
    asked = await there.engine.begin(attempt())
    assert isinstance(asked, Asked)
    there.engine.identify.repositories = {}
    assert await there.engine.answer(asked.ticket, attempt("000", "bob")) == Rejected(Reason.OTHER_USER)
    assert isinstance(await there.engine.answer(asked.ticket, attempt(there.sender.code)), Accepted)
