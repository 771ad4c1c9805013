"""Recovery codes: ten that nobody guesses, read as people write them, each crossed off."""

from __future__ import annotations

import pytest

from aad.core.answer import Plain
from aad.core.recovery import Batch, spelled
from aad.core.secret import Secret

KEY, BATCH = Secret(b"k" * 32), Batch(b"s" * 16)
CODES = {number: code.text() for number, code in BATCH.codes(KEY).items()}


class Chap:
    """As CHAP's: it can be checked and not read."""

    text = None
    empty = False

    def __init__(self, typed: str) -> None:
        self.typed = Secret(typed)

    def matches(self, expected: Secret) -> bool:
        return self.typed == expected


def test_ten_different_ones_of_fifty_bits() -> None:
    assert len(set(CODES.values())) == 10
    assert all(len(code) == 10 and code.isascii() and code.isalnum() for code in CODES.values())
    many = {code.text() for n in range(50) for code in Batch(bytes([n]) * 16).codes(KEY).values()}
    assert len(many) == 500
    assert len({letter for code in many for letter in code}) == 32
    assert not set("ilou") & {letter for code in many for letter in code}


def test_another_key_gives_others() -> None:
    assert not {code.text() for code in BATCH.codes(Secret(b"K" * 32)).values()} & set(CODES.values())


def test_they_stay_the_same_over_versions() -> None:
    assert CODES[0] == "jeda4exsnm", "nobody's sheet of paper would be good any longer"


@pytest.mark.parametrize("number", range(10))
def test_each_is_known_however_it_is_written(number: int) -> None:
    code = CODES[number]
    for written in (code, code.upper(), f"{code[:5]}-{code[5:]}", f" {code[:5]} {code[5:]} ", code.replace("0", "O")):
        assert BATCH.number(Plain(Secret(written)), KEY) == number
    for written in (code, spelled(Secret(code)).text()):
        assert BATCH.number(Chap(written), KEY) == number


@pytest.mark.parametrize("typed", ["", CODES[0][:-1], CODES[0] + "0", CODES[0] + "\0"])
def test_what_is_no_code(typed: str) -> None:
    assert BATCH.number(Plain(Secret(typed)), KEY) is None


def test_a_used_one_is_none_any_longer() -> None:
    after = BATCH.without(4)
    assert after.left == (0, 1, 2, 3, 5, 6, 7, 8, 9)
    assert after.number(Plain(Secret(CODES[4])), KEY) is None
    assert after.number(Plain(Secret(CODES[5])), KEY) == 5
    assert Batch.decoded(after.encoded()) == after


@pytest.mark.parametrize("key,salt", [(Secret(b"k" * 15), b"s" * 16), (KEY, b"s" * 15)])  # noqa: PT006
def test_too_little_makes_no_codes(key: Secret, salt: bytes) -> None:
    with pytest.raises(ValueError, match="recovery codes need"):
        Batch(salt).codes(key)
