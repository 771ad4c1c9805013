"""A RADIUS server that lies about passwords: in a thread, as a lie here is small.

Lies: the datagrams that come instead of the reply, from where, and what the log says then.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from aad.core.secret import Secret
from aad.radius.protocol import constants, packet
from aad.radius.protocol.constants import ACCESS_ACCEPT, ACCESS_CHALLENGE
from aad.radius.protocol.packet import Request
from aad.radius.protocol.wire import HEADER, LARGEST, Attribute, response_authenticator
from tests.parts.part import Part
from tests.parts.ports import free_port

SHARED = Secret("the secret of two servers")
INVALID = "no valid reply in time|none was a valid reply"
FLOODED = "1000 datagrams came, and none was a valid reply"
MANY = 3000
Says = Callable[[Request], Iterable[bytes]]


@dataclass(frozen=True)
class Lie:
    """`told`: a pattern of what the daemon's log says."""

    says: Says
    told: str = INVALID
    elsewhere: bool = False


def reply(request: Request, *attributes: Attribute, code: int = ACCESS_ACCEPT, secret: Secret = SHARED) -> bytes:
    return packet.reply(request, code, attributes, secret)


def resigned(octets: bytes, request: Request) -> bytes:
    """Return a reply with a Response Authenticator that is right."""
    right = response_authenticator(octets[:4], request.authenticator, octets[HEADER:], SHARED)
    return octets[:4] + right + octets[HEADER:]


def changed(change: Callable[[bytes], bytes], *attributes: Attribute, times: int = 1) -> Says:
    """Return an accept that was changed, and has a right Response Authenticator again."""

    def says(request: Request) -> Iterator[bytes]:
        return (resigned(change(reply(request, *attributes)), request) for _ in range(times))

    return says


def unsigned(octets: bytes) -> bytes:
    """Leave Message-Authenticator out, which comes first."""
    rest = octets[HEADER + 18 :]
    return octets[:2] + (HEADER + len(rest)).to_bytes(2) + octets[4:HEADER] + rest


def longer(tail: bytes) -> Callable[[bytes], bytes]:
    """Put octets behind the attributes, and count them in."""
    return lambda octets: octets[:2] + (len(octets) + len(tail)).to_bytes(2) + octets[4:] + tail


def spoilt(octets: bytes) -> bytes:
    """Change an octet of Message-Authenticator."""
    return octets[:30] + bytes((octets[30] ^ 1,)) + octets[31:]


def other_identifier(octets: bytes) -> bytes:
    return octets[:1] + bytes((octets[1] ^ 1,)) + octets[2:]


LARGE: Sequence[Attribute] = [(constants.CLASS, b"x" * 253)] * ((LARGEST - HEADER - 18) // 255)
LIES = {
    "an accept without Message-Authenticator": Lie(changed(unsigned)),
    "an accept with a wrong Message-Authenticator": Lie(changed(spoilt)),
    "an accept for another identifier": Lie(changed(other_identifier)),
    "accepts for each identifier": Lie(
        lambda request: [
            resigned(unsigned(octets[:1] + bytes((number,)) + octets[2:]), request)
            for octets in (reply(request),)
            for number in range(256)
        ]
    ),
    "an accept by another secret": Lie(lambda request: [reply(request, secret=Secret("another secret"))]),
    "an accept from another port": Lie(lambda request: [reply(request)], elsewhere=True),
    "an accept of another code": Lie(changed(lambda octets: b"\5" + octets[1:])),
    "an attribute of length 0": Lie(changed(longer(b"\x19\0"))),
    "an attribute of length 1": Lie(changed(longer(b"\x19\1"))),
    "an attribute of type 0": Lie(changed(longer(b"\0\4xx"))),
    "an attribute beyond the end": Lie(changed(longer(b"\x19\xffxx"))),
    "1000 attributes": Lie(changed(longer(b"\x19\2" * 1000))),
    "two Message-Authenticators": Lie(changed(longer(b"\x50\x12" + bytes(16)))),
    "a length of 65535": Lie(changed(lambda octets: octets[:2] + b"\xff\xff" + octets[4:])),
    "a length of 0": Lie(changed(lambda octets: octets[:2] + b"\0\0" + octets[4:])),
    "half an accept": Lie(lambda request: [reply(request)[:25]]),
    "the question": Lie(lambda request: [request.datagram]),
    "60,000 octets": Lie(lambda request: [request.datagram[:2] + bytes(60_000)]),
    "no octet": Lie(lambda _request: [b""] * 100),
    "a challenge": Lie(lambda request: [reply(request, code=ACCESS_CHALLENGE)], ""),
    "thousands of small datagrams": Lie(
        lambda _request: [b"?"] * MANY, "1000 datagrams came, and none was a valid reply"
    ),
    "thousands of large wrong accepts": Lie(changed(spoilt, *LARGE, times=MANY)),
    "thousands of 60,000 octets": Lie(lambda request: [request.datagram[:2] + bytes(60_000)] * MANY),
}


class RadiusLiar(Part):
    """Accepts every password, unless it lies."""

    host = "127.0.0.1"

    def __init__(self) -> None:
        """Take a free port; `start` opens it."""
        self.port = free_port("udp")
        self._lie: Lie | None = None
        self._thread: threading.Thread | None = None

    @property
    def name(self) -> str:
        """HOST:PORT."""
        return f"{self.host}:{self.port}"

    def start(self) -> None:
        """Listen."""
        self._socket = socket.socket(type=socket.SOCK_DGRAM)
        self._socket.bind((self.host, self.port))
        self._elsewhere = socket.socket(type=socket.SOCK_DGRAM)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def stop(self) -> None:
        """Close."""
        if self._thread is not None:
            with socket.socket(type=socket.SOCK_DGRAM) as last:
                last.sendto(b"", (self.host, self.port))
            self._thread.join(30)
            self._socket.close()
            self._elsewhere.close()
            self._thread = None

    def lie(self, name: str) -> None:
        """Tell this lie from now on."""
        self._lie = LIES[name]

    def behave(self) -> None:
        """Be honest again."""
        self._lie = None

    def _serve(self) -> None:
        while True:
            try:
                datagram, client = self._socket.recvfrom(LARGEST)
            except ConnectionRefusedError:  # of a socket that was closed meanwhile
                continue
            if not datagram:
                return
            request, lie = packet.decode(datagram), self._lie
            sender = self._elsewhere if lie and lie.elsewhere else self._socket
            for said in lie.says(request) if lie else [reply(request)]:
                sender.sendto(said, client)
