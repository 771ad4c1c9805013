"""Lets the user choose a chain, where several fit and go on differently from here."""

from __future__ import annotations

from dataclasses import dataclass, replace

from aad.core.answer import Answer
from aad.core.conversation import Running, State
from aad.core.identity import name_key
from aad.core.outcome import Challenge, Failure, Reason
from aad.core.policy import Chain
from aad.core.secret import Secret

LIFE = 120.0  # seconds that the user has to choose
TRIES = 3


@dataclass(frozen=True)
class Choice:
    """The memo. `expires`: until when an answer is good; `tries`: how many are left."""

    expires: float
    tries: int


def after(running: Running, now: float) -> State | None:
    """Return what follows if the user has to choose a chain, or has answered; None: a method is to work."""
    if isinstance(running.memo, Choice) and running.answer is not None:
        chosen = answered(running, running.memo, running.answer, now)
        return chosen if isinstance(chosen, Running) else running.after(chosen)
    if running.memo is None and running.choices:
        return running.after(ask(running, now))
    return None


def ask(running: Running, now: float) -> Challenge[Choice]:
    """Ask which of the chains in `running.choices` it should be."""
    return _asked(running.choices, Choice(now + LIFE, TRIES))


def answered(running: Running, memo: Choice, answer: Answer, now: float) -> Running | Challenge[Choice] | Failure:
    """Go on with the chain that the user named, by its number or its short name; ask again otherwise."""
    if now >= memo.expires:
        return Failure(Reason.EXPIRED)
    for number, chain in enumerate(running.choices, 1):
        if _chooses(answer, number, chain):
            return running.choose(chain)
    if memo.tries <= 1:
        return Failure(Reason.NO_CHOICE)
    return replace(_asked(running.choices, replace(memo, tries=memo.tries - 1)), because=Reason.NO_CHOICE)


def _asked(chains: tuple[Chain, ...], memo: Choice) -> Challenge[Choice]:
    listed = ", ".join(f"{number} {chain.label}" for number, chain in enumerate(chains, 1))
    return Challenge(prompt=f"Choose: {listed}", memo=memo, expires=memo.expires, fresh_until=0.0)


def _chooses(answer: Answer, number: int, chain: Chain) -> bool:
    """Say whether an answer chooses a chain. It is compared as names are, where it can be read (not with CHAP)."""
    if answer.text is None:
        return any(answer.matches(Secret(each)) for each in _spellings(number, chain))
    try:
        typed = name_key(answer.text.text())
    except ValueError:  # not UTF-8
        return False
    return bool(typed) and typed in {str(number), name_key(chain.label)}


def _spellings(number: int, chain: Chain) -> tuple[str, ...]:
    label = chain.label
    return (str(number), label, label.lower(), label.upper(), label.capitalize())
