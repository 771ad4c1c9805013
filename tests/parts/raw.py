"""A RADIUS client that sends what a test wants, octet by octet, from where it wants."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable, Sequence

from aad.core.secret import Secret
from aad.radius.protocol import client_packets, constants
from aad.radius.protocol.wire import Attribute
from tests.parts.daemon import SECRET
from tests.parts.part import Part


class Raw(Part):
    """A UDP socket at `source`, connected to nobody: it sees who replies."""

    def __init__(self, host: str, port: int, *, source: str = "", timeout: float = 20.0) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.bind((source, 0))
        self._socket.settimeout(timeout)
        self._server = (host, port)
        self.replied_from = ""

    def stop(self) -> None:
        """Close the socket."""
        self._socket.close()

    def send(self, datagram: bytes) -> None:
        """Send octets."""
        self._socket.sendto(datagram, self._server)

    def receive(self, seconds: float | None = None) -> bytes:
        """Return the next datagram; TimeoutError: none came in so long."""
        before = self._socket.gettimeout()
        self._socket.settimeout(before if seconds is None else seconds)
        try:
            datagram, address = self._socket.recvfrom(4096)
        finally:
            self._socket.settimeout(before)
        self.replied_from = address[0]
        return datagram

    def silent(self, seconds: float) -> bool:
        """Say whether nothing arrives for so long."""
        before = self._socket.gettimeout()
        self._socket.settimeout(seconds)
        try:
            self._socket.recvfrom(4096)
        except TimeoutError:
            return True
        finally:
            self._socket.settimeout(before)
        return False

    def ask(self, name: str, typed: str | bytes, *attributes: Attribute) -> client_packets.Reply:
        """Send one Access-Request and return its reply, checked."""
        request = Request(name, typed, *attributes)
        self.send(request.octets)
        return request.reply(self.receive())


class Request:
    """An Access-Request of its own authenticator and identifier; PAP."""

    def __init__(
        self, name: str, typed: str | bytes, *attributes: Attribute, identifier: int | None = None, secret: str = SECRET
    ) -> None:
        self._secret = Secret(secret)
        self._authenticator = secrets.token_bytes(16)
        self.name = name
        self._identifier = secrets.randbelow(256) if identifier is None else identifier
        given = [
            (constants.USER_NAME, name.encode()),
            *client_packets.pap(Secret(typed), self._authenticator, self._secret),
        ]
        self.octets = self.signed([*given, *attributes])

    def signed(self, attributes: Sequence[Attribute]) -> bytes:
        """Return the request with other attributes."""
        return client_packets.request(self._identifier, self._authenticator, attributes, self._secret)

    def reply(self, datagram: bytes) -> client_packets.Reply:
        """Check a reply to this request; PacketError."""
        return client_packets.check_reply(datagram, self._authenticator, self._identifier, self._secret)


def status_server(
    *attributes: Attribute, secret: str = SECRET
) -> tuple[bytes, Callable[[bytes], client_packets.Reply]]:
    """Return a Status-Server request, and what checks its reply."""
    authenticator, identifier, key = secrets.token_bytes(16), secrets.randbelow(256), Secret(secret)
    octets = client_packets.request(identifier, authenticator, attributes, key, constants.STATUS_SERVER)
    return octets, lambda reply: client_packets.check_reply(reply, authenticator, identifier, key)
