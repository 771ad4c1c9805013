"""What is signed is verified with its key, under its name, and whole."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aad.core import authenticated
from aad.core.authenticated import Authentic
from aad.core.secret import Secret

KEY = authenticated.derived(Secret(b"k" * 32), "waiting login")
WHOLE = authenticated.sign(KEY, b"ticket", b"content", since=1.0, until=2.0)


@given(st.binary(max_size=50), st.binary(max_size=200), st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_it_is_verified(name: bytes, content: bytes, since: float, until: float) -> None:
    kept = authenticated.sign(KEY, name, content, since=since, until=until)
    assert authenticated.signed(kept)
    assert authenticated.verified(KEY, name, kept) == Authentic(content, since, until)


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_no_octet_may_be_another(at: int, change: int) -> None:
    kept = bytearray(WHOLE)
    kept[at] ^= change
    assert authenticated.verified(KEY, b"ticket", bytes(kept)) is None


@pytest.mark.parametrize("kept", [WHOLE[:-1], WHOLE + b" ", WHOLE[1:], b"", b"\x01", b"\x01" + bytes(47), b"{}"])
def test_nor_may_any_be_missing(kept: bytes) -> None:
    assert authenticated.verified(KEY, b"ticket", kept) is None


def test_no_name_is_the_beginning_of_a_content() -> None:
    splits = [(b"ticketcontent"[:at], b"ticketcontent"[at:]) for at in range(14)]
    assert len({authenticated.sign(KEY, *split, since=0.0, until=0.0)[1:33] for split in splits}) == 14
    for (_, content), (other, _) in itertools.permutations(splits, 2):
        kept = authenticated.sign(KEY, b"ticket", content, since=0.0, until=0.0)
        assert (authenticated.verified(KEY, other, kept) is None) == (other != b"ticket")


def test_another_key_or_purpose_verifies_nothing() -> None:
    keys = [authenticated.derived(Secret(b"K" * 32), "waiting login"), authenticated.derived(Secret(b"k" * 32), "")]
    keys += [authenticated.derived(Secret(b"k" * 32), "waiting logins"), Secret(b"k" * 32), Secret(b"")]
    assert [authenticated.verified(key, b"ticket", WHOLE) for key in keys] == [None] * 5
    assert authenticated.signed(WHOLE)


@pytest.mark.parametrize("kept", ["text", WHOLE.decode("latin-1"), 7, 1.5, None])
def test_what_are_no_octets_is_not_signed(kept: object) -> None:
    assert authenticated.verified(KEY, b"ticket", kept) is None  # type: ignore[arg-type]  # a SQLite file may hold it


def test_too_short_a_key_signs_nothing() -> None:
    with pytest.raises(ValueError, match="a signature needs"):
        authenticated.derived(Secret(b"k" * 15), "waiting login")


def test_it_stays_the_same_over_versions() -> None:
    assert WHOLE.hex() == (
        "01f81309a4d8bea07fc0eb59f396f38b0967fa7d7162a45a18496a729a4d16587e3ff00000000000004000000000000000636f6e74656e74"
    ), "who waits or is signed in would be refused after an upgrade"
