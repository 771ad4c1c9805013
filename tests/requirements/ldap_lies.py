"""A directory that lies: a table of lies, to which one may add, and the server that tells one of them.

Whatever it isn't to lie about it answers well, and lets everybody in: only the lie keeps anybody out.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat

from aad.repositories.ldap.result_codes import PASSWORD_POLICY
from tests.repositories.ldap.crooked import (
    BIND,
    BOUND,
    DONE,
    ENTRY,
    EXTENDED,
    EXTENDED_DONE,
    REFERENCE,
    Listening,
    ber,
    kind_of,
    number_in,
    result,
)

INTEGER, OCTETS, ENUMERATED, SEQUENCE, SET, CONTROLS = 0x02, 0x04, 0x0A, 0x30, 0x31, 0xA0
INTERMEDIATE, REFERRAL = 0x79, 0xA3
MUCH = 400_000  # octets: less than the bound, so that they are read
DRIP = 0.005  # seconds from one octet to the next

Says = Callable[[bytes], Iterable[bytes]]
"""Octets, given those of the request's number; perhaps without end."""

UNAVAILABLE, REJECTED = "login.unavailable", "login.rejected"


@dataclass(frozen=True)
class Lie:
    """`at`: "starttls", "account" (our own bind), "user" (the search), "groups" or "bind"; `log`: what the log says.

    `outage`: the server is out of order by it; else it is one login's trouble. `drip`: octet for octet.
    """

    name: str
    at: str
    says: Says
    log: str
    outage: bool = False
    record: str = UNAVAILABLE
    drip: bool = False
    ends: bool = False

    def __str__(self) -> str:
        """Name it."""
        return f"{self.at}: {self.name}"


def message(number: bytes, operation: bytes, controls: bytes = b"") -> bytes:
    return ber(SEQUENCE, ber(INTEGER, number), operation, controls)


def operations(*those: bytes) -> Says:
    return lambda number: [message(number, each) for each in those]


def endless(operation: bytes) -> Says:
    """Say it again and again, by the 64 KiB."""

    def says(number: bytes) -> Iterable[bytes]:
        one = message(number, operation)
        return repeat(one * (65536 // len(one) + 1))

    return says


def raw(*octets: bytes) -> Says:
    return lambda _: octets


def attribute(name: bytes, *values: bytes) -> bytes:
    return ber(SEQUENCE, ber(OCTETS, name), ber(SET, *(ber(OCTETS, value) for value in values)))


def person(name: bytes, *more: bytes) -> bytes:
    """Return the entry of a user."""
    said = attribute(b"uid", name), attribute(b"mail", name + b"@example.com"), *more
    return entry(b"uid=" + name + b",dc=example,dc=com", *said)


def entry(dn: bytes, *attributes: bytes) -> bytes:
    return ber(ENTRY, ber(OCTETS, dn), ber(SEQUENCE, *attributes))


def nested(depth: int) -> bytes:
    """Return so many sequences in one another; the innermost is empty."""
    return b"".join(b"\x30\x84" + (6 * (depth - 1 - level)).to_bytes(4) for level in range(depth))


def with_control(oid: bytes, *parts: bytes) -> Says:
    control = ber(CONTROLS, ber(SEQUENCE, ber(OCTETS, oid), *parts))
    return lambda number: [message(number, result(BOUND, 0), control)]


def announced(size: int, operation: int) -> Says:
    """Begin a message of so many octets, and go on as long as somebody listens."""

    def says(number: bytes) -> Iterator[bytes]:
        yield b"\x30\x84" + size.to_bytes(4) + ber(INTEGER, number) + bytes((operation, 0x84)) + (size - 13).to_bytes(4)
        yield from repeat(bytes(65536))

    return says


def another(number: bytes) -> bytes:
    return bytes((number[-1] + 1,))


def long_addresses(number: bytes) -> Iterable[bytes]:
    """Say well who it is, with addresses of 40 kB."""
    addresses = attribute(b"mail", *(b"%d" % each * 40_000 + b"@example.com" for each in range(9)))
    found = entry(b"uid=x,dc=example,dc=com", attribute(b"uid", b"x"), addresses)
    return [message(number, found), message(number, result(DONE, 0))]


def yes_and_noise(number: bytes) -> Iterator[bytes]:
    yield message(number, result(EXTENDED_DONE, 0))
    yield from repeat(b"\xa5" * 65536)


UNREAD = "that can't be read: "
GREATER = "an answer of more than 524288 octets"
_BIND = (
    Lie("a referral", "bind", operations(result(BOUND, 10, b"", ber(REFERRAL, ber(OCTETS, b"ldap://x/")))), "referral"),
    *(Lie(f"code {code}", "bind", operations(result(BOUND, code)), rf"\({code}\)") for code in (17, 80, 123, 124)),
    *(
        Lie(f"code {code}", "bind", operations(result(BOUND, code)), rf"directory: \w+ \({code}\)", record=REJECTED)
        for code in (19, 48, 50, 53)
    ),
    *(Lie(f"code {code}", "bind", operations(result(BOUND, code)), rf"\({code}\)", outage=True) for code in (51, 52)),
    Lie("nothing in it", "bind", operations(ber(BOUND)), UNREAD),
    Lie("a code alone", "bind", operations(ber(BOUND, ber(ENUMERATED, b"\0"))), UNREAD),
    Lie("a code without content", "bind", operations(ber(BOUND, b"\x0a\0\4\0\4\0")), UNREAD),
    Lie("a negative code", "bind", operations(ber(BOUND, b"\x0a\1\xff\4\0\4\0")), UNREAD),
    Lie("a long code", "bind", operations(ber(BOUND, ber(ENUMERATED, bytes(MUCH)), b"\4\0\4\0")), UNREAD),
    Lie("a number for a text", "bind", operations(ber(BOUND, b"\x0a\1\0\4\0", ber(INTEGER, bytes(MUCH)))), UNREAD),
    Lie("a truth for a text", "bind", operations(ber(BOUND, b"\x0a\1\0\4\0", ber(1, bytes(MUCH)))), UNREAD),
    Lie("sequences in sequences", "bind", operations(ber(BOUND, b"\x0a\1\0\4\0", nested(MUCH // 6))), UNREAD),
    Lie("two gigabytes within it", "bind", operations(ber(BOUND, b"\x0a\1\0\4\0\4\x84\x7f\xff\xff\xff")), UNREAD),
    Lie("a length without end", "bind", operations(ber(BOUND, b"\x0a\1\0\4\0\x24\x80\0\0")), UNREAD),
    Lie("empty elements", "bind", operations(ber(BOUND, b"\4\0" * (MUCH // 2))), UNREAD),
    Lie("a long text", "bind", operations(result(BOUND, 80, b"\xff" * MUCH)), r"other \(80"),
    Lie("another result", "bind", operations(result(DONE, 0)), "a searchResDone instead of a bindResponse"),
    Lie("an entry", "bind", operations(entry(b"uid=x")), "a searchResEntry instead of a bindResponse"),
    Lie(
        "no first, then yes", "bind", operations(result(BOUND, 49), result(BOUND, 0)), "wrong password", record=REJECTED
    ),
    Lie("unreadable, then yes", "bind", operations(ber(BOUND), result(BOUND, 0)), UNREAD),
    Lie(
        "a policy of elements",
        "bind",
        with_control(PASSWORD_POLICY.encode(), ber(OCTETS, b"\4\0" * 190_000)),
        "success",
    ),
    Lie("a truth of thousands", "bind", with_control(b"1.2", ber(1, bytes(MUCH)), ber(OCTETS)), UNREAD),
    Lie("intermediate without end", "bind", endless(ber(INTERMEDIATE)), UNREAD),
    Lie("two gigabytes", "bind", announced(2**31 - 1, BOUND), GREATER),
    Lie("four gigabytes", "bind", announced(2**32 - 1, BOUND), GREATER),
    Lie("yes, to nobody", "bind", lambda _: [message(b"\0", result(BOUND, 0))], "to no question", outage=True),
    Lie("yes, to another", "bind", lambda n: [message(another(n), result(BOUND, 0))], "another question", outage=True),
    Lie("yes, to a negative one", "bind", lambda _: [message(b"\xff", result(BOUND, 0))], "negative", outage=True),
    Lie(
        "farewell", "bind", lambda _: [message(b"\0", result(EXTENDED_DONE, 52))], "closed the connection", outage=True
    ),
    Lie("a long number", "bind", lambda _: [message(bytes(MUCH), result(BOUND, 0))], "without a number", outage=True),
    Lie(
        "a number of gigabytes",
        "bind",
        raw(b"\x30\x84\x7f\xff\xff\xff\x02\x84\x7f\xff\xff\xf0"),
        "no LDAP",
        outage=True,
    ),
    Lie("no length", "bind", raw(b"\x30\x80\x02\x01\x01"), "a length without end", outage=True),
    Lie("a length of 127 octets", "bind", raw(b"\x30\xff" + bytes(127)), "a length of 127 octets", outage=True),
    Lie("HTTP", "bind", raw(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "no LDAP", outage=True),
    Lie("noise", "bind", lambda _: repeat(b"\xa5" * 65536), "no LDAP", outage=True),
    Lie("silence", "bind", raw(), "no answer within", outage=True),
    Lie("drops", "bind", operations(result(BOUND, 0, bytes(MUCH))), "no answer within", outage=True, drip=True),
    Lie("half of it", "bind", raw(b"\x30\x0c\x02\x01"), "closed the connection", outage=True, ends=True),
)
_USER = (
    Lie("entries without end", "user", endless(person(b"x")), UNREAD + "more"),
    Lie(
        "large entries without end",
        "user",
        endless(entry(b"x", attribute(b"uid", bytes(200_000)))),
        GREATER,
    ),
    Lie("references without end", "user", endless(ber(REFERENCE, ber(OCTETS, b"ldap://x/"))), UNREAD + "more"),
    Lie("intermediate without end", "user", endless(ber(INTERMEDIATE)), UNREAD + "more"),
    Lie("empty values", "user", operations(entry(b"x", attribute(b"mail", *[b""] * 60_000))), UNREAD + "more"),
    Lie("short values", "user", operations(ber(ENTRY, ber(OCTETS, b"x"), b"\4\0" * 190_000)), UNREAD + "more"),
    Lie("empty attributes", "user", operations(entry(b"x", *[attribute(b"")] * 20_000)), UNREAD),
    Lie("one attribute twice", "user", operations(person(b"x", attribute(b"uid", b"y")), result(DONE, 0)), UNREAD),
    Lie(
        "a long name",
        "user",
        operations(entry(b"x", attribute(b"uid", b"\xcc\x88" * 190_000)), result(DONE, 0)),
        "name",
    ),
    Lie("a long DN", "user", operations(entry(b"\xcc\x88" * 190_000), result(DONE, 0)), "name"),
    Lie("a number for a DN", "user", operations(ber(ENTRY, ber(INTEGER, bytes(MUCH)), ber(SEQUENCE))), UNREAD),
    Lie("numbers for values", "user", operations(entry(b"x", ber(SEQUENCE, b"\4\1x", ber(SET, b"\2\1\1")))), UNREAD),
    Lie("nothing in the end", "user", operations(person(b"x"), ber(DONE)), UNREAD),
    Lie("another result", "user", operations(result(BOUND, 0)), "a bindResponse instead of a searchResDone"),
    Lie("code 80", "user", operations(result(DONE, 80)), r"other \(80\)"),
    Lie("two gigabytes", "user", announced(2**31 - 1, ENTRY), GREATER),
    Lie("long addresses", "user", long_addresses, "no usable address", record=REJECTED),
)
_OTHERS = (
    Lie("groups without end", "groups", endless(entry(b"cn=x")), UNREAD + "more"),
    Lie("code 80", "groups", operations(result(DONE, 80)), r"other \(80\)"),
    Lie("code 4", "groups", operations(entry(b"cn=x"), result(DONE, 4)), r"sizeLimitExceeded \(4\)"),
    Lie("nothing in it", "groups", operations(ber(DONE)), UNREAD),
    Lie("nothing in it", "account", operations(ber(BOUND)), "our own account .* was refused: ", outage=True),
    Lie("code 49", "account", operations(result(BOUND, 49)), "our own account .* was refused: ", outage=True),
    Lie("two gigabytes", "account", announced(2**31 - 1, BOUND), "our own account .*" + GREATER, outage=True),
    Lie("intermediate without end", "account", endless(ber(INTERMEDIATE)), "our own account .*", outage=True),
    Lie("two gigabytes", "starttls", announced(2**31 - 1, EXTENDED_DONE), GREATER, outage=True),
    Lie("intermediate without end", "starttls", endless(ber(INTERMEDIATE)), UNREAD + "more|before TLS", outage=True),
    Lie("noise", "starttls", lambda _: repeat(b"\xa5" * 65536), "no LDAP", outage=True),
    # What comes behind the yes may be read with it, or by TLS.
    Lie(
        *("yes, and more", "starttls", operations(result(EXTENDED_DONE, 0), result(BOUND, 0))),
        "before TLS|wrong version",
        outage=True,
    ),
    Lie("yes, and noise", "starttls", yes_and_noise, "before TLS|SSL|wrong version", outage=True),
    Lie(
        "drops",
        "starttls",
        operations(result(EXTENDED_DONE, 0, bytes(MUCH))),
        "no answer within",
        outage=True,
        drip=True,
    ),
)
LIES = (*_BIND, *_USER, *_OTHERS)


class LyingDirectory(Listening):
    """Tells one lie to whoever asks what it is about."""

    def __init__(self, lie: Lie) -> None:
        self.lie = lie
        self.told = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request after the other."""
        while octets := await reader.read(65536):
            if about(octets) == self.lie.at:
                self.told += 1
                await self._lie(number_in(octets), writer)
                if self.lie.ends:
                    return
            else:
                writer.write(b"".join(message(number_in(octets), each) for each in _well(octets)))
            await writer.drain()

    async def _lie(self, number: bytes, writer: asyncio.StreamWriter) -> None:
        for octets in self.lie.says(number):
            if self.lie.drip:
                for octet in octets:
                    writer.write(bytes((octet,)))
                    await asyncio.sleep(DRIP)
            writer.write(b"" if self.lie.drip else octets)
            await writer.drain()


def about(request: bytes) -> str:
    """Say which of the questions it is."""
    if kind_of(request) == EXTENDED:
        return "starttls"
    if kind_of(request) == BIND:
        return "bind" if re.search(rb"uid=", request) else "account"
    return "groups" if b"uniqueMember" in request else "user"


def _well(request: bytes) -> list[bytes]:
    """Answer as a directory does that lets in everybody whose name is made of "user" and two digits."""
    question, name = about(request), re.search(rb"user[0-9]{2}", request)
    if question == "starttls":
        return [result(EXTENDED_DONE, 0)]
    if question in {"bind", "account"}:
        return [result(BOUND, 0)]
    return [*([person(name[0])] if name and question == "user" else []), result(DONE, 0)]
