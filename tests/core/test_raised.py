"""What is said of an exception: its kind and its place, and nothing of its text."""

from __future__ import annotations

import re

from aad.core.raised import raised


def test_kind_and_place_and_no_text() -> None:
    try:
        int("a password")
    except ValueError as error:
        said = raised(error)
    assert re.fullmatch(r"ValueError in test_kind_and_place_and_no_text, .*/test_raised\.py:\d+", said)


def test_one_that_was_never_raised_has_no_place() -> None:
    assert raised(KeyError("a password")) == "KeyError"
