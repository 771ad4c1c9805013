"""Octets -> answers, in the server's protocol (RESP 2); an answer's bounds are checked before anything is allocated.

A header alone can announce 2^31 values, or arrays in arrays without end: each has a bound here. It stands in the place
of hiredis, which has none, and holds whatever is announced until it is there: 189 MB of a value of 512 MiB, before
redis-py gave up (python -m tools.bench_parts.codecs valkey).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

LARGEST = 512 * 1024  # octets of one answer
MOST = 8192  # values in it
DEEPEST = 3  # arrays in one another
LONGEST = 4096  # octets of a line: a header, a status, an error
_DIGITS = 20  # of an integer of 64 bits, with its sign
_QUOTED = 200  # octets of an error
_WORD = re.compile(r"[A-Za-z'_-]{1,24}[.,:;]?")
_INTEGER, _BULK, _ARRAY, _STATUS, _ERROR = b":$*+-"
_BEGUN = object()

Answer = Any
"""bytes, int, None, a list of answers, or an ErrorReply."""
Shape = Callable[[Answer], bool]
"""Says whether an answer has the type that a command's answer must have."""


class MalformedReplyError(Exception):
    """The octets are no answer, or one beyond its bounds; the text says why."""


class ErrorReply:
    """An error that the server answers, without words that aren't letters alone: those may be a ticket of ours."""

    def __init__(self, line: bytes) -> None:
        """`line`: the server's words; the first 200 octets are quoted."""
        self._text = " ".join(filter(_WORD.fullmatch, line[:_QUOTED].decode("latin-1").split()))

    def __str__(self) -> str:
        """Return the words for the log."""
        return self._text


class ReplyReader:
    """Cuts what a server sends into answers, and holds what isn't complete: at most one answer, within its bounds."""

    def __init__(self) -> None:
        """Expect the beginning of an answer."""
        self._rest = bytearray()
        self._needed = 0  # octets, before the rest is worth another look
        self._open: list[tuple[list[Answer], int]] = []  # arrays that aren't complete, and how many values each has
        self._left, self._values = LARGEST, MOST  # what the answer that has begun may still have

    def read(self, octets: bytes) -> Iterator[Answer]:
        """Yield each answer that is complete with these octets. MalformedReplyError: no other one will be."""
        if self._rest:
            self._rest += octets
            if len(self._rest) < self._needed:
                return
            octets, self._rest = bytes(self._rest), bytearray()
        at = self._needed = 0
        while (end := octets.find(b"\r\n", at, at + LONGEST)) >= 0:
            value, following = self._value(octets, at, end)
            if following > len(octets):
                self._needed = following - at
                break
            self._left -= following - at
            at = following
            if self._open and (value := self._placed(value)) is _BEGUN:
                continue
            self._left, self._values = LARGEST, MOST
            yield value
        self._keep(octets, at)

    def _keep(self, octets: bytes, at: int) -> None:
        """Hold the beginning of an answer that isn't complete."""
        if not self._needed and len(octets) - at >= LONGEST:
            what = f"a line of more than {LONGEST} octets"
            raise MalformedReplyError(what)
        if at < len(octets):
            self._rest += octets[at:]

    def _value(self, octets: bytes, at: int, end: int) -> tuple[Answer, int]:
        """Return the value whose header is at `at`, and where the next one begins: beyond the octets: incomplete."""
        kind, line, following = octets[at], octets[at + 1 : end], end + 2
        if following - at > self._left:
            raise _too_large()
        if kind == _BULK:
            return self._bulk(octets, following, _number(line))
        if kind == _INTEGER:
            return _number(line), following
        if kind == _ARRAY:
            return self._array(_number(line)), following
        if kind == _STATUS:
            return line, following
        if kind == _ERROR:
            return ErrorReply(line), following
        what = "octets of another protocol"
        raise MalformedReplyError(what)

    def _bulk(self, octets: bytes, at: int, size: int) -> tuple[bytes | None, int]:
        if size < 0:
            return None, at
        if size > self._left:
            raise _too_large()
        stop = at + size
        following = stop + 2
        if following <= len(octets) and octets[stop:following] != b"\r\n":
            what = "a value that is longer than announced"
            raise MalformedReplyError(what)
        return octets[at:stop], following

    def _array(self, count: int) -> Answer:
        if count <= 0:
            return None if count else []
        if count > self._values:
            what = f"an answer of more than {MOST} values"
            raise MalformedReplyError(what)
        if len(self._open) >= DEEPEST:
            what = f"more than {DEEPEST} arrays in one another"
            raise MalformedReplyError(what)
        self._values -= count
        self._open.append(([], count))
        return _BEGUN

    def _placed(self, value: Answer) -> Answer:
        """Put a value into the array that is open; return the answer, if it is complete with it, else _BEGUN."""
        if value is _BEGUN:
            return value
        while self._open:
            values, count = self._open[-1]
            values.append(value)
            if len(values) < count:
                return _BEGUN
            self._open.pop()
            value = values
        return value


def _number(digits: bytes) -> int:
    if len(digits) <= _DIGITS and (digits.isdigit() or (digits[:1] == b"-" and digits[1:].isdigit())):
        return int(digits)
    what = "a number that can't be read"
    raise MalformedReplyError(what)


def _too_large() -> MalformedReplyError:
    return MalformedReplyError(f"an answer of more than {LARGEST} octets")


def number(answer: Answer) -> bool:
    """Say whether it is a number."""
    return type(answer) is int


def octets(answer: Answer) -> bool:
    """Say whether it is a string of octets."""
    return type(answer) is bytes


def maybe(shape: Shape) -> Shape:
    """Return the shape of an answer that may be None."""
    return lambda answer: answer is None or shape(answer)


def listed(shape: Shape, most: int = MOST) -> Shape:
    """Return the shape of a list of up to `most` such answers."""
    return lambda answer: type(answer) is list and len(answer) <= most and all(map(shape, answer))


def several(*shapes: Shape) -> Shape:
    """Return the shape of a list of exactly these answers, in order."""

    def fits(answer: Answer) -> bool:
        if type(answer) is not list or len(answer) != len(shapes):
            return False
        for shape, each in zip(shapes, answer, strict=True):  # noqa: SIM110 - all() takes twice as long
            if not shape(each):
                return False
        return True

    return fits
