"""Log in as a NAS does: for `aad login`, `aad canary`, the demo and the benchmark."""

from __future__ import annotations

import re
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from aad.core.secret import Secret
from aad.radius.protocol import client_packets, constants
from aad.radius.protocol.client_packets import Reply
from aad.radius.protocol.wire import Attribute, PacketError

PROTOCOLS = ("pap", "chap", "mschapv2")
PORT = 1812  # RFC 2865 3
LAST_PORT = 65535


def credentials(protocol: str, answer: Secret, name: str, authenticator: bytes, secret: Secret) -> list[Attribute]:
    """Return the attributes that carry a password or code, by one of `PROTOCOLS`."""
    if protocol == "chap":
        return client_packets.chap(answer, secrets.token_bytes(16), secrets.randbelow(256))
    if protocol == "mschapv2":
        challenges = secrets.token_bytes(16), secrets.token_bytes(16)
        return client_packets.mschapv2(answer, name, *challenges, secrets.randbelow(256))
    return client_packets.pap(answer, authenticator, secret)


def message(reply: Reply) -> str:
    """Return what the reply says to the user, on one line."""
    text = b" ".join(reply.every(constants.REPLY_MESSAGE)).decode(errors="replace")
    return "".join(c if c.isprintable() else "?" for c in text)


def host_and_port(server: str, default: int = PORT) -> tuple[str, int]:
    """Split HOST, HOST:PORT, [IPV6], [IPV6]:PORT. ValueError: it is none of these, or the port is above 65535."""
    host, port = server, ""
    if server.startswith("["):
        host, _, port = server[1:].partition("]")
        port = port.removeprefix(":")
    elif server.count(":") == 1:
        host, _, port = server.partition(":")
    if not host or not re.fullmatch("[0-9]{0,5}", port) or int(port or 0) > LAST_PORT:
        message_ = f"{server} should be HOST or HOST:PORT"
        raise ValueError(message_)
    return host, int(port or default)


@dataclass(frozen=True, kw_only=True)
class Nas:
    """Logs in at a server and answers its challenges. The password goes by PAP; `protocol` is for the code.

    `timeout`: seconds until a request is sent again, `tries` times in all; `called`: its NAS-Identifier.
    """

    host: str
    port: int
    secret: Secret
    protocol: str = "pap"
    timeout: float = 5.0
    tries: int = 3
    called: str = "aad login"

    def login(self, name: str, password: Secret, answer: Callable[[str], Secret]) -> Reply | None:
        """Log in; `answer(prompt)` returns what the user answers. Return the last reply; None: none came. OSError."""
        reply = self.ask(name, password, None, "pap")
        while reply is not None and reply.code == constants.ACCESS_CHALLENGE:
            reply = self.ask(name, answer(message(reply)), reply.first(constants.STATE), self.protocol)
        return reply

    def ask(self, name: str, answer: Secret, state: bytes | None, protocol: str) -> Reply | None:
        """Send one request up to `tries` times; None: no reply came. OSError: the host can't be found or reached."""
        authenticator, identifier = secrets.token_bytes(16), secrets.randbelow(256)
        attributes = [(constants.USER_NAME, name.encode()), (constants.NAS_IDENTIFIER, self.called.encode())]
        attributes += credentials(protocol, answer, name, authenticator, self.secret)
        attributes += [(constants.STATE, state)] if state is not None else []
        datagram = client_packets.request(identifier, authenticator, attributes, self.secret)
        family, kind, number, _, address = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, number) as udp:
            udp.connect(address)
            for _ in range(self.tries):
                udp.send(datagram)
                reply = self._reply(udp, identifier, authenticator)
                if reply is not None:
                    return reply
        return None

    def _reply(self, udp: socket.socket, identifier: int, authenticator: bytes) -> Reply | None:
        end = time.monotonic() + self.timeout
        while (left := end - time.monotonic()) > 0:
            udp.settimeout(left)
            try:
                return client_packets.check_reply(udp.recv(4096), authenticator, identifier, self.secret)
            except PacketError:
                continue  # a forgery, or an answer to something else
            except TimeoutError:
                return None
        return None
