"""The portal says the same in every language, and says everything that its pages ask for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from aad import portal, texts
from aad.core.outcome import Reason
from aad.portal.translations import saying, suitable, why

FOLDER = Path(portal.__file__).parent
SAID = set(
    re.findall(r'(?:say|sealed_say)\(\s*"(\w+)"', "".join(f.read_text("utf-8") for f in FOLDER.rglob("*.[ph]*")))
)


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_every_language_says_the_same_things_with_the_same_macros(language: str) -> None:
    english, said = texts.portal("en"), texts.portal(language)
    assert list(said) == list(english)
    for key, text in said.items():
        assert text.strip() == text != ""
        assert set(re.findall(r"{\w+}", text)) == set(re.findall(r"{\w+}", english[key])), key
    if language != "en":
        assert sum(said[key] == english[key] for key in said) < 10


def test_pages_ask_for_nothing_that_is_not_said() -> None:
    assert len(SAID) > 50
    assert set(texts.portal("en")) >= SAID


@pytest.mark.parametrize(
    ("user", "browser", "right"),
    [
        ("de", "fr", "de"),
        ("", "fr-CH, en;q=0.5", "fr"),
        ("ja", "es", "es"),
        ("", "", "en"),
        ("ja", "ko", "en"),
        ("de_AT", "", "de"),
    ],
)
def test_the_user_s_language_goes_before_the_browser_s(user: str, browser: str, right: str) -> None:
    assert suitable(user, browser, "en") == right


def test_why_a_test_failed_is_said_in_words_for_its_user() -> None:
    say = saying("en")
    assert why(Reason.NO_ADDRESS, say) == "there is no usable address of yours."
    assert why("a plugin's own words", say) == why(Reason.UNKNOWN_USER, say) == texts.portal("en")["why_other"]
