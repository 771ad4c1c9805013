"""What is sent, and how long a back end is left alone."""

from __future__ import annotations

from aad.core.message import Draft, Message, Receipt, Template
from aad.core.pause import LONGEST, longer


def test_a_message_that_is_printed_shows_no_code() -> None:
    template, values = Template(subject="Code", text="{otp}"), {"otp": "123456"}
    message = Message(recipient="alice@example.com", masked="a***", template=template, values=values)
    assert "123456" not in f"{message} {Draft(template=template, values=values, life=1.0)} {Receipt()}"


def test_pauses_grow_up_to_a_bound() -> None:
    pauses = [longer(0.0)]
    while pauses[-1] < LONGEST:
        pauses.append(longer(pauses[-1]))
    assert pauses == [0.5, 1.0, 2.0, 3.0]
    assert longer(LONGEST) == LONGEST
