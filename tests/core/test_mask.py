"""A mask shows enough for the owner of an address, and too little for anybody else."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aad.core.graphemes import letters
from aad.core.mask import DEFAULT, masked, valid

starless = st.text(st.characters(exclude_characters="*@"), max_size=30)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("alice@example.com", "a***@e***.com"),
        ("bob@mail.example.co.uk", "b***@m***.uk"),
        ("al@example.com", "a***@e***.com"),
        ("a@example.com", "***@e***.com"),
        ("a@b.c", "***@***.c"),
        ("alice@localhost", "a***@***."),
        ('"a@b"@example.com', '"***@e***.com'),
        ("alice", "***"),
        ("", "***"),
        ("@example.com", "***"),
        ("alice@", "***"),
        ("\u202ealice@example.com", "?***@e***.com"),
        ("\nalice@\rexample.com", "?***@?***.com"),
        ("zoë@bücher.de", "z***@b***.de"),
        ("o\u0308zil@u\u0308ber.example", "ö***@ü***.example"),
        ("न\u0940लम@example.com", "न\u0940***@e***.com"),
        ("x\u0323\u0302y@example.com", "x\u0323\u0302***@e***.com"),
        ("иван@пример.рф", "и***@п***.рф"),
    ],
)
def test_the_default(address: str, shown: str) -> None:
    assert masked(address) == masked(address, DEFAULT) == shown


def test_a_mask_of_ones_own() -> None:
    assert masked("alice@example.com", "{local:2}…@{domain:3}*.{tld}") == "al…@exa*.com"
    assert masked("alice@example.com", "{local:999}*{domain:999}*") == "al*exa*"
    assert masked("alice@example.com", "{local}*{domain}*{tld}") == "**com", "nothing is shown that wasn't asked for"


@given(starless, starless, starless, st.integers(0, 999))
def test_never_more_than_half_is_shown(local: str, domain: str, tld: str, count: int) -> None:
    shown = masked(f"{local}@{domain}.{tld}", f"{{local:{count}}}*{{domain:{count}}}*")
    if not local:
        assert shown == "***"
        return
    parts = shown.split("*")
    local, _, host = unicodedata.normalize("NFC", f"{local}@{domain}.{tld}").rpartition("@")
    name = host.rpartition(".")[0]
    for part, whole in zip(parts, (local, name), strict=False):
        most = letters(whole)[: min(count, len(letters(whole)) // 2)]
        assert part == "".join(c if c.isprintable() else "?" for c in "".join(most))


@given(st.text(), st.lists(st.one_of(st.text(), st.sampled_from(["{local:5}", "{domain:9}", "{tld}", "*"]))))
def test_never_a_control_character(address: str, pieces: list[str]) -> None:
    shown = masked(address, "".join(pieces))
    assert shown.isprintable()


@pytest.mark.parametrize("mask", [DEFAULT, "*", "{local:1}*", "{tld}***", "*{domain:12}"])
def test_masks(mask: str) -> None:
    assert valid(mask)


@pytest.mark.parametrize(
    "mask", ["", "{local:1}", "{user}*", "{local:x}*", "{local:-1}*", "{local:1000}*", "{*", "*}", "{tld:}*", "{{*}}"]
)
def test_no_masks(mask: str) -> None:
    assert not valid(mask)
