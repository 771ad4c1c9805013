"""Whoever is refused reads the same words as everybody, and reads them late; more only if he proved who he is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aad.core import rejection
from aad.core.conversation import Rejected
from aad.core.outcome import Reason

MESSAGE = "Login failed."


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize(("proven", "telling"), [(False, True), (True, False), (False, False)])
def test_a_stranger_learns_nothing(reason: Reason, *, proven: bool, telling: bool) -> None:
    assert rejection.words(MESSAGE, Rejected(reason, proven=proven), telling=telling) == MESSAGE


def test_who_proved_it_is_he_learns_what_to_do() -> None:
    told = {reason: rejection.words(MESSAGE, Rejected(reason, proven=True), telling=True) for reason in Reason}
    assert told[Reason.PASSWORD_EXPIRED] == f"{MESSAGE} Your password has expired."
    assert told[Reason.LOGIN_HOURS] == f"{MESSAGE} You may not log in at this time."
    assert told[Reason.WRONG_CODE] == told[Reason.LOCKED] == MESSAGE


@given(st.floats(0, 10), st.floats(0, 1))
def test_a_refusal_leaves_no_sooner_than_it_should_and_no_later_than_is_said(least: float, random: float) -> None:
    assert least <= rejection.delay(least, random) <= rejection.latest(least) <= 1.25 * least
