"""What the user gave: readable, empty, or replaced by sshd."""

from __future__ import annotations

import pytest

from aad.core.answer import NOTHING, Plain, mangled
from aad.core.secret import Secret
from tests.parts.values import Unreadable


@pytest.mark.parametrize(("octets", "empty"), [(b"", True), (b"\0" * 16, True), (b"\0x", False), (b" ", False)])
def test_nothing_and_nuls_are_empty(octets: bytes, empty: bool) -> None:  # noqa: FBT001
    assert Plain(Secret(octets)).empty == empty


def test_only_the_same_octets_match() -> None:
    assert Plain(Secret("123456")).matches(Secret("123456"))
    assert not Plain(Secret("\uff11\uff12\uff13\uff14\uff15\uff16")).matches(Secret("123456"))
    assert not Plain(Secret("123456 ")).matches(Secret("123456"))
    assert not NOTHING.matches(Secret("123456"))


@pytest.mark.parametrize("length", [1, 4, 13, 14, 40])
def test_what_sshd_types_is_known_at_any_length(length: int) -> None:
    assert mangled(Plain(Secret((b"\b\n\r\x7fINCORRECT" * 4)[:length])))


@pytest.mark.parametrize("typed", [b"", b"INCORRECT", b"\b\n\r\x7fINCORRECt", b"\b\n\r\x7fINCORRECT\n", b"secret"])
def test_what_a_user_types_is_his_own(typed: bytes) -> None:
    assert not mangled(Plain(Secret(typed)))


def test_what_can_not_be_read_was_not_replaced() -> None:
    assert not mangled(Unreadable())
