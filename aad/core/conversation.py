"""A login, and what follows what.

1. All that decides what follows what stands in this file.
2. It knows neither RADIUS nor LDAP nor mail.
3. Time comes in as `now`; a deadline is a field; random values come in ready-made.
4. The only way to Accepted is Success of the last method; an empty chain can't be built.
5. A state is never changed, only followed: `running.after(outcome)`, `waiting.answered(attempt)`.

A login is Running (a method has work to do), Waiting (the user has), Accepted or Rejected:

    Running  -- Success, more methods   --> Running
    Running  -- Success, the last one   --> Accepted
    Running  -- Failure                 --> Rejected
    Running  -- Challenge               --> Waiting
    Waiting  -- the user's answer       --> Running
    Waiting  -- another user's answer  --> Rejected

A decoy (`Login.decoy`) is like any login to its user, but Success rejects it.

`TRANSITIONS` is the same as a table; the tests hold the code against it, and README's diagram is drawn from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, assert_never

from aad.core.answer import Answer
from aad.core.identity import Attempt, User, name_key
from aad.core.outcome import Challenge, Failure, Outcome, Reason, Success
from aad.core.policy import Chain

TRANSITIONS = (
    ("Running", "Success, more methods", "Running"),
    ("Running", "Success, the last method", "Accepted"),
    ("Running", "Failure", "Rejected"),
    ("Running", "Challenge", "Waiting"),
    ("Waiting", "the user's answer", "Running"),
    ("Waiting", "another user's answer", "Rejected"),
)


@dataclass(frozen=True, kw_only=True)
class Login:
    """What stays the same from the attempt until it is settled.

    `name` is as the user typed it, `reference` the short word in prompt, mail and log, `nonce` 16 random octets.
    `others`: chains that fit as well, if the user may choose. `proof`: the repository's verdict on the password that
    came with the attempt, where it was asked already. `proven`: a method has succeeded, or the user is `signed_in` and
    tests a method. `discreet`: the challenge must not show whether the user is let in, so decoys ask for the same;
    `decoy`: this is one of those, and no answer lets it in. `mark`: of a discreet login, a digest of name and password
    as typed: the same again gets the same challenge, be that a decoy or not, and whatever has happened meanwhile.
    """

    reference: str
    nonce: bytes
    name: str
    user: User
    event: str
    client: str
    chain: Chain
    calling_station: str = ""
    others: tuple[Chain, ...] = ()
    proof: Success | Failure | None = None
    proven: bool = False
    signed_in: bool = False
    discreet: bool = False
    decoy: bool = False
    mark: str = ""

    @cached_property
    def key(self) -> str:
        """The name as typed, folded."""
        return name_key(self.name)


@dataclass(frozen=True, kw_only=True)
class Running:
    """The method at `position` of the chain has work to do: begin, or, with a memo of its own, verify `answer`."""

    login: Login
    position: int = 0
    answer: Answer | None = None
    memo: Any = None

    @property
    def method(self) -> str:
        """The name of the method whose turn it is."""
        return self.login.chain.methods[self.position]

    @property
    def needs_no_answer(self) -> bool:
        """Whether the method begins, and nothing came with the attempt that it could check."""
        return self.memo is None and (self.answer is None or self.answer.empty)

    @property
    def choices(self) -> tuple[Chain, ...]:
        """The chains that the user may choose from now: all that was asked so far is the same, what comes is not."""
        if not self.login.others:
            return ()
        so_far = self.login.chain.methods[: self.position]
        alive = [
            chain
            for chain in (self.login.chain, *self.login.others)
            if chain.methods[: self.position] == so_far and len(chain.methods) > self.position
        ]
        return tuple(alive) if len({chain.methods[self.position] for chain in alive}) > 1 else ()

    def choose(self, chain: Chain) -> Running:
        """Go on along one of the `choices`, with the method that is next there. ValueError: it is none of them."""
        if chain not in self.choices:
            message = f"chain {chain.name!r} asks for something else before"
            raise ValueError(message)
        return Running(login=replace(self.login, chain=chain, others=()), position=self.position)

    def after(self, outcome: Outcome[Any]) -> State:
        """Return what follows the method's `outcome`."""
        if isinstance(outcome, Success) and self.login.decoy:
            return Rejected(Reason.DECOY)
        if isinstance(outcome, Success):
            if self.position + 1 == len(self.login.chain.methods):
                return Accepted(self.login)
            # The repository's verdict is not carried on.
            return Running(login=replace(self.login, proof=None, proven=True), position=self.position + 1)
        if isinstance(outcome, Failure):
            return Rejected(outcome.reason, proven=outcome.proven)
        if isinstance(outcome, Challenge):
            login = self.login if self.login.proof is None else replace(self.login, proof=None)
            return Waiting(login=login, position=self.position, challenge=outcome)
        assert_never(outcome)


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """The user has to answer the `challenge` of the method at `position`."""

    login: Login
    position: int
    challenge: Challenge[Any]

    def answered(self, attempt: Attempt) -> Running | Rejected:
        """Return what follows an answer: a code belongs to its user, client and event (ASVS 6.6.2)."""
        if attempt.key != self.login.key:
            return Rejected(Reason.OTHER_USER)
        if (attempt.client, attempt.event) != (self.login.client, self.login.event):
            return Rejected(Reason.OTHER_ENDPOINT)
        return Running(
            login=self.login,
            position=self.position,
            answer=attempt.answer,
            memo=self.challenge.memo,
        )

    def is_fresh_for(self, running: Running, now: float) -> bool:
        """Say whether `running`, the same login begun again, gets this challenge instead of a new one (and mail).

        A NAS that retries or fails over begins again; its user has a good code already (RFC 5080 2.2.2).
        """
        return now < self.challenge.fresh_until and self.belongs_to(running, now)

    def belongs_to(self, running: Running, now: float) -> bool:
        """Say whether `running` is the same login begun again, while this challenge may still be answered.

        The user is compared, not what was typed for a name.
        """
        mine, again = self.login, running.login
        return bool(
            now < self.challenge.expires
            and self.position == running.position
            and mine.mark == again.mark
            and (mine.mark or (mine.user.key, mine.user.repository) == (again.user.key, again.user.repository))
            and (mine.event, mine.client) == (again.event, again.client)
            # A store keeps no groups: whom the chain is for was decided when the login began.
            and (
                mine.decoy
                or again.decoy
                or (mine.chain.name, mine.chain.methods) == (again.chain.name, again.chain.methods)
            )
        )


@dataclass(frozen=True)
class Accepted:
    """Every method of the login's chain has succeeded; `granted`: what the front replies about the user, encoded."""

    login: Login
    granted: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Rejected:
    """The user isn't let in. `reason` is for the log, with what else is known (`because`).

    The user isn't told, but see `Failure.proven`.
    """

    reason: str
    because: str = ""
    proven: bool = field(default=False, kw_only=True)


State = Running | Waiting | Accepted | Rejected
Settled = Waiting | Accepted | Rejected
