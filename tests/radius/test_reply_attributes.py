"""What an Access-Accept says; and whoever can't be told of isn't let in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from aad.core.conversation import Accepted, Login, Rejected
from aad.core.grants import Granted, Table, value
from aad.core.identity import User
from aad.core.outcome import Reason
from aad.core.policy import Chain
from aad.radius.protocol.attribute_dictionary import shipped
from aad.radius.reply_attributes import ReplyAttributes
from tests.parts.fakes import World, attempt

ALICE = User(name="alice", repository="corp", handle="alice", attributes={"ip": ("192.0.2.7",), "bad": ("nowhere",)})
LOGIN = Login(
    reference="R", nonce=b"", name="alice", user=ALICE, event="vpn", client="gw", chain=Chain("c", ("password",))
)


def granting(required: bool = False, **attributes: str | list[str]) -> ReplyAttributes:  # noqa: FBT001, FBT002
    items = tuple(
        (name.replace("_", "-"), tuple(map(value, [text] if isinstance(text, str) else text)))
        for name, text in attributes.items()
    )
    return ReplyAttributes([Table(name="one", attributes=items, required=required)], shipped())


def test_attributes_are_encoded_in_order() -> None:
    said = granting(Filter_Id="{user}", Cisco_AVPair=["a=b", "c=d"], Framed_IP_Address="{attribute:ip}")(LOGIN)
    assert isinstance(said, Granted)
    assert [kind for kind, _ in said.attributes] == [11, 26, 26, 8]
    assert said.attributes[0] == (11, b"alice")
    assert said.attributes[3] == (8, b"\xc0\0\x02\x07")


@pytest.mark.parametrize(
    ("attributes", "why"),
    [
        ({"Framed_IP_Address": "{attribute:bad}"}, 'Framed-IP-Address of one: "nowhere" should be an IPv4 address'),
        ({"Class": "{attribute:gone}", "required": True}, "the user has nothing for {attribute:gone}"),
        ({"Cisco_AVPair": ["{user}" + "a" * 240] * 11}, "2783 octets of attributes"),
    ],
)
def test_who_can_not_be_told_of_is_refused(attributes: dict[str, Any], why: str) -> None:
    said = granting(**attributes)(LOGIN)
    assert isinstance(said, Rejected)
    assert said.reason == Reason.NOT_GRANTED
    assert why in said.because


def test_what_is_left_out_is_a_fact() -> None:
    said = granting(Class="{attribute:gone}")(LOGIN)
    assert isinstance(said, Granted)
    assert not said.attributes
    assert [fact.name for fact in said.facts] == ["reply.omitted"]


async def test_the_engine_lets_nobody_in_whom_it_can_not_tell_of() -> None:
    world = World(chains=(Chain("only", ("password",)),))
    world.engine.grant = granting(Class="{attribute:gone}", required=True)
    assert isinstance(await world.engine.begin(attempt()), Rejected)
    assert "login.accepted" not in world.names()
    assert not any(tally.count for tally in world.store.counted.values())  # it was no guess
    world.engine.grant = granting(Class="x")
    assert isinstance(reply := await world.engine.begin(attempt()), Accepted)
    assert reply.granted == ((25, b"x"),)
    assert replace(reply, granted=()) == Accepted(reply.login)
