"""Where the code stands that came with the password in one field."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aad.core.answer import Answer, Plain
from aad.core.secret import Secret
from aad.radius.password_with_code import OneField
from aad.radius.protocol.password import Chap

FULL_WIDTH = "\N{FULLWIDTH DIGIT ONE}\N{FULLWIDTH DIGIT TWO}".encode() * 3


def typed(octets: bytes) -> Plain:
    return Plain(Secret(octets))


def text(answer: Answer | None) -> bytes | None:
    return answer.text.reveal() if answer and answer.text is not None else None


@pytest.mark.parametrize(
    ("given", "password", "code"),
    [
        (b"secret,123456", b"secret", b"123456"),
        (b"se,cret,1234", b"se,cret", b"1234"),
        (b"caf\xe9,123456", b"caf\xe9", b"123456"),
        (b"secret", b"secret", None),
        (b"secret,", b"secret,", None),
        (b"secret,123", b"secret,123", None),
        (b"secret,12345678901", b"secret,12345678901", None),
        (b"secret,12345x", b"secret,12345x", None),
        (b"secret," + FULL_WIDTH, b"secret," + FULL_WIDTH, None),
        (b",123456", b"", b"123456"),
        (b"", b"", None),
    ],
)
def test_after_a_separator(given: bytes, password: bytes, code: bytes | None) -> None:
    answer, behind, perhaps = OneField(separator=",").read(typed(given))
    assert (text(answer), text(behind), perhaps) == (password, code, None)


@pytest.mark.parametrize(
    ("given", "both"),
    [
        (b"secret123456", (b"secret", b"123456")),
        (b"123456789012", (b"123456", b"789012")),
        (b"secret12345", None),
        (b"123456", None),
        (b"secret", None),
        (b"", None),
    ],
)
def test_as_the_last_digits(given: bytes, both: tuple[bytes, bytes] | None) -> None:
    answer, behind, perhaps = OneField(length=6).read(typed(given))
    assert (text(answer), behind) == (given, None)
    assert (perhaps and (text(perhaps[0]), text(perhaps[1]))) == both


@given(st.binary(max_size=40))
def test_where_none_is_expected_nothing_is_read(octets: bytes) -> None:
    answer = typed(octets)
    assert OneField().read(answer) == (answer, None, None)


def test_a_password_that_nobody_can_read_is_left_alone() -> None:
    chap = Chap(b"\1", bytes(16), bytes(16))
    assert OneField(separator=",").read(chap) == (chap, None, None)
    assert OneField(length=6).read(chap) == (chap, None, None)
