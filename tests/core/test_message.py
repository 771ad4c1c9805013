"""What is sent, and how long a back end is left alone."""

from __future__ import annotations

from aad.core.backoff import LONGEST, longer
from aad.core.message import Draft, Message, Receipt, Template


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


def test_a_short_message_is_the_subject_if_the_code_is_in_it() -> None:
    values = {"otp": "123456", "user": "alice\n\u202e"}

    def short(subject: str, text: str) -> str:
        template = Template(subject=subject, text=text)
        return Message(recipient="+4917", masked="", template=template, values=values).short

    assert short("{otp} for {user}", "long") == "123456 for alice ?"
    assert short("for {user}", "\n{otp}\n") == "123456"
