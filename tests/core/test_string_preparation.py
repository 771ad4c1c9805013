"""Values that a directory takes for the same, and those it tells apart (RFC 4518)."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aad.core.string_preparation import prepared
from tests.parts.values import AWKWARD

SPACES = (9, 10, 11, 12, 13, 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000)
NOTHING = (
    *(*range(9), *range(0xE, 0x20), *range(0x7F, 0x85), *range(0x86, 0xA0), 0xAD, 0x34F, 0x6DD, 0x70F, 0x1806),
    *(*range(0x180B, 0x180F), *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2064)),
    *(*range(0x206A, 0x2070), *range(0xFE00, 0xFE10), 0xFEFF, *range(0xFFF9, 0xFFFD), *range(0x1D173, 0x1D17B)),
    *(0xE0001, *range(0xE0020, 0xE0080)),
)
"""RFC 4518 2.2, as it lists them."""


@pytest.mark.parametrize(
    "spelling",
    [
        "VPN users",
        "vpn   users",
        " vpn users ",
        "vpn\u00a0users",
        "vpn\t\nusers",
        "v\u200bpn us\u00aders",
        "\ufeffvpn users\u200e",
        "\uff36\uff30\uff2e users",
        "vpn users\u2069",
        "v\0pn users",
    ],
)
def test_spellings_of_one_value(spelling: str) -> None:
    assert prepared(spelling) == "vpn users"


@pytest.mark.parametrize(
    ("value", "becomes"),
    [
        ("", ""),
        ("  ", ""),
        ("\u200b", ""),
        ("Jos\u00c9", "jos\u00e9"),
        ("Jose\u0301", "jos\u00e9"),
        ("STRASSE", "strasse"),
        ("Stra\u00dfe", "strasse"),
        ("\ufb01n", "fin"),
        ("\u0395\u03a3", "\u03b5\u03c3"),
        ("\u03b5\u03c2", "\u03b5\u03c3"),
    ],
)
def test_case_and_compatibility(value: str, becomes: str) -> None:
    assert prepared(value) == becomes


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("vpn users", "vpnusers"),
        ("jos\u00e9", "jose"),
        ("\u0e01\u0e34", "\u0e01\u0e35"),  # Thai: two vowel signs
        ("\u0915\u0941", "\u0915\u0942"),  # Hindi: u and uu
        ("a \u0308b", "a\u0308b"),  # a space that carries a mark is none
        ("a \u0308b", "a  \u0308b"),
        (" \u0308b", "\u0308b"),
        ("v\u0430n", "van"),  # Cyrillic
        ("\u0600a", "a"),  # can be seen
    ],
)
def test_what_is_told_apart(one: str, other: str) -> None:
    assert prepared(one) != prepared(other)


def test_every_code_point_that_the_rfc_maps() -> None:
    for code in SPACES:
        assert prepared(f"a{chr(code)}b") == "a b", hex(code)
    for code in NOTHING:
        assert prepared(f"a{chr(code)}b") == "ab", hex(code)


def test_no_letter_or_mark_of_today_is_mapped_to_nothing() -> None:
    shown = (chr(code) for code in range(0x20000) if unicodedata.category(chr(code))[0] in "LNP")
    assert [char for char in shown if not prepared(char).strip()] == ["\u1806"]


@given(st.one_of(st.text(), st.text(AWKWARD)))
@example("\u1100\u034f\u1161")
@example(" \u0308")
def test_what_is_prepared_stays_as_it_is(value: str) -> None:
    assert prepared(prepared(value)) == prepared(value)


@given(st.one_of(st.text(), st.text(AWKWARD)))
def test_unicode_forms_and_case_make_no_difference(value: str) -> None:
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert prepared(unicodedata.normalize(form, value)) == prepared(value)
    if "\u0345" not in unicodedata.normalize("NFD", value):  # folds to a letter, past which no mark is sorted
        assert prepared(value.casefold()) == prepared(value)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_ascii_goes_the_short_way_to_the_same(value: str) -> None:
    assert prepared(value) == prepared(f"{value}\xad")
