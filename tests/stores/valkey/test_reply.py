"""What a Valkey server sends, cut into answers: in whatever pieces it comes, and never more than an answer may be."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aad.stores.valkey import reply
from aad.stores.valkey.reply import DEEPEST, LARGEST, LONGEST, MOST, ErrorReply, MalformedReplyError, ReplyReader, Shape

WORDS = st.none() | st.integers(-(2**63), 2**63 - 1) | st.binary(max_size=40)
DEEP = st.recursive(WORDS, lambda each: st.lists(each, max_size=4), max_leaves=6)


def _depth(answer: Any) -> int:
    return 1 + max(map(_depth, answer), default=0) if isinstance(answer, list) else 0


def written(answer: Any) -> bytes:
    match answer:
        case None:
            return b"$-1\r\n"
        case int():
            return b":%d\r\n" % answer
        case bytes():
            return b"$%d\r\n%b\r\n" % (len(answer), answer)
    return b"*%d\r\n" % len(answer) + b"".join(map(written, answer))


def read(pieces: Iterable[bytes], reader: ReplyReader | None = None) -> list[Any]:
    reader = reader or ReplyReader()
    return [answer for piece in pieces for answer in reader.read(piece)]


@given(st.lists(DEEP.filter(lambda one: _depth(one) <= DEEPEST), max_size=4), st.integers(1, 30))
def test_answers_are_read_in_whatever_pieces_they_come(answers: list[Any], size: int) -> None:
    octets = b"".join(map(written, answers))
    assert read(octets[at : at + size] for at in range(0, len(octets), size)) == answers


def test_statuses_errors_and_nothing() -> None:
    said = read([b"+OK\r\n*-1\r\n*0\r\n-NOPERM this user 'x1' may not EVALSHA, 8f2c on @user_script:4.\r\n"])
    assert said[:3] == [b"OK", None, []]
    assert str(said[3]) == "NOPERM this user may not EVALSHA, on"


def test_the_largest_answer_is_read() -> None:
    value = b"x" * (LARGEST - 64)
    assert read([written(value)[at : at + 65536] for at in range(0, LARGEST, 65536)]) == [value]
    assert read([written([1] * MOST)]) == [[1] * MOST]
    assert read([b"+" + b"x" * (LONGEST - 3) + b"\r\n"]) == [b"x" * (LONGEST - 3)]


MALFORMED = {
    "two thousand million values": b"*2147483647\r\n",
    "as many in a set": b"~2147483647\r\n",
    "more values than there may be": b"*%d\r\n" % (MOST + 1),
    "as many in several lists": b"*3\r\n" + (b"*%d\r\n" % (MOST // 2) + b":1\r\n" * (MOST // 2)) * 2,
    "lists in lists": b"*1\r\n" * 100_000,
    "a value of two thousand million octets": b"$2147483647\r\n",
    "values without end": b"*200\r\n" + (b"$60000\r\n" + b"x" * 60000 + b"\r\n") * 200,
    "lines without end": b"*8000\r\n" + (b"+" + b"x" * 1000 + b"\r\n") * 8000,
    "a line without end": b"+" + b"x" * 10_000,
    "a number without end": b":" + b"9" * 10_000 + b"\r\n",
    "a number that is none": b":1_0\r\n",
    "a sign too many": b"$--1\r\n",
    "no number": b"*\r\n",
    "a size in words": b"$one\r\n",
    "a push": b">2\r\n+invalidate\r\n*0\r\n",
    "a map": b"%1\r\n+a\r\n+b\r\n",
    "a boolean": b"#t\r\n",
    "another protocol": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "a value longer than announced": b"$3\r\nvalue\r\n",
    "an empty line": b"\r\n",
}


@pytest.mark.parametrize("what", MALFORMED)
@pytest.mark.parametrize("size", [1, 4096, 1 << 20])
def test_what_is_no_answer_or_too_large_is_refused_before_it_is_held(what: str, size: int) -> None:
    octets = MALFORMED[what]
    pieces = [octets[at : at + size] for at in range(0, min(len(octets), size * 600_000), size)]
    reader = ReplyReader()
    tracemalloc.start()
    try:
        with pytest.raises(MalformedReplyError):
            read(pieces, reader)
        assert tracemalloc.get_traced_memory()[1] < 2 * 1024 * 1024 + size
    finally:
        tracemalloc.stop()


SHAPES: dict[str, tuple[Shape, list[Any], list[Any]]] = {
    "number": (reply.number, [1, -1], [b"1", None, [1]]),
    "maybe": (reply.maybe(reply.octets), [None, b""], [1, []]),
    "listed": (reply.listed(reply.octets), [[], [b"x", b""]], [b"xx", [b"x", 1], None]),
    "several": (
        reply.several(reply.octets, reply.number),
        [[b"x", 1]],
        [[b"x"], [b"x", 1, 1], [1, b"x"], b"x1", None, [b"x", ErrorReply(b"no")]],
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name: str) -> None:
    fits, good, bad = SHAPES[name]
    assert (list(map(fits, good)), list(map(fits, bad))) == ([True] * len(good), [False] * len(bad))
