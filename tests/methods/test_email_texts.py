"""Texts of mails and prompts: in the user's language, or in the administrator's words, key by key."""

from __future__ import annotations

import email
import email.policy
import re
from pathlib import Path

import pytest

from aad.core.macros import PROMPT, filled, unknown
from aad.methods.email_otp import EmailOtpSettings
from aad.methods.email_texts import TextSettings
from aad.senders.smtp.message import compile_template
from aad.texts import LANGUAGES, shipped

VALUES = {"user": "zoë", "endpoint": "gw", "event": "vpn", "number": "1", "otp": "123456", "minutes": "2"}
VALUES["reference"] = "K7QD2M"
SIGNS = {"en": "one-time", "de": "Einmalpasswort", "fr": "à usage unique", "es": "un solo uso"}


def settings(**given: object) -> EmailOtpSettings:
    return EmailOtpSettings(**{"senders": ("mail",), **given})  # type: ignore[arg-type]  # any key


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_comes_through_a_mail(language: str) -> None:
    words = settings().words()[language]
    octets = compile_template(words.template, "noreply@example.com").fill("a@example.com", VALUES, 0.0, "0123456789")
    assert octets.isascii()
    message = email.message_from_bytes(octets, policy=email.policy.default)
    text = message.get_body(("plain",)).get_content()  # type: ignore[union-attr]  # there is one
    assert SIGNS[language] in str(message["Subject"])
    assert "123456" in str(message["Subject"])
    assert SIGNS[language] in text
    for value in ("zoë", "gw", "vpn", "123456", "K7QD2M", "2 min"):
        assert value in text
    assert "{" not in text
    assert not text.startswith("\n")


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_prompt_is_short_and_says_what_it_must(language: str) -> None:
    texts = shipped(language)
    values = {"recipient": "a***@e***.com", "reference": "K7QD2M", "user": "alice", "minutes": "2"}
    for prompt in (texts.prompt, texts.wrong_prompt):
        assert not unknown(prompt, PROMPT)
        assert {"recipient", "reference"} <= set(re.findall(r"\{(\w+)\}", prompt))
        assert len(filled(prompt, values).encode()) < 100
    assert texts.prompt != texts.wrong_prompt
    assert len({shipped(each).prompt for each in LANGUAGES}) == len(LANGUAGES)


def test_one_key_for_all_changes_that_key_for_all(tmp_path: Path) -> None:
    own = settings(prompt="Code: ").words()
    assert {words.prompt for words in own.values()} == {"Code: "}
    assert own["de"].template.subject == shipped("de").subject
    assert own["de"].wrong_prompt == shipped("de").wrong_prompt
    (tmp_path / "body").write_text("{otp}!")
    assert {words.template.text for words in settings(body_file=tmp_path / "body").words().values()} == {"{otp}!"}


def test_the_table_of_a_language_goes_before_the_keys_for_all() -> None:
    german = TextSettings(prompt="Code (de): ")
    own = settings(prompt="Code: ", subject="{otp} all", texts={"de": german}).words()
    assert own["de"].prompt == "Code (de): "
    assert own["de"].template.subject == "{otp} all"
    assert own["de"].wrong_prompt == shipped("de").wrong_prompt
    assert own["fr"].prompt == "Code: "


def test_a_kind_of_a_language_has_the_rest_from_the_language() -> None:
    tables = {"de": TextSettings(prompt="Code (de): "), "de-at": TextSettings(wrong_prompt="Leider nein: ")}
    own = settings(subject="all", texts=tables)
    assert not list(own.faults())
    austrian = own.words()["de-at"]
    assert (austrian.wrong_prompt, austrian.prompt) == ("Leider nein: ", "Code (de): ")
    assert austrian.template.text == shipped("de").body


def test_a_language_that_is_not_shipped_needs_every_text(tmp_path: Path) -> None:
    (tmp_path / "it").write_text("{otp}")
    italian = TextSettings(subject="{otp}", body_file=tmp_path / "it", prompt="Codice: ")
    assert list(settings(texts={"it": italian}).faults()) == [
        ("texts.it.wrong_prompt", "missing: there are shipped texts in en, de, fr, es only")
    ]
    complete = settings(wrong_prompt="No: ", language="it", texts={"it": italian})
    assert not list(complete.faults())
    assert complete.words()["it"].wrong_prompt == "No: "


@pytest.mark.parametrize(
    ("given", "key", "says"),
    [
        ({"language": "it"}, "language", "should be one that there are texts in: en, de, fr, es"),
        ({"texts": {"DE": TextSettings()}}, "texts.DE", "should be a language tag in small letters"),
        ({"texts": {"d\u00e9": TextSettings()}}, "texts.d\u00e9", "should be a language tag"),
        ({"prompt": " "}, "prompt", "should not be empty"),
        ({"wrong_prompt": "{otp}"}, "wrong_prompt", "{otp} is no macro"),
        ({"subject": "{recipient}"}, "subject", "{recipient} is no macro"),
        ({"body_file": Path("/nowhere"), "texts": {"it": TextSettings()}}, "body_file", "/nowhere can't be read"),
        ({"subject": "x", "body_file": Path("/dev/null")}, "body_file", "the code: {otp} (in en, de, fr, es)"),
        ({"texts": {"de": TextSettings(subject="x", body_file=Path("/dev/null"))}}, "texts.de.body_file", "(in de)"),
    ],
)
def test_what_can_t_be_right_is_named(given: dict[str, object], key: str, says: str) -> None:
    ((found, what),) = settings(**given).faults()
    assert found == key
    assert says in what


def test_html_alone_is_warned_about(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<p>{otp}")
    own = settings(html_file=page, texts={"de": TextSettings(html_file=page), "fr": TextSettings(body_file=page)})
    assert [key for key, _ in own.warnings()] == ["html_file", "texts.de.html_file"]
    assert own.words()["es"].template.html == own.words()["de"].template.html == "<p>{otp}"
    assert own.words()["fr"].template.html == "", "mail programs would show this instead of the French text"
    assert not list(settings(html_file=page, body_file=page).warnings())
