"""A RADIUS server that says what a test wants, octet by octet."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable

from aad.core.secret import Secret
from aad.radius.protocol import packet
from aad.radius.protocol.packet import Request
from tests.parts.part import Part
from tests.parts.ports import free_port

Says = Callable[[Request], Iterable[bytes]]


class Oracle(Part):
    """Answers each request with the datagrams that `says` returns, and keeps what it was asked."""

    host = "127.0.0.1"

    def __init__(self, says: Says) -> None:
        """Take a free port; `start` opens it."""
        self.port = free_port("udp")
        self.says = says
        self.asked: list[Request] = []
        self._socket: socket.socket
        self._thread: threading.Thread | None = None

    @property
    def name(self) -> str:
        """HOST:PORT."""
        return f"{self.host}:{self.port}"

    def start(self) -> None:
        """Listen."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((self.host, self.port))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def stop(self) -> None:
        """Close."""
        if self._thread is not None:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
                last.sendto(b"", (self.host, self.port))
            self._thread.join()
            self._socket.close()
            self._thread = None

    def _serve(self) -> None:
        while True:
            datagram, sender = self._socket.recvfrom(4096)
            if not datagram:
                return
            request = packet.decode(datagram)
            self.asked.append(request)
            for said in self.says(request):
                self._socket.sendto(said, sender)


def saying(code: int, secret: Secret) -> Says:
    """Say the same to everybody, rightly signed."""
    return lambda request: [packet.reply(request, code, [], secret)]


def silent(_request: Request) -> list[bytes]:
    """Say nothing."""
    return []
