"""What was typed as a name is taken apart in one way: no spelling finds another repository, nor another chain."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from aad.core.identity import Named, name_key, named
from tests.parts.values import AWKWARD

REALMS = {name_key(realm): realm for realm in ("CORP", "corp.example.com", "Straße", "İstanbul", "Zoë.example")}
SHORT = {name_key(each) for each in ("mail", "App", "groß", "ï")}
FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
RESPELL: tuple[Callable[[str], str], ...] = (
    str.upper,
    str.lower,
    str.title,
    lambda text: text.translate(FULL_WIDTH),
    lambda text: unicodedata.normalize("NFD", text),
    lambda text: unicodedata.normalize("NFKD", text),
    lambda text: text.replace("ss", "ß").replace("SS", "\u1e9e"),
    lambda text: text.replace("i", "\u0130").replace("k", "\u212a"),
    lambda text: text.replace("s", "\u017f"),
    "\u200b".join,
    "\xad".join,
    lambda text: text + "\ufe0f",
)
BLANKS = ("", " ", "\t", "\xa0", "\u3000", "\u2003 ")
respelling = st.lists(st.sampled_from(RESPELL), max_size=4)
blanks = st.sampled_from(BLANKS)
around = st.tuples(blanks, blanks)


def respelled(text: str, by: list[Callable[[str], str]]) -> str:
    key = name_key(text)
    for each in by:
        text = each(text)
    assume(name_key(text) == key)
    return text


@given(
    realm=st.sampled_from(sorted(REALMS.values())), by=respelling, blank=around, sign=st.sampled_from("\\\uff3c\ufe68")
)
def test_every_spelling_of_a_realm_before_the_name_is_that_realm(
    realm: str, by: list[Callable[[str], str]], blank: tuple[str, str], sign: str
) -> None:
    found = named(f"{blank[0]}{respelled(realm, by)}{blank[1]}{sign}alice", REALMS, SHORT)
    assert (found.repository, found.key, found.chain) == (realm, "alice", "")


@given(
    realm=st.sampled_from(sorted(REALMS.values())), by=respelling, blank=around, sign=st.sampled_from("@\uff20\ufe6b")
)
def test_every_spelling_of_a_realm_behind_the_name_is_that_realm(
    realm: str, by: list[Callable[[str], str]], blank: tuple[str, str], sign: str
) -> None:
    found = named(f"alice{sign}{blank[0]}{respelled(realm, by)}{blank[1]}", REALMS, SHORT)
    assert (found.repository, found.key, found.chain) == (realm, "alice", "")


@given(short=st.sampled_from(sorted(SHORT)), by=respelling, blank=blanks, gap=st.sampled_from(BLANKS[1:]))
def test_every_spelling_of_a_short_name_is_that_chain(
    short: str, by: list[Callable[[str], str]], blank: str, gap: str
) -> None:
    found = named(f"alice@corp{gap}{respelled(short, by)}{blank}", REALMS, SHORT)
    assert (found.repository, found.key, found.chain) == ("CORP", "alice", short)


PIECES = (
    "alice",
    "corp",
    "CORP.example.com",
    "straße",
    "mail",
    "app",
    "\\",
    "@",
    " ",
    "\uff20",
    "\ufe68",
    "\u3000",
    "\xa8",
    *AWKWARD,
)


@given(pieces=st.lists(st.sampled_from(PIECES), max_size=8), by=respelling)
@example(["alice", "\xa8", "mail"], [])  # NFKC makes a blank and a mark of it
@example(["alice", " ", "mail", " "], [])
@example(["corp", "\\", " "], [])
@example(["alice", "@", "corp", "@", "corp"], [RESPELL[3]])
def test_what_a_directory_takes_for_one_name_is_taken_apart_alike(
    pieces: list[str], by: list[Callable[[str], str]]
) -> None:
    typed = "".join(pieces)
    one, other = named(typed, REALMS, SHORT), named(respelled(typed, by), REALMS, SHORT)
    folded = named(name_key(typed), REALMS, SHORT)
    assert (one.repository, one.chain, one.key) == (other.repository, other.chain, other.key)
    assert (one.repository, one.chain, one.key) == (folded.repository, folded.chain, folded.key)


@given(pieces=st.lists(st.sampled_from(PIECES), max_size=8))
def test_no_realm_and_no_short_name_is_found_that_was_not_typed(pieces: list[str]) -> None:
    found = named("".join(pieces), REALMS, SHORT)
    whole = name_key("".join(pieces))
    assert not found.chain or whole.split(" ")[-1] == found.chain
    assert not found.repository or name_key(found.repository) in whole


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("Alice@Corp", Named("Alice", "CORP")),
        ("Alice\uff20Corp", Named("alice", "CORP")),
        ("CORP\\Alice", Named("Alice", "CORP")),
        ("\uff23ORP\\Alice", Named("Alice", "CORP")),
        ("Zo\u00eb@Z\u006fe\u0308.example", Named("Zo\u00eb", "Zoë.example")),
        ("corp\\ ", Named("corp\\ ")),
        (" @corp", Named(" @corp")),
        ("alice mail ", Named("alice", "", "mail")),
        ("alice@elsewhere mail\u3000", Named("alice@elsewhere", "", "mail")),
        ("alice\uff20elsewhere", Named("alice\uff20elsewhere")),
    ],
)
def test_the_name_stays_as_it_was_typed_where_it_can(typed: str, expected: Named) -> None:
    assert named(typed, REALMS, SHORT) == expected
