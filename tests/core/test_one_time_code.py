"""A code: HOTP over a key that only both, installation's key and nonce, give away."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aad.core import one_time_code
from aad.core.answer import Plain
from aad.core.secret import Secret

KEY, NONCE = Secret(b"k" * 32), b"n" * 16
octets = st.binary(min_size=16, max_size=48)
lengths = st.integers(one_time_code.SHORTEST, one_time_code.LONGEST)


def truncated(key: bytes, counter: int, digits: int) -> str:
    """Compute HOTP after RFC 4226 5.3, by hand."""
    mac = hmac.digest(key, counter.to_bytes(8, "big"), hashlib.sha1)
    offset = mac[-1] & 0xF
    number = int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFFFFFF
    return str(number % 10**digits).zfill(digits)


def test_by_hand_is_as_the_rfc_says() -> None:
    """RFC 4226, Appendix D."""
    assert [truncated(b"12345678901234567890", count, 6) for count in range(3)] == ["755224", "287082", "359152"]


@given(octets, octets, lengths)
def test_it_is_hotp_over_the_derived_key(key: bytes, nonce: bytes, length: int) -> None:
    derived = hmac.new(key, b"aad one-time code\0" + nonce, hashlib.sha256).digest()
    issued = one_time_code.issue(Secret(key), nonce, length).text()
    assert issued == truncated(derived, 0, length)
    if length >= 6:  # pyotp makes none shorter
        assert pyotp.HOTP(base64.b32encode(derived).decode(), digits=length).verify(issued, 0)


@given(octets, octets, lengths)
def test_it_is_so_many_ascii_digits(key: bytes, nonce: bytes, length: int) -> None:
    issued = one_time_code.issue(Secret(key), nonce, length).reveal()
    assert len(issued) == length
    assert set(issued) <= set(b"0123456789")


def test_it_stays_the_same_over_versions() -> None:
    assert one_time_code.issue(KEY, NONCE, 6).text() == "553150", (
        "logins that wait during an upgrade could not be answered"
    )


def test_another_nonce_or_key_gives_another_code() -> None:
    by_nonce = {one_time_code.issue(KEY, number.to_bytes(16, "big"), 10).text() for number in range(200)}
    by_key = {one_time_code.issue(Secret(number.to_bytes(16, "big")), NONCE, 10).text() for number in range(200)}
    assert len(by_nonce) == len(by_key) == 200


def test_a_shorter_code_is_no_other_login() -> None:
    assert one_time_code.issue(KEY, NONCE, 6).text() == one_time_code.issue(KEY, NONCE, 8).text()[-6:]


@given(lengths, st.data())
def test_only_the_code_is_right(length: int, data: st.DataObject) -> None:
    right = one_time_code.issue(KEY, NONCE, length).text()
    assert one_time_code.check(Plain(Secret(right)), KEY, NONCE, length)
    typed = data.draw(st.text("0123456789", min_size=length, max_size=length).filter(lambda typed: typed != right))
    assert not one_time_code.check(Plain(Secret(typed)), KEY, NONCE, length)


@pytest.mark.parametrize(
    "spelled",
    [
        lambda right: "".join(chr(0xFF10 + int(digit)) for digit in right),  # full-width
        lambda right: "".join(chr(0x0660 + int(digit)) for digit in right),  # Arabic-Indic
        lambda right: right + " ",
        lambda right: " " + right,
        lambda right: right + "\0",
        lambda right: right + "\n",
        lambda right: right[:-1],
        lambda right: "0" + right,
        lambda _: "",
    ],
)
def test_what_only_looks_like_the_code_is_wrong(spelled: object) -> None:
    assert callable(spelled)
    right = one_time_code.issue(KEY, NONCE, 6).text()
    assert not one_time_code.check(Plain(Secret(spelled(right))), KEY, NONCE, 6)


@pytest.mark.parametrize(
    ("key", "nonce", "length"),
    [(Secret(b"k" * 15), NONCE, 6), (KEY, b"n" * 15, 6), (KEY, b"", 6), (KEY, NONCE, 3), (KEY, NONCE, 11)],
)
def test_too_little_makes_no_code(key: Secret, nonce: bytes, length: int) -> None:
    with pytest.raises(ValueError, match="16 octets and 4 to 10 digits"):
        one_time_code.issue(key, nonce, length)
