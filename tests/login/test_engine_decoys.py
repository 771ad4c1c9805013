"""An event with decoys: whoever is refused is asked for a code as anybody else, and no code is right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from aad.core.answer import Plain
from aad.core.conversation import Accepted, Rejected
from aad.core.outcome import Reason
from aad.core.policy import Chain, Event
from aad.core.row import Rules
from aad.core.secret import Secret
from aad.core.settings import Duration, Rate
from aad.login.engine import Asked
from aad.methods.email_otp import EmailOtpSettings
from aad.ports import AddressRefusedError, Unavailable
from tests.parts.fakes import World, attempt

BOTH = Chain("both", ("password", "email_otp"))
APP = Chain("app", ("password", "app"))
PROMPT = EmailOtpSettings(senders=("mail",), prompt="Enter your code (ref {reference})")


def world(*chains: Chain, **given: Any) -> World:
    event = Event("vpn", ("corp",), chains or (BOTH,), decoy=True)
    return World(event=event, **({"settings": PROMPT} | given))


async def asked(there: World, typed: str = "right", name: str = "alice", **given: str) -> Asked:
    reply = await there.engine.begin(attempt(typed, name, **given))
    assert isinstance(reply, Asked), reply
    return reply


def looks(there: World, reply: Asked) -> tuple[object, ...]:
    """Return what the user sees: all but the ticket and the reference, which are random."""
    values = {name: value for name, value in reply.values.items() if name != "reference"}
    prompt = reply.prompt.replace(reply.values.get("reference", "REF"), "REF")
    return prompt, round(reply.seconds), values, reply.method, reply.late, len(reply.ticket)


async def no_chain(there: World) -> None:
    there.engine.identify.events["vpn"] = Event(  # type: ignore[index]
        "vpn", ("corp",), (Chain("both", ("password", "email_otp"), frozenset({"admins"})),), decoy=True
    )


async def locked(there: World) -> None:
    for number in range(3):
        await there.engine.begin(attempt(f"wrong {number}"))


async def codes_locked(there: World) -> None:
    first = await asked(there)
    for _ in range(3):
        reply = await there.engine.answer(first.ticket, attempt("000"))
        first = reply if isinstance(reply, Asked) else first
    there.store.time += 31


async def mail_down(there: World) -> None:
    there.sender.trouble = Unavailable("connection refused", where="sender mail")


async def address_refused(there: World) -> None:
    there.sender.trouble = AddressRefusedError("550")


@pytest.mark.parametrize(
    "prepare",
    [None, no_chain, locked, codes_locked, mail_down, address_refused],
    ids=lambda each: each and each.__name__,
)
@pytest.mark.parametrize("given", [{}, {"name": "carol"}, {"name": "nobody"}, {"typed": "wrong"}, {"typed": ""}])
async def test_all_are_asked_alike(prepare: Callable[[World], Any] | None, given: dict[str, str]) -> None:
    right = await asked(world())
    there = world()
    if prepare:
        await prepare(there)
    mails = len(there.sender.messages)
    reply = await asked(there, **given)
    assert looks(there, reply) == looks(there, right)
    assert reply.late
    real = prepare is None and not given
    assert len(there.sender.messages) == mails + real
    assert ("decoy.sent" in there.names()) != real or prepare is not None


@pytest.mark.parametrize("name", ["alice", "carol", "nobody"])
async def test_a_decoy_takes_as_many_wrong_answers_and_no_right_one(name: str) -> None:
    there = world()
    real, decoy = await asked(there), await asked(there, "wrong", name)
    code = there.sender.code
    for _ in range(2):
        again = [await there.engine.answer(real.ticket, attempt("000"))]
        again.append(await there.engine.answer(decoy.ticket, attempt(code, name)))
        real, decoy = (each for each in again if isinstance(each, Asked))
        assert looks(there, decoy) == looks(there, real)
    assert await there.engine.answer(decoy.ticket, attempt(code, name)) == Rejected(Reason.WRONG_CODE)
    assert await there.engine.answer(real.ticket, attempt("000")) == Rejected(Reason.WRONG_CODE)


async def test_the_right_code_after_the_right_password_is_let_in() -> None:
    there = world()
    real = await asked(there)
    assert isinstance(await there.engine.answer(real.ticket, attempt(there.sender.code)), Accepted)


async def test_the_same_attempt_again_is_the_same_challenge_as_with_the_right_password() -> None:
    there = world()
    real, decoy, other = await asked(there), await asked(there, "wrong"), await asked(there, "wrong too")
    assert len({real.ticket, decoy.ticket, other.ticket}) == 3
    assert (await asked(there)).ticket == real.ticket
    assert (await asked(there, "wrong too")).ticket == other.ticket
    there.store.time += 31
    assert (await asked(there, "wrong")).ticket != decoy.ticket


async def test_two_names_of_one_user_are_as_two_names_of_nobody() -> None:
    there = world()
    for typed, one, two in (("right", "alice", "alias"), ("wrong", "alice", "alias"), ("wrong", "nobody", "nobody2")):
        assert (await asked(there, typed, one)).ticket != (await asked(there, typed, two)).ticket


@pytest.mark.parametrize("name", ["bob", "alias", "nobody"])
async def test_an_answer_under_another_name_is_one_to_nobody(name: str) -> None:
    there = world()
    for typed in ("right", "wrong"):
        before = await asked(there, typed)
        assert await there.engine.answer(before.ticket, attempt("000", name)) == Rejected(Reason.OTHER_USER)
        assert isinstance(await there.engine.answer(before.ticket, attempt("000", "ALICE")), Asked)


@pytest.mark.parametrize("typed", ["right", "wrong"])
async def test_the_same_attempt_after_a_lock_is_the_same_challenge(typed: str) -> None:
    there = world()
    first = await asked(there, typed, client="A")
    for number in range(3):
        await asked(there, f"junk {number}")
    assert (await asked(there, typed, client="A")).ticket == first.ticket
    other = await asked(there, client="B")
    for _ in range(3):
        await there.engine.answer(other.ticket, attempt("000", client="B"))
    assert (await asked(there, typed, client="A")).ticket == first.ticket


async def test_what_began_while_the_user_was_locked_stays_for_as_long_as_a_challenge_is_served() -> None:
    there = world()
    await locked(there)
    decoy = await asked(there)
    await there.engine.lockout.unlock(["corp"], "alice")
    assert (await asked(there)).ticket == decoy.ticket
    there.store.time += 31
    assert (await asked(there)).ticket != decoy.ticket
    assert len(there.sender.messages) == 1


@pytest.mark.parametrize(
    ("chain", "typed", "name"),
    [
        (BOTH, "wrong", "alice"),
        (BOTH, "right", "nobody"),
        (BOTH, "right", "carol"),
        (APP, "wrong", "alice"),
        (APP, "right", "nobody"),
    ],
)
async def test_a_code_behind_the_password_is_cut_off_alike(chain: Chain, typed: str, name: str) -> None:
    there = world(chain)
    found = list[object]()
    for password, who in (("right", "alice"), (typed, name)):
        await asked(there, password, who)
        parts = Plain(Secret(password)), Plain(Secret("000000"))
        reply = await there.engine.begin(replace(attempt(f"{password}000000", who), maybe_split=parts))
        assert isinstance(reply, Asked)
        found.append(looks(there, reply))
        for _ in range(2):
            reply = await there.engine.answer(reply.ticket, attempt("111111", who))
            found.append(looks(there, reply) if isinstance(reply, Asked) else reply)
            if not isinstance(reply, Asked):
                break
    assert found[: len(found) // 2] == found[len(found) // 2 :]


@pytest.mark.parametrize("trouble", [Unavailable("refused", where="sender mail"), AddressRefusedError("550")])
async def test_an_empty_answer_tells_no_decoy_while_no_mail_goes(trouble: Exception) -> None:
    there = world()
    real, decoy = await asked(there), await asked(there, "wrong")
    there.store.time += 31
    there.sender.trouble = trouble
    replies = [await there.engine.answer(each.ticket, attempt("")) for each in (real, decoy)]
    assert [type(each) for each in replies] == [Asked, Asked]
    assert looks(there, replies[0]) == looks(there, replies[1])  # type: ignore[arg-type]
    there.sender.trouble = None
    assert [(await asked(there, typed)).ticket for typed in ("right", "wrong")] == [
        each.ticket for each in replies if isinstance(each, Asked)
    ]


async def test_an_empty_answer_tells_no_decoy_while_there_were_too_many_mails() -> None:
    there = world(per_user=Rate(1, 3600.0))
    real, decoy = await asked(there), await asked(there, "wrong")
    there.store.time += 31
    replies = [await there.engine.answer(each.ticket, attempt("")) for each in (real, decoy)]
    assert looks(there, replies[0]) == looks(there, replies[1])  # type: ignore[arg-type]
    assert [(await asked(there, typed)).ticket for typed in ("right", "wrong")] == [
        each.ticket for each in replies if isinstance(each, Asked)
    ]


async def test_decoys_that_last_long_leave_places_to_others() -> None:
    there = world(most=50, settings=replace(PROMPT, period=Duration(1800.0)), decoys_last=1800.0)
    for window in range(14):
        for number in range(8):
            await there.engine.begin(attempt("x", f"nobody {window} {number}"))
        there.store.time += 121
    assert len(there.store.logins) <= 2 * 5
    await asked(there)


async def test_decoys_of_many_clients_leave_places_to_others() -> None:
    there = world(most=50)
    for client in range(20):
        for number in range(8):
            await there.engine.begin(attempt("x", f"nobody {client} {number}", client=f"gw{client}"))
    assert len(there.store.logins) <= 12
    await asked(there)


async def test_a_locked_row_takes_the_answer_to_a_real_challenge_for_a_wrong_one() -> None:
    there = world(rules=Rules(attempts=1))
    real = await asked(there)
    code = there.sender.code
    await there.engine.lockout.count("codes\0corp\0alice", attempt("000").answer)
    for left in (1, 0):
        reply = await there.engine.answer(real.ticket, attempt(code))
        assert isinstance(reply, Asked), left
        assert reply.prompt.startswith("Wrong code")
        real = reply
    assert await there.engine.answer(real.ticket, attempt(code)) == Rejected(Reason.WRONG_CODE)


async def test_an_empty_answer_to_a_decoy_mails_nobody() -> None:
    there = world()
    real, decoy = await asked(there), await asked(there, "wrong")
    there.store.time += 31
    mails = len(there.sender.messages)
    again = await there.engine.answer(decoy.ticket, attempt(""))
    assert len(there.sender.messages) == mails
    other = await there.engine.answer(real.ticket, attempt(""))
    assert isinstance(again, Asked)
    assert isinstance(other, Asked)
    assert looks(there, again) == looks(there, other)
    there.store.time += 120
    assert await there.engine.answer(again.ticket, attempt("000")) == Rejected(Reason.EXPIRED)


async def test_a_chain_that_begins_with_a_code_is_alike_whatever_is_typed_and_whoever_it_is() -> None:
    there = world(Chain("first", ("email_otp", "password")))
    real = await asked(there, "")
    for name in ("alice", "nobody", "carol"):
        first = await asked(there, "one", name)
        assert looks(there, first) == looks(there, real)
        assert (await asked(there, "two", name)).ticket == first.ticket
    assert len(there.sender.messages) == 1


async def test_an_app_that_is_not_set_up_is_asked_for_alike() -> None:
    there = world(Chain("app", ("password", "app")))
    real, decoy = await asked(there), await asked(there, "wrong")
    assert real.prompt == decoy.prompt
    assert await there.engine.answer(decoy.ticket, attempt("424242")) == Rejected(Reason.DECOY), "a plugin knows none"
    assert isinstance(await there.engine.answer(real.ticket, attempt("424242")), Accepted)


async def test_the_decoys_of_a_client_fill_a_tenth_of_the_places() -> None:
    there = world(most=50, per_user=Rate(None, 0.0))
    for number in range(30):
        reply = await asked(there, name=f"nobody {number}")
        assert looks(there, reply)[0] == "Enter your code (ref REF)"
    assert len(there.store.logins) == 5
    assert await there.engine.answer(reply.ticket, attempt("000", "nobody 29")) == Rejected(Reason.STATE_UNKNOWN)
    await asked(there)
    assert len(there.store.logins) == 6


async def test_the_log_tells_the_truth() -> None:
    there = world()
    await asked(there, "wrong")
    assert there.names()[-2:] == ["login.rejected", "decoy.sent"]
    assert there.reasons("login.rejected") == [Reason.WRONG_PASSWORD]
