"""What bench and soak share: a mail sink, a NAS with one request under way, people, and the daemon's configuration."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable
from typing import Any

from aad.radius.protocol import client_packets
from aad.radius.protocol.wire import PacketError
from tests.parts.directory import Directory, Person
from tests.parts.raw import Request

LOST = 10.0  # seconds until an unanswered request counts as lost
CODE = re.compile(rb"\r\n +([0-9]{6})\r\n")
CONFIGURATION = """
[repositories.corp]
type = "ldap"
servers = ["{ldap}"]
{ldap_tls}
bind_dn = "{directory.bind_dn}"
bind_password = "{directory.bind_password}"
base_dn = "{directory.base_dn}"
[senders.mail]
host = "{mail_host}"
port = {mail_port}
security = "none"
sender_email = "noreply@example.com"
[limits]
mails_per_user = "unlimited"
mails_per_client = "unlimited"
"""


def people(count: int, word: str = "user") -> list[Person]:
    """Return so many people: user0007 has the password pw-0007 and the address user0007@example.com."""
    return [Person(f"{word}{n:04}", f"pw-{n:04}", mail=(f"{word}{n:04}@example.com",)) for n in range(count)]


def configuration(
    directory: Directory,
    mail_port: int,
    rest: str = "",
    *,
    tls: bool = False,
    mail_host: str = "127.0.0.1",
    ldap_host: str = "localhost",
) -> str:
    """Return what follows the usual head of aad.toml."""
    ldap = directory.ldaps_uri if tls else directory.ldap_uri
    text = CONFIGURATION.format(
        ldap=ldap.replace("localhost", ldap_host),
        ldap_tls=f'ca_file = "{directory.ca_file}"' if tls else "",
        directory=directory,
        mail_host=mail_host,
        mail_port=mail_port,
    )
    return text + rest


class Sink(asyncio.Protocol):
    """Takes mail, and hands it on: the leanest server that SMTP allows (RFC 5321)."""

    def __init__(self, taken: Callable[[bytes, bytes], None]) -> None:
        """Hand each mail to `taken`: the recipient's address, and the octets."""
        self._taken = taken
        self._buffer, self._data, self._recipient = b"", False, b""

    def connection_made(self, transport: Any) -> None:
        """Greet."""
        self._transport = transport
        transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        """Read lines, or a mail up to its dot."""
        self._buffer += data
        while (end := b"\r\n.\r\n" if self._data else b"\r\n") in self._buffer:
            piece, _, self._buffer = self._buffer.partition(end)
            if self._data:
                self._mail(piece)
            else:
                self._transport.write(self._command(piece))

    def _command(self, line: bytes) -> bytes:
        verb = line[:4].upper()
        if verb == b"EHLO":
            return b"250-sink\r\n250 8BITMIME\r\n"
        if verb == b"RCPT":
            self._recipient = line[line.index(b"<") + 1 : line.index(b">")]
        if verb == b"DATA":
            self._data = True
            return b"354 go on\r\n"
        return b"221 bye\r\n" if verb == b"QUIT" else b"250 OK\r\n"

    def _mail(self, octets: bytes) -> None:
        self._data = False
        self._taken(self._recipient, octets + b"\r\n")
        self._queued()

    def _queued(self) -> None:
        self._transport.write(b"250 2.0.0 Ok: queued as SINK\r\n")


class Slot(asyncio.DatagramProtocol):
    """One NAS with one request under way."""

    def __init__(self) -> None:
        """Begin with nothing under way."""
        self._request: Request | None = None
        self._reply: asyncio.Future[client_packets.Reply] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport: Any = transport

    def datagram_received(self, data: bytes, _address: object) -> None:
        """Hand the reply over; what is none to the request under way is passed over."""
        if self._request and self._reply and not self._reply.done():
            with contextlib.suppress(PacketError):
                self._reply.set_result(self._request.reply(data))

    async def ask(self, request: Request, *, sends: int = 1, wait: float = LOST) -> client_packets.Reply:
        """Send the same octets up to `sends` times, `wait` seconds apart, until there is a reply. TimeoutError."""
        self._request, self._reply = request, asyncio.get_running_loop().create_future()
        for _ in range(sends):
            self._transport.sendto(request.octets)
            await asyncio.wait((self._reply,), timeout=wait)
            if self._reply.done():
                return self._reply.result()
        raise TimeoutError
