"""Whatever a directory says of a user's language, one of those there are is found."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aad.core.language import lookup, tag, wider

KNOWN = ("en", "de", "fr", "pt-br", "zh-hant")


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("de", "de"),
        ("DE", "de"),
        ("de-CH", "de"),
        ("de_AT", "de"),
        ("de_DE.UTF-8", "de"),
        ("de-CH, fr;q=0.5", "de"),
        ("it, fr;q=0.3, de;q=0.7", "de"),
        ("fr;q=0.7,de;q=0.7", "fr"),
        ("da, en-gb;q=0.8, fr;q=0.7", "en"),
        ("fr;q=0, de;q=0.1", "de"),
        ("fr ; q = 0.2 , de", "de"),
        ("pt-BR", "pt-br"),
        ("pt", "en"),
        ("zh-Hant-x-private-TW", "zh-hant"),
        ("de-a-x", "de"),
        ("*", "en"),
        ("", "en"),
        ("German", "en"),
        ("deu, de;q=2, fr;q=x", "en"),
        ("-de,;q=1,,de--ch,d\u00e9", "en"),
        ("x" * 1000 + ",de", "en"),
    ],
)
def test_lookup(wanted: str, found: str) -> None:
    assert lookup(wanted, KNOWN, "en") == found


@given(st.text() | st.text(st.sampled_from("deDE-_,;q=0.15 *fr")))
def test_one_that_is_known_or_the_default(wanted: str) -> None:
    assert lookup(wanted, KNOWN, "default") in {*KNOWN, "default"}


def test_a_tag_and_what_it_is_a_kind_of() -> None:
    assert list(wider("zh-hant-x-tw")) == ["zh-hant-x-tw", "zh-hant", "zh"]
    assert tag("pt-br")
    assert not any(map(tag, ("", "DE", "de_ch", "de-", "d\u00e9", "abcdefghi", "de\n")))
