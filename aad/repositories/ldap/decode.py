"""A strict reader of a directory's answers to one request (RFC 4511, BER). Pure.

It replaces ldap3's decoder, which reads an answer into as many objects as its octets claim, without a bound, and is the
oracle of the tests here. And it is faster: together with transport.py it took the instructions of a login from 4461 to
3952 thousand (7ca12a4; callgrind, 200 logins). `tools/bench --against REV --in-flight 16` compares CPU a login with
another revision.

1. A message belongs to the question or ends the connection: `NotLdapError`.
2. One that belongs to it and can't be read spoils that question alone, not the server: `UnreadableAnswerError`.
3. The first result ends a question.
4. All that answers one question has `MOST` octets and `_MOST_ELEMENTS` elements at most. What a message claims is held
   against that before it is waited for, and each length before anything is made of what it promises.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from aad.repositories.ldap.encode import (
    BOOLEAN,
    CONTROLS,
    ENUMERATED,
    INTEGER,
    MOST_OF_NUMBER,
    OCTETS,
    SEQUENCE,
    SET,
    BerError,
    elements,
    length,
    unsigned,
)
from aad.repositories.ldap.result_codes import NAMES, SIZE_LIMIT, SUCCESS, Result

BOUND, DONE, EXTENDED_DONE = 0x61, 0x65, 0x78  # results: RFC 4511 4.2.2, 4.5.2, 4.12
_ENTRY, _REFERENCE, _INTERMEDIATE = 0x64, 0x73, 0x79  # RFC 4511 4.5.2, 4.5.3, 4.13
_KINDS = {
    BOUND: "bindResponse",
    DONE: "searchResDone",
    EXTENDED_DONE: "extendedResp",
    _ENTRY: "searchResEntry",
    _REFERENCE: "searchResRef",
    _INTERMEDIATE: "intermediateResponse",
}
MOST = 1 << 19
"""Octets of all that answers one question; as objects they may be four times as much. A thousand groups have half."""

_MOST_ELEMENTS = 1 << 13
"""Of all that answers one question: as many take a hundredth of a second. A thousand groups have five thousand."""

_OF_A_MESSAGE = 2  # elements: itself and its number
_MOST_MESSAGE = 1000  # octets of what a server says of a result; no more is looked at
_NOTHING: Mapping[str, tuple[str, ...]] = {}
_SUCCESS = Result(SUCCESS, "success")
_MORE = Result(SIZE_LIMIT, NAMES[SIZE_LIMIT], "more entries than were asked for")
_WELL = bytes((ENUMERATED, 1, SUCCESS, OCTETS, 0, OCTETS, 0))  # no matchedDN, nothing to tell


class NotLdapError(Exception):
    """What came is no message, or none that answers the question: what follows can't be told."""


class UnreadableAnswerError(Exception):
    """A message answers the question, and can't be read."""


class Head(NamedTuple):
    """How a message begins: its octets in all, the number of its request, its operation (a tag), and where that is."""

    size: int
    number: int
    operation: int
    at: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a search: its DN, and its values by the attribute's name in lower case.

    `cut`: attributes that have more values than the server tells at once.
    """

    dn: str
    values: Mapping[str, tuple[str, ...]]
    cut: frozenset[str] = frozenset()


def head(octets: bytes | bytearray) -> Head | None:
    """Return how the first message begins; None: too few octets have come to know. NotLdapError: it is no message."""
    try:
        return _head(octets)
    except BerError as error:
        message = f"an answer that is no LDAP: {error}"
        raise NotLdapError(message) from None


def _head(octets: bytes | bytearray) -> Head | None:
    if octets and octets[0] != SEQUENCE:
        message = "it doesn't begin with a message"
        raise BerError(message)
    if (envelope := length(octets, 1)) is None or (number := length(octets, envelope[0] + 1)) is None:
        return None
    start, at, size = envelope[0], sum(number), sum(envelope)
    if octets[start] != INTEGER or number[1] > MOST_OF_NUMBER or at >= size:
        message = "a message without a number, or nothing behind it"
        raise BerError(message)
    if len(octets) <= at:
        return None
    return Head(size, unsigned(octets[number[0] : at]), octets[at], at)


class Question:
    """A request that waits for its answers, which gather in `entries` and `result`."""

    def __init__(self, number: int, kind: int, most: int = 0) -> None:
        """Begin with no answer.

        `number`: the request's, which its answers repeat; `kind`: the tag of the result that ends it; `most`: how many
        entries are kept.
        """
        self.entries: list[Entry] = []
        self.result: Result | None = None
        self._number, self._kind, self._most = number, kind, most
        self._more = False
        self._octets, self._elements = MOST, _MOST_ELEMENTS
        self._message = b""

    def expects(self, head: Head) -> None:
        """Check the head of a message before the rest has come. NotLdapError: it is no answer to this question.

        UnreadableAnswerError: it would be too large.
        """
        if head.number != self._number:
            raise NotLdapError(_stray(head))
        if head.size > self._octets:
            message = f"an answer of more than {MOST} octets"
            raise UnreadableAnswerError(message)

    def add(self, message: bytes, head: Head) -> bool:
        """Read a message that `expects` has checked; say whether it is the last. UnreadableAnswerError."""
        self._octets -= head.size
        self._elements -= _OF_A_MESSAGE
        self._message = message
        try:
            self._read(head)
        except ValueError as error:  # elements that aren't as many as belong there, too
            why = str(error) if isinstance(error, BerError) else "it isn't made as it should be"
            message_ = f"a {_kind(head.operation)} that can't be read: {why}"
            raise UnreadableAnswerError(message_) from None
        finally:
            self._message = b""
        return self.result is not None

    def _read(self, head: Head) -> None:
        (operation, begin, stop), *further = self._split(head.at, head.size)
        if operation == _ENTRY and self._kind == DONE:
            if len(self.entries) >= self._most:  # Samba 4.17 returns more than it was told to; none of them is kept
                self._more = True
                return
            self.entries.append(self._entry(begin, stop))
        elif operation == self._kind:
            result = self._result(begin, stop, further)
            self.result = _MORE if self._more and result.code == SUCCESS else result
        elif operation != _INTERMEDIATE and (operation, self._kind) != (_REFERENCE, DONE):
            message = f"a {_kind(operation)} instead of a {_kind(self._kind)}"
            raise UnreadableAnswerError(message)

    def _result(self, begin: int, stop: int, further: list[tuple[int, int, int]]) -> Result:
        message = self._message
        if not further and message[begin:stop] == _WELL:
            return _SUCCESS
        # RFC 4511 4: "Clients MUST ignore trailing SEQUENCE elements whose tags they do not recognize."
        (tag, start, end), (dn, _, _), (text, text_start, text_end), *_ = self._split(begin, stop)
        if (tag, dn, text) != (ENUMERATED, OCTETS, OCTETS):
            wrong = "it isn't made of a code and texts"
            raise BerError(wrong)
        code = unsigned(message[start:end])
        text_of_server = message[text_start : min(text_end, text_start + _MOST_MESSAGE)].decode(errors="replace")
        return Result(code, NAMES.get(code, "a result that isn't known"), text_of_server, self._controls(further))

    def _controls(self, further: list[tuple[int, int, int]]) -> dict[str, bytes]:
        """Read the values of the controls, by OID (RFC 4511 4.1.11)."""
        found: dict[str, bytes] = {}
        for _, start, end in (each for each in further if each[0] == CONTROLS):
            for tag, begin, stop in self._split(start, end):
                (oid, oid_start, oid_end), *rest = self._split(begin, stop)
                if rest and rest[0][0] == BOOLEAN and rest[0][2] - rest[0][1] == 1:  # criticality
                    del rest[0]
                name = self._message[oid_start:oid_end].decode(errors="replace")
                if (
                    (tag, oid) != (SEQUENCE, OCTETS)
                    or name in found
                    or [each[0] for each in rest] not in ([], [OCTETS])
                ):
                    wrong = "a control isn't made of an OID and a value"
                    raise BerError(wrong)
                found[name] = b"".join(self._message[at:to] for _, at, to in rest)
        return found

    def _entry(self, start: int, end: int) -> Entry:
        message = self._message
        (dn_tag, dn_start, dn_end), (list_tag, start, end) = self._split(start, end)
        if (dn_tag, list_tag) != (OCTETS, SEQUENCE):
            wrong = "it isn't made of a DN and attributes"
            raise BerError(wrong)
        attributes: dict[bytes, list[bytes]] = {}
        for tag, begin, stop in self._split(start, end):
            (name_tag, name, name_end), (set_tag, values, values_end) = self._split(begin, stop)
            found = self._split(values, values_end)
            attribute = message[name:name_end]
            if (tag, name_tag, set_tag) != (SEQUENCE, OCTETS, SET) or any(each[0] != OCTETS for each in found):
                wrong = "an attribute isn't made of a name and values"
                raise BerError(wrong)
            if attribute in attributes:
                wrong = "an attribute stands there twice"
                raise BerError(wrong)
            attributes[attribute] = [message[at:to] for _, at, to in found]
        return _entry(message[dn_start:dn_end], attributes)

    def _split(self, at: int, end: int) -> list[tuple[int, int, int]]:
        found = elements(self._message, at, end, self._elements)
        self._elements -= len(found)
        return found


def _entry(dn: bytes, attributes: Mapping[bytes, list[bytes]]) -> Entry:
    """Return the entry as text."""
    values: dict[str, list[str]] = {}
    cut = set()
    for attribute, octets in attributes.items():
        name, _, option = attribute.decode(errors="replace").lower().partition(";")
        if not option or option.startswith("range="):  # Active Directory, where there are more than 1500 values
            values.setdefault(name, []).extend([value.decode(errors="replace") for value in octets])
            if option and not option.endswith("-*"):  # MS-ADTS 3.1.1.3.1.3.3: "range=0-1499" isn't all
                cut.add(name)
    found = {name: tuple(texts) for name, texts in values.items()} or _NOTHING
    return Entry(dn.decode(errors="replace"), found, frozenset(cut))


def _stray(head: Head) -> str:
    """Say what a message is that answers no question that is open."""
    if head.number:
        return "an answer to another question"
    # RFC 4511 4.4.1: with this number it says that it closes.
    return "closed the connection" if head.operation == EXTENDED_DONE else "an answer to no question"


def unsolicited(head: Head) -> NotLdapError:
    """Return why a message that comes while nothing is asked ends the connection."""
    return NotLdapError(_stray(head._replace(number=0)))


def _kind(operation: int) -> str:
    return _KINDS.get(operation, f"message of the unknown kind {operation:#x}")
