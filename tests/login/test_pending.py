"""What waits in the store is ours, its ticket's, and ends when it said; all else is no login."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from aad.core.conversation import Accepted, Rejected
from aad.core.outcome import Reason
from aad.core.secret import Secret
from aad.core.settings import Rate
from aad.login.engine import Asked
from aad.login.pending import PURPOSE
from aad.login.signer import Signer
from aad.methods.email_otp import EmailOtpSettings
from tests.parts.fakes import KEY, World, attempt

UNKNOWN = Rejected(Reason.STATE_UNKNOWN)


async def asked(world: World, **given: Any) -> Asked:
    reply = await world.engine.begin(attempt(**given))
    assert isinstance(reply, Asked), reply
    return reply


def content(world: World, ticket: bytes) -> dict[str, Any]:
    """Return what is kept under a ticket."""
    signer = Signer(KEY, lambda: world.store.time, lambda *_: None)
    kept: dict[str, Any] = json.loads(signer.verified(PURPOSE, ticket, world.store.logins[ticket].login) or b"")
    return kept


def keep(world: World, ticket: bytes, kept: Any, key: Secret = KEY) -> None:
    """Keep something else under it, signed with a key."""
    before = world.store.logins[ticket]
    signer = Signer(key, world.store.now, lambda *_: None)
    octets = signer.sign(PURPOSE, ticket, json.dumps(kept).encode(), before.expires)
    world.store.logins[ticket] = replace(before, login=octets)


@pytest.mark.parametrize(
    ("late", "reason"), [(120.0, Reason.EXPIRED), (179.0, Reason.EXPIRED), (180.0, Reason.STATE_UNKNOWN), (1e6, None)]
)
async def test_an_answer_is_too_late_for_a_minute_and_then_to_nothing(late: float, reason: Reason | None) -> None:
    world = World()
    first = await asked(world)
    world.store.time += late
    reply = await world.engine.answer(first.ticket, attempt(world.sender.code))
    assert reply == Rejected(reason or Reason.STATE_UNKNOWN), "whatever the store says of its end"


async def test_a_login_of_before_the_clock_began_anew_is_none() -> None:
    world = World()
    first = await asked(world)
    world.store.time -= 500
    assert await world.engine.answer(first.ticket, attempt(world.sender.code)) == UNKNOWN


async def test_a_login_is_its_ticket_s_and_the_key_s() -> None:
    world = World()
    first = await asked(world)
    kept, row = content(world, first.ticket), world.store.logins[first.ticket]
    for ticket, octets in ((b"another", row.login), (first.ticket, row.login[:-1]), (first.ticket, row.login[49:])):
        world.store.logins[ticket] = replace(row, ticket=ticket, login=octets)
        assert await world.engine.answer(ticket, attempt(world.sender.code)) == UNKNOWN
    world.store.logins[first.ticket] = row
    keep(world, first.ticket, kept, Secret(b"o" * 32))
    assert await world.engine.answer(first.ticket, attempt(world.sender.code)) == UNKNOWN
    world.store.logins[first.ticket] = row
    assert isinstance(await world.engine.answer(first.ticket, attempt(world.sender.code)), Accepted)
    assert world.names().count("store.foreign") == 2, "one for what is unsigned, one for another key"


async def test_a_login_that_another_installation_keeps_neither_serves_nor_is_answered() -> None:
    world = World(per_user=Rate(None, 0), settings=EmailOtpSettings(senders=("mail",)))
    first = await asked(world)
    assert (await asked(world)).ticket == first.ticket
    keep(world, first.ticket, content(world, first.ticket), Secret(b"o" * 32))
    second = await asked(world)
    assert second.ticket != first.ticket
    keep(world, second.ticket, content(world, second.ticket), Secret(b"o" * 32))
    both = replace(attempt(), appended_code=attempt(world.sender.code).answer)
    assert not isinstance(await world.engine.begin(both), Accepted), "the code to a challenge that isn't ours"


@pytest.mark.parametrize("gone", ["login", "user", "chain", "position", "challenge"])
async def test_a_login_that_another_version_kept_is_none(gone: str) -> None:
    world = World()
    first = await asked(world)
    kept, row = content(world, first.ticket), world.store.logins[first.ticket]
    others: list[Any] = [{key: value for key, value in kept.items() if key != gone}, kept | {gone: None}, [], None, 7]
    others += [kept | {"position": 9}, kept | {"user": kept["user"] | {"attributes": []}}]
    for other in others:
        world.store.logins[first.ticket] = row
        keep(world, first.ticket, other)
        assert await world.engine.answer(first.ticket, attempt(world.sender.code)) == UNKNOWN


@pytest.mark.parametrize("row", ["", "codes\0corp\0bob", "passwords\0corp\0alice"])
async def test_a_guess_counts_in_the_row_of_the_signed_login_whatever_the_store_names(row: str) -> None:
    world = World()
    first = await asked(world)
    world.store.logins[first.ticket] = replace(world.store.logins[first.ticket], row=row)
    await world.engine.answer(first.ticket, attempt("000"))
    assert world.store.failures() == {("codes", "alice"): 1}
