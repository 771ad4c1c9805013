"""Texts with macros: checked once, filled often."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aad.core.macros import clean, filled, unknown

KNOWN = ("user", "otp")


@pytest.mark.parametrize("text", ["", "no macro", "{user}: {otp}", "{{user}}", "{otp}{otp}", "100 %s $x"])
def test_right_texts(text: str) -> None:
    assert unknown(text, KNOWN) == ""


@pytest.mark.parametrize(
    "text", ["{name}", "{}", "{0}", "{user.__class__}", "{user[0]}", "{user!r}", "{otp:>9}", "{user:{otp}}"]
)
def test_what_is_no_macro(text: str) -> None:
    assert unknown(text, KNOWN).endswith(" is no macro; there are {user} {otp}")


@pytest.mark.parametrize("text", ["{", "}", "{user", "a } b"])
def test_a_brace_alone(text: str) -> None:
    assert unknown(text, KNOWN).endswith("; a brace is written twice: {{")


@given(st.text(), st.text())
def test_what_is_filled_in_is_not_read_again(user: str, otp: str) -> None:
    assert filled("{user}|{otp}|{{otp}}", {"user": user, "otp": otp}) == f"{user}|{otp}|{{otp}}"


@given(st.text())
def test_whatever_is_right_can_be_filled(text: str) -> None:
    if not unknown(text, KNOWN):
        filled(text, {"user": "alice", "otp": "123456"})


def test_a_value_is_cut_and_harmless() -> None:
    assert clean("a" * 2000) == "a" * 64
    assert clean("a\r\nBcc: b\t\u2028c\u202ed\x1b\ud800\u200f") == "a  Bcc: b  c?d???"
    assert clean("Jürgen Müller 日本") == "Jürgen Müller 日本"
    assert clean("a" * 63 + "e\u0301") == "a" * 63, "not half a letter"
