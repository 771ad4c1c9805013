"""Whoever is Accepted has passed every method of his chain, in order: over all that can happen."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aad.core.answer import NOTHING, Plain
from aad.core.conversation import TRANSITIONS, Accepted, Rejected, Running, State, Waiting
from aad.core.identity import Attempt, User
from aad.core.outcome import UNCOUNTED, Challenge, Failure, Outcome, Reason, Success, guessed
from aad.core.secret import Secret
from tests.parts.values import ALICE, login

METHODS = ("password", "email_otp", "sms", "smartcard")
ASKED: Challenge[str] = Challenge(prompt="Code: ", memo="memo", expires=120.0, fresh_until=30.0)
ANSWER = Plain(Secret("123456"))
RIGHT = Attempt(event="vpn", client="gateway", name="Alice", answer=ANSWER, deadline=9.0)

# A step of a walk: what a method says; after a challenge, who answers it.
OUTCOMES: dict[str, Outcome[str]] = {
    "success": Success(),
    "failure": Failure(Reason.WRONG_CODE),
    "right user": ASKED,
    "other user": ASKED,
    "other client": ASKED,
    "other event": ASKED,
}
ANSWERS = {
    "right user": RIGHT,
    "other user": replace(RIGHT, name="mallory"),
    "other client": replace(RIGHT, client="printer"),
    "other event": replace(RIGHT, event="wifi"),
}


@dataclass
class Walk:
    """Walks a login and keeps its own account of it, from outside."""

    methods: tuple[str, ...]

    def __post_init__(self) -> None:
        self.passed: list[str] = []
        self.taken: list[tuple[str, str, str]] = []
        self.refused = False
        self.state: State = Running(login=login(*self.methods))

    def go(self, steps: Iterable[str]) -> State:
        for step in steps:
            if not isinstance(self.state, Running):
                break
            method, outcome = self.state.method, OUTCOMES[step]
            last = len(self.passed) + 1 == len(self.methods)
            self._follow(_label(outcome, last=last), self.state.after(outcome))
            if isinstance(outcome, Success):
                self.passed.append(method)
            self.refused |= isinstance(outcome, Failure)
            if isinstance(self.state, Waiting):
                right = step == "right user"
                label = "the user's answer" if right else "another user's answer"
                self._follow(label, self.state.answered(ANSWERS[step]))
                self.refused |= not right
            self.check()
        return self.state

    def _follow(self, label: str, state: State) -> None:
        self.taken.append((type(self.state).__name__, label, type(state).__name__))
        self.state = state

    def check(self) -> None:
        assert isinstance(self.state, Accepted) == (self.passed == list(self.methods) and not self.refused)
        assert isinstance(self.state, Rejected) == self.refused
        if isinstance(self.state, Running):
            assert self.passed == list(self.methods[: self.state.position])


def _label(outcome: Outcome[str], *, last: bool) -> str:
    if isinstance(outcome, Success):
        return "Success, the last method" if last else "Success, more methods"
    return type(outcome).__name__


def all_walks() -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    for length in range(1, 5):
        for steps in itertools.product(OUTCOMES, repeat=5):
            yield METHODS[:length], steps


def test_accepted_means_that_every_method_succeeded_in_order() -> None:
    ends = set()
    for methods, steps in all_walks():
        ends.add(type(Walk(methods).go(steps)))
    assert ends == {Running, Accepted, Rejected}


@given(
    st.lists(st.sampled_from(METHODS), min_size=1, max_size=12).map(tuple),
    st.lists(st.sampled_from(["success"] * 4 + ["right user"] * 4 + list(OUTCOMES)), max_size=60),
)
def test_so_it_does_in_long_chains_of_the_same_methods(methods: tuple[str, ...], steps: list[str]) -> None:
    Walk(methods).go(steps)


def test_the_table_is_what_the_code_does() -> None:
    observed = set()
    for methods, steps in all_walks():
        walk = Walk(methods)
        walk.go(steps)
        observed.update(walk.taken)
    assert observed == set(TRANSITIONS)
    assert len(TRANSITIONS) == len(set(TRANSITIONS))


@pytest.mark.parametrize("nonsense", [None, True, "Success", Accepted(login("password")), Success])
def test_what_is_no_outcome_accepts_nobody(nonsense: Any) -> None:
    with pytest.raises(AssertionError):
        Running(login=login("password")).after(nonsense)


def test_a_state_is_never_changed() -> None:
    running = Running(login=login("password", "email_otp"), answer=ANSWER)
    before = dataclasses.replace(running)
    for outcome in OUTCOMES.values():
        running.after(outcome)
    assert running == before
    with pytest.raises(dataclasses.FrozenInstanceError):
        running.position = 1  # type: ignore[misc]


def test_the_first_answer_is_for_the_first_method_only() -> None:
    running = Running(login=login("password", "email_otp"), answer=ANSWER, memo="memo")
    assert running.after(Success()) == Running(login=replace(running.login, proven=True), position=1)


def test_memo_and_answer_come_back_together() -> None:
    waiting = Running(login=login("email_otp", proof=Success())).after(ASKED)
    assert isinstance(waiting, Waiting)
    assert waiting.login.proof is None, "what the repository said once is not carried into the next request"
    running = waiting.answered(RIGHT)
    assert isinstance(running, Running)
    assert (running.memo, running.answer, running.position) == ("memo", ANSWER, 0)


def test_a_refusal_of_who_proved_it_is_no_guess_and_says_so() -> None:
    running = Running(login=login("password"), answer=ANSWER)
    for reason in (Reason.PASSWORD_EXPIRED, Reason.WRONG_PASSWORD):
        assert not guessed(Failure(reason, proven=True))
        assert guessed(Failure(reason))
        assert running.after(Failure(reason, proven=True)) == Rejected(reason, proven=True)
        assert running.after(Failure(reason)) == Rejected(reason)


def test_the_user_may_spell_his_name_otherwise() -> None:
    waiting = Waiting(login=login("email_otp"), position=0, challenge=ASKED)
    assert isinstance(waiting.answered(replace(RIGHT, name=" \uff21LI\xadCE ")), Running)


@pytest.mark.parametrize(
    ("who", "reason"),
    [
        ("other user", Reason.OTHER_USER),
        ("other client", Reason.OTHER_ENDPOINT),
        ("other event", Reason.OTHER_ENDPOINT),
    ],
)
def test_the_log_learns_whose_answer_it_was(who: str, reason: Reason) -> None:
    waiting = Waiting(login=login("email_otp"), position=0, challenge=ASKED)
    assert waiting.answered(ANSWERS[who]) == Rejected(reason)


def test_every_wrong_answer_counts() -> None:
    assert not guessed(Success())
    assert not guessed(ASKED)
    assert guessed(replace(ASKED, wrong=True, because=Reason.WRONG_CODE))


@pytest.mark.parametrize("reason", list(Reason))
def test_only_guesses_count(reason: Reason) -> None:
    assert guessed(Failure(reason)) == (reason not in UNCOUNTED)


def test_a_plugins_own_reason_counts() -> None:
    assert guessed(Failure("the moon is full"))


def begun_again(**changes: Any) -> Running:
    known: dict[str, Any] = {"methods": ("password", "email_otp"), "position": 1} | changes
    methods, position = known.pop("methods"), known.pop("position")
    return Running(login=login(*methods, **known), position=position, answer=NOTHING)


WAITING = Waiting(login=login("password", "email_otp"), position=1, challenge=ASKED)


@pytest.mark.parametrize(
    ("now", "serves"), [(0.0, True), (29.9, True), (30.0, False), (120.0, False), (float("nan"), False)]
)
def test_a_challenge_serves_while_it_is_fresh(now: float, serves: bool) -> None:  # noqa: FBT001
    assert WAITING.is_fresh_for(begun_again(), now) == serves


def test_an_expired_challenge_serves_nobody() -> None:
    short = replace(WAITING, challenge=replace(ASKED, expires=10.0))
    assert short.is_fresh_for(begun_again(), 9.9)
    assert not short.is_fresh_for(begun_again(), 10.0)


@pytest.mark.parametrize(
    "changes",
    [
        {"position": 0},
        {"event": "wifi"},
        {"client": "printer"},
        {"methods": ("password", "sms")},
    ],
    ids=str,
)
def test_a_challenge_serves_no_other_login(changes: dict[str, Any]) -> None:
    assert not WAITING.is_fresh_for(begun_again(**changes), 0.0)


def test_a_challenge_serves_the_user_under_whatever_name() -> None:
    assert WAITING.is_fresh_for(begun_again(name="CORP\\alice"), 0.0)


@pytest.mark.parametrize("other", [replace(ALICE, name="bob"), replace(ALICE, repository="lab")], ids=str)
def test_a_challenge_serves_no_other_user(other: User) -> None:
    again = begun_again()
    assert not WAITING.is_fresh_for(replace(again, login=replace(again.login, user=other)), 0.0)


def test_no_success_of_a_decoy_lets_anybody_in() -> None:
    running = Running(login=login("password", "email_otp", decoy=True), position=1)
    assert running.after(Success()) == Rejected(Reason.DECOY)


def test_of_a_discreet_event_a_challenge_serves_who_types_the_same() -> None:
    """And nobody else, be it the same user; and whether it is a decoy makes no difference."""
    again = begun_again()
    mine = replace(WAITING, login=replace(WAITING.login, mark="mine"))
    for decoy in (False, True):
        for mark, user in (("mine", ALICE), ("mine", replace(ALICE, name="x", repository="")), ("other", ALICE)):
            running = replace(again, login=replace(again.login, user=user, mark=mark, decoy=decoy))
            assert mine.is_fresh_for(running, 0.0) == (mark == "mine")


def test_it_serves_whatever_groups_the_chain_is_for() -> None:
    """A store keeps a chain's name and methods; whom it is for was decided when the login began."""
    again = begun_again()
    chain = replace(again.login.chain, groups=frozenset({"cn=vpn"}), short_name="mail")
    assert WAITING.is_fresh_for(replace(again, login=replace(again.login, chain=chain)), 0.0)
