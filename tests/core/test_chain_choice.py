"""Which chain: only what goes on differently is asked, and nothing that was asked before is let off."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from aad.core import chain_choice
from aad.core.answer import Plain
from aad.core.chain_choice import Choice
from aad.core.conversation import Rejected, Running, Waiting
from aad.core.outcome import Challenge, Failure, Reason
from aad.core.policy import Chain
from aad.core.secret import Secret
from tests.parts.values import login

MAIL, APP, SAME, SHORT, OTHER = (
    Chain("by mail", ("password", "email_otp"), short_name="mail"),
    Chain("by app", ("password", "totp"), short_name="App"),
    Chain("mail too", ("password", "email_otp", "sms")),
    Chain("short", ("password",)),
    Chain("other", ("smartcard", "totp")),
)


def running(*chains: Chain, position: int = 1) -> Running:
    return Running(login=replace(login(*chains[0].methods), chain=chains[0], others=chains[1:]), position=position)


@pytest.mark.parametrize(
    ("chains", "position", "fork"),
    [
        ((MAIL, APP), 1, (MAIL, APP)),
        ((MAIL, APP), 0, ()),
        ((MAIL, SAME), 1, ()),
        ((MAIL, SHORT), 1, ()),
        ((MAIL, OTHER), 1, ()),
        ((MAIL, OTHER), 0, (MAIL, OTHER)),
        ((MAIL, APP, SAME, OTHER), 1, (MAIL, APP, SAME)),
        ((MAIL,), 1, ()),
    ],
)
def test_a_fork_is_where_chains_part(chains: tuple[Chain, ...], position: int, fork: tuple[Chain, ...]) -> None:
    assert running(*chains, position=position).choices == fork


def test_nobody_goes_along_a_chain_that_asked_for_something_else() -> None:
    with pytest.raises(ValueError, match="asks for something else"):
        running(MAIL, APP, OTHER).choose(OTHER)


def given(typed: str, memo: Choice | None = None, now: float = 0.0) -> Running | Challenge[Choice] | Failure:
    at = running(MAIL, APP)
    return chain_choice.answered(at, memo or chain_choice.ask(at, 0.0).memo, Plain(Secret(typed)), now)


@pytest.mark.parametrize("typed", ["2", "App", "app", "APP", " aPP ", "\uff21PP", "\uff12"])
def test_chosen_by_number_or_short_name(typed: str) -> None:
    after = given(typed)
    assert isinstance(after, Running)
    assert (after.login.chain, after.login.others, after.position, after.memo) == (APP, (), 1, None)


def test_a_wrong_choice_is_asked_again_and_then_refused() -> None:
    assert chain_choice.ask(running(MAIL, APP), 5.0).prompt == "Choose: 1 mail, 2 App"
    again = given("7")
    assert isinstance(again, Challenge)
    assert (again.memo.tries, again.because, again.wrong) == (2, Reason.NO_CHOICE, False)
    assert given("7", Choice(120.0, 1)) == Failure(Reason.NO_CHOICE)
    assert given("1", now=120.0) == Failure(Reason.EXPIRED)


@pytest.mark.parametrize("typed", ["", " ", "\u0301", "\u200b"])
def test_nothing_visible_is_no_choice(typed: str) -> None:
    again = given(typed)
    assert isinstance(again, Challenge)
    assert again.because == Reason.NO_CHOICE


def test_a_chain_that_can_not_be_named_is_chosen_by_number_alone() -> None:
    at = running(Chain("\u0301", ("password", "email_otp")), APP)
    memo = chain_choice.ask(at, 0.0).memo
    assert isinstance(chain_choice.answered(at, memo, Plain(Secret("")), 0.0), Challenge)
    assert isinstance(chain_choice.answered(at, memo, Plain(Secret("1")), 0.0), Running)


def test_octets_that_are_no_text_are_no_choice() -> None:
    at = running(MAIL, APP)
    again = chain_choice.answered(at, chain_choice.ask(at, 0.0).memo, Plain(Secret(b"\xff2")), 0.0)
    assert isinstance(again, Challenge)


@dataclass(frozen=True)
class Hashed:
    """An answer that can only be compared, as CHAP's."""

    typed: str
    text: None = None
    empty: bool = False

    def matches(self, expected: Secret) -> bool:
        return expected == Secret(self.typed)


@pytest.mark.parametrize(("typed", "chosen"), [("2", True), ("APP", True), ("app", True), ("aPp", False), ("3", False)])
def test_what_can_not_be_read_is_compared_with_the_usual_spellings(typed: str, chosen: bool) -> None:  # noqa: FBT001
    at = running(MAIL, APP)
    assert isinstance(chain_choice.answered(at, chain_choice.ask(at, 0.0).memo, Hashed(typed), 0.0), Running) == chosen


def test_what_follows_is_a_question_then_the_chain_that_was_answered() -> None:
    asked = chain_choice.after(running(MAIL, APP), 0.0)
    assert isinstance(asked, Waiting)
    at = running(MAIL, APP)
    answered = replace(at, memo=asked.challenge.memo, answer=Plain(Secret("2")))
    assert chain_choice.after(answered, 1.0) == at.choose(APP)
    wrong = replace(answered, answer=Plain(Secret("3")))
    assert isinstance(chain_choice.after(wrong, 1.0), Waiting)
    assert chain_choice.after(wrong, asked.challenge.memo.expires) == Rejected(Reason.EXPIRED)


def test_where_nothing_is_to_be_chosen_a_method_works() -> None:
    assert chain_choice.after(running(MAIL), 0.0) is None
    assert chain_choice.after(replace(running(MAIL, APP), memo="of a method"), 0.0) is None
