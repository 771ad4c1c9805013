"""What the user reads: in the client's words, its letters, and no more octets than it can show."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aad.radius.prompt_encoding import Wording, plain, unwritable

VALUES = {"recipient": "a***@e***.com", "reference": "K7QD2M", "user": "alice", "minutes": "2"}
PROMPT = "Saisissez le code envoyé à a***@e***.com (réf. K7QD2M)"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Saisissez le code envoyé à", "Saisissez le code envoye a"),
        ("Código: ¡ya! ¿Sí?", "Codigo: !ya! ?Si?"),
        ("Straße, Æsop, œuvre, Łódź, smørrebrød…", "Strasse, AEsop, oeuvre, Lodz, smorrebrod..."),
        ("„Code“ \u2013 \u2018x\u2019 «y» 5 €\u00a0½", '"Code" - \'x\' "y" 5 EUR 1?2'),
        ("e\u0301 ①", "e 1"),
        ("код 日", "??? ?"),
        ("plain: ~?\n", "plain: ~?\n"),
    ],
)
def test_plain_letters(text: str, written: str) -> None:
    assert plain(text) == written


def test_which_letters_have_no_likeness() -> None:
    assert unwritable("é ß … ? ¿ код кот") == "кодт"
    assert unwritable("Código incorrecto") == ""


def test_a_client_s_own_words() -> None:
    assert Wording("Code for {user}, ref {reference}: ").octets(PROMPT, VALUES) == b"Code for alice, ref K7QD2M: "
    assert Wording("{prompt}: ").octets(PROMPT, VALUES) == f"{PROMPT}: ".encode()
    assert Wording("{prompt}: ", "ascii").octets(PROMPT, VALUES) == f"{plain(PROMPT)}: ".encode()
    assert Wording("Code ({minutes}): ").octets("", {"reference": "K7QD2M"}) == b"Code (): ", "a plugin may know less"


def test_a_password_is_asked_for_in_its_own_words() -> None:
    assert Wording("Code: ").octets("Password: ", {}) == b"Password: "


def test_a_client_s_own_words_are_whole_where_a_method_s_are_cut() -> None:
    narrow = Wording("Code? {prompt}: ", "ascii", 40)
    assert narrow.octets(PROMPT, VALUES) == b"Code? Saisissez le code envoye a a***@: "
    assert len(narrow.octets(PROMPT, VALUES)) == 40
    assert Wording("{reference} " * 10 + "{prompt}", limit=40).octets(PROMPT, VALUES) == b"K7QD2M " * 5
    assert Wording("{prompt}{prompt}: ", limit=60).octets(PROMPT, VALUES)[:58] == PROMPT.encode() + b"S"


def test_never_nothing() -> None:
    assert Wording().octets("", VALUES) == b"?"
    assert Wording("{minutes}").octets("x", {"user": "alice"}) == b"?"


def test_the_reference_is_whole_or_not_there() -> None:
    whole = Wording().whole(PROMPT, VALUES)
    at = whole.index(b"K7QD2M")
    for limit in range(20, len(whole)):
        shown = Wording(limit=limit).octets(PROMPT, VALUES)
        assert whole.startswith(shown)
        assert len(shown) == (at if at < limit < at + 6 else limit) or whole[limit] & 0xC0 == 0x80
        assert shown.count(b"K7QD2M") or shown == whole[: min(len(shown), at)]


@given(st.text(st.characters() | st.sampled_from("abé e\u0301日👩\u200d💻K7QD2M"), max_size=200), st.integers(20, 250))
def test_any_prompt_is_cut_to_the_limit_between_letters(prompt: str, limit: int) -> None:
    for charset in ("utf-8", "ascii"):
        shown = Wording("", charset, limit).octets(prompt, VALUES)
        assert 0 < len(shown) <= limit
        text = shown.decode(charset)
        whole = Wording("", charset, limit).whole(prompt, VALUES).decode()
        assert whole.startswith(text) or not whole
        rest = whole[len(text) :]
        if rest and len(text.encode()) > 130:  # a letter of more octets than that is none
            assert unicodedata.category(rest[0]) not in ("Mn", "Mc", "Me")


@given(st.text())
def test_plain_is_ascii_whatever_comes(text: str) -> None:
    assert plain(text).isascii()
    assert plain(plain(text)) == plain(text)
    assert all(c == "?" or not c.isascii() for c in unwritable(text))
