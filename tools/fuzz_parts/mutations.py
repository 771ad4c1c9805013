"""Datagrams for the fuzzer: requests of every kind, twisted before and after they are signed. All from one seed."""

from __future__ import annotations

import random
from collections import deque

from aad.core.secret import Secret
from aad.radius.protocol import client_packets, constants
from aad.radius.protocol.wire import LARGEST, Attribute, microsoft_attribute
from tests.parts.daemon import SECRET

CODES = (1, 1, 1, 1, 1, 1, 12, 2, 3, 4, 11, 0, 255)
KNOWN_TYPES = tuple(value for name, value in vars(constants).items() if name.isupper() and isinstance(value, int))
LENGTHS = (0, 1, 2, 15, 16, 17, 18, 32, 49, 50, 128, 144, 252, 253)
NAMES = (
    b"",
    b"alice",
    b"ALICE",
    b"a" * 253,
    b"*",
    b"a)(uid=*",
    b"\x00",
    b"\xff\xfe",
    "\uff41lice".encode(),
    b"a\r\nBcc: x@y",
)
PASSWORDS = (b"", b"right", b"wrong", b"123456", b"\x00" * 16, b"x" * 128, b"\b\n\r\x7fINCORRECT", b"right123456")
NUMBERS = (0, 1, 19, 20, 21, 4095, 4096, 4097, 65535)


class Mutations:
    """Makes datagrams, one after the other; States that were learned come back in later ones."""

    def __init__(self, seed: int, users: int) -> None:
        """Start with `seed`; there are users called user0000 and so on, whose password is `right`."""
        self._random = random.Random(seed)  # noqa: S311 - to be repeated
        self._users = users
        self.states: deque[bytes] = deque(maxlen=50)

    def next(self) -> bytes:
        """Return the next datagram."""
        if self._chance(0.05):
            return self._octets(self._random.choice((0, 1, 19, 20, 60, 4096, 5000)))
        identifier, authenticator = self._random.randrange(256), self._octets(16)
        secret = Secret(SECRET if self._chance(0.9) else "another secret")
        attributes = self._request(authenticator, secret)
        for _ in range(self._random.choice((0, 0, 0, 1, 1, 2, 5))):
            self._twist(attributes)
        code = self._random.choice(CODES)
        try:
            datagram = client_packets.request(identifier, authenticator, attributes, secret, code)
        except ValueError:  # too much
            datagram = client_packets.request(identifier, authenticator, attributes[:10], secret, code)
        return self._spoilt(datagram) if self._chance(0.25) else datagram

    def _request(self, authenticator: bytes, secret: Secret) -> list[Attribute]:
        some = f"user{self._random.randrange(self._users):04}".encode()
        name = some if self._chance(0.7) else self._random.choice(NAMES)
        typed = Secret(self._random.choice(PASSWORDS))
        number, challenge = self._random.randrange(256), self._octets(16)
        ways = (
            lambda: client_packets.pap(typed, authenticator, secret),
            lambda: client_packets.pap(typed, authenticator, secret),
            lambda: client_packets.chap(typed, challenge, number),
            lambda: client_packets.mschapv2(Secret("right"), some.decode(), challenge, self._octets(16), number),
            lambda: [(constants.EAP_MESSAGE, self._octets(30))],
            lambda: [(self._random.choice((constants.USER_PASSWORD, constants.CHAP_PASSWORD)), self._value())],
            list,
        )
        attributes: list[Attribute] = [(constants.USER_NAME, name), *self._random.choice(ways)()]
        if self._chance(0.3):
            known = self.states and self._chance(0.8)
            attributes.append((constants.STATE, self._random.choice(self.states) if known else self._value()))
        if self._chance(0.2):
            attributes += [(constants.PROXY_STATE, self._value()) for _ in range(self._random.choice((1, 2, 5)))]
        return attributes

    def _twist(self, attributes: list[Attribute]) -> None:
        at = self._random.randrange(len(attributes) + 1)
        ways = (
            lambda: attributes.insert(at, (self._kind(), self._value())),
            lambda: attributes.insert(at, microsoft_attribute(self._random.choice((1, 11, 25, 26)), self._octets(50))),
            lambda: attributes.insert(at, (constants.VENDOR_SPECIFIC, b"\x00\x00\x01\x37" + self._octets(9))),
            lambda: attributes.extend(attributes[:at]),
            lambda: attributes.extend([(self._kind(), b"")] * self._random.choice((10, 198, 201))),
            lambda: attributes.extend([(constants.PROXY_STATE, self._octets(253))] * self._random.choice((14, 15))),
            lambda: attributes.__delitem__(slice(at, at + 1)),
            lambda: attributes.__setitem__(slice(at, at + 1), [(self._kind(), self._value())]),
            lambda: self._random.shuffle(attributes),
        )
        self._random.choice(ways)()

    def _spoilt(self, datagram: bytes) -> bytes:
        octets = bytearray(datagram)
        at = self._random.randrange(len(octets))
        way = self._random.randrange(5)
        if way == 0:
            octets[at] ^= 1 << self._random.randrange(8)
        elif way == 1:
            del octets[at:]
        elif way == 2:  # noqa: PLR2004 - the third way
            octets += self._octets(self._random.choice((1, 20, LARGEST)))
        elif way == 3:  # noqa: PLR2004 - the fourth
            octets[2:4] = self._random.choice(NUMBERS).to_bytes(2, "big")
        else:
            octets[at:at] = octets[at : at + self._random.randrange(60)]
        return bytes(octets)

    def _kind(self) -> int:
        return self._random.choice(KNOWN_TYPES) % 256 if self._chance(0.7) else self._random.randrange(256)

    def _value(self) -> bytes:
        return self._octets(self._random.choice(LENGTHS))

    def _octets(self, count: int) -> bytes:
        return self._random.randbytes(count)

    def _chance(self, share: float) -> bool:
        return self._random.random() < share
