"""Which of two chains asks less."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aad.core.strength import Trait, asks_less, fits_one_field, password_alone, sends_first

TRAITS = {
    "password": Trait(proves="password", thing="the repository's"),
    "file": Trait(proves="password", thing="file"),
    "mail": Trait(proves="code", thing="sent to ", sends=True),
    "mail too": Trait(proves="code", thing="sent to ", sends=True),
    "sms": Trait(proves="code", thing="sent to mobile", sends=True),
    "app": Trait(proves="code", thing="app", enrolled=True),
    "number": Trait(proves="number", thing="number"),
}
methods = st.lists(st.sampled_from(sorted(TRAITS)), min_size=1, max_size=4)


@pytest.mark.parametrize(
    ("lesser", "greater", "less"),
    [
        (["password"], ["password", "app"], True),
        (["app"], ["password", "app"], True),
        (["mail"], ["password", "app"], True),  # nothing in common, and still one proof for two
        (["file"], ["password", "app"], True),
        (["password", "file"], ["password", "app"], True),  # two, and both known by heart
        (["mail", "app"], ["password", "app"], True),
        (["password", "mail"], ["password", "mail", "mail too"], True),
        (["password", "mail", "mail too"], ["password", "mail", "app"], True),  # one mailbox is one proof
        (["password", "mail"], ["password", "app"], False),
        (["password", "app"], ["password", "mail"], False),
        (["password"], ["app"], False),
        (["password", "app"], ["password"], False),
        (["app", "password"], ["password", "app"], False),
        (["password", "password"], ["password"], False),
        (["password", "number"], ["password", "app"], False),
        (["password", "mail too"], ["password", "mail"], False),
    ],
)
def test_which_asks_less(lesser: list[str], greater: list[str], *, less: bool) -> None:
    assert asks_less(lesser, greater, TRAITS) == less


@given(methods)
def test_nothing_asks_less_than_itself(chain: list[str]) -> None:
    assert not asks_less(chain, chain, TRAITS)
    assert not asks_less(chain, chain[::-1], TRAITS)


@given(methods, methods)
def test_a_real_part_asks_less_and_more_never_does(chain: list[str], more: list[str]) -> None:
    assert asks_less(chain, [*chain, *more], TRAITS) == bool(set(more) - set(chain))
    assert not asks_less([*chain, *more], chain, TRAITS)


@pytest.mark.parametrize(
    ("chain", "fits", "sends", "alone"),
    [
        (["password"], True, False, True),
        (["password", "mail"], True, False, False),
        (["password", "number"], True, False, False),
        (["app"], True, False, False),
        (["app", "mail"], True, False, False),
        (["mail"], False, True, False),
        (["mail", "password"], False, True, False),
        (["app", "password"], False, False, False),
        (["password", "file"], False, False, True),
        (["password", "mail", "app"], False, False, False),
    ],
)
def test_one_field_first_sent_and_password_alone(chain: list[str], *, fits: bool, sends: bool, alone: bool) -> None:
    assert (fits_one_field(chain, TRAITS), sends_first(chain, TRAITS), password_alone(chain, TRAITS)) == (
        fits,
        sends,
        alone,
    )
