"""What is sealed opens with its key, for whom it was sealed, and whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aad.core import sealed_box
from aad.core.secret import Secret

KEY, NONCE = Secret(b"k" * 32), b"n" * 24


@given(st.binary(max_size=200), st.binary(max_size=50), st.binary(min_size=16, max_size=64))
def test_it_opens_again(value: bytes, bound: bytes, key: bytes) -> None:
    kept = sealed_box.seal(Secret(key), bound, Secret(value), NONCE)
    assert sealed_box.opened(Secret(key), bound, kept).reveal() == value
    assert len(value) < 4 or value not in kept


@given(st.integers(0, 60), st.integers(1, 255))
def test_no_octet_may_be_another(at: int, change: int) -> None:
    kept = bytearray(sealed_box.seal(KEY, b"alice", Secret(b"a secret of 20 octets"), NONCE))
    kept[at] ^= change
    with pytest.raises(ValueError):  # noqa: PT011 - in the words of a library
        sealed_box.opened(KEY, b"alice", bytes(kept))


def test_another_key_or_person_opens_nothing() -> None:
    kept = sealed_box.seal(KEY, b"alice", Secret(b"value"), NONCE)
    for key, bound in ((Secret(b"K" * 32), b"alice"), (KEY, b"bob"), (KEY, b"")):
        with pytest.raises(ValueError):  # noqa: PT011
            sealed_box.opened(key, bound, kept)


@pytest.mark.parametrize("kept", [b"", b"\x01", b"\x01" + bytes(39), b"\x02" + bytes(60)])
def test_what_was_never_sealed(kept: bytes) -> None:
    with pytest.raises(ValueError, match="never sealed"):
        sealed_box.opened(KEY, b"alice", kept)


@pytest.mark.parametrize("key,nonce", [(Secret(b"k" * 15), NONCE), (KEY, b"n" * 23), (KEY, b"")])  # noqa: PT006
def test_too_little_seals_nothing(key: Secret, nonce: bytes) -> None:
    with pytest.raises(ValueError, match="a seal needs"):
        sealed_box.seal(key, b"alice", Secret(b"value"), nonce)


def test_it_stays_the_same_over_versions() -> None:
    kept = sealed_box.seal(KEY, b"alice", Secret(b"value"), NONCE)
    assert (
        kept.hex() == "016e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6edf25c99c15f3bbb79a3bc9059937f4eed5e6bc0352"
    ), "who is enrolled would be no longer, after an upgrade"
