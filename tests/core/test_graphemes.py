"""A letter and the marks on it stay together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aad.core.graphemes import cut, letters

anything = st.text(st.characters() | st.sampled_from("ae\u0301\u0323\u200d👩🏽💻न\u0940"), max_size=30)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("abc", ["a", "b", "c"]),
        ("e\u0301a", ["e\u0301", "a"]),
        ("x\u0323\u0302", ["x\u0323\u0302"]),
        ("न\u0940ल", ["न\u0940", "ल"]),
        ("👩🏽\u200d💻!", ["👩🏽\u200d💻", "!"]),
        ("\u0301a", ["\u0301", "a"]),
    ],
)
def test_letters(text: str, parts: list[str]) -> None:
    assert letters(text) == parts


@given(anything)
def test_all_letters_are_the_whole_text(text: str) -> None:
    assert "".join(letters(text)) == text
    assert all(letters(text))


@given(anything, st.integers(1, 30))
def test_what_is_cut_are_whole_letters_and_as_many_as_there_is_room_for(text: str, most: int) -> None:
    kept = cut(text, most)
    assert text.startswith(kept)
    assert len(kept) <= most
    parts = letters(text)
    if text and len(parts[0]) > most:
        assert len(kept) == most
        return
    assert letters(kept) == parts[: len(letters(kept))]
    if kept != text:
        assert len(kept) + len(parts[len(letters(kept))]) > most
