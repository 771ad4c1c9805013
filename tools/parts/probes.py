"""Probes of a running daemon: many names, many source addresses, its queue, its complaints."""

from __future__ import annotations

import secrets
import socket
import time
from pathlib import Path

from aad.core.secret import Secret
from aad.radius.protocol import client_packets, constants
from tests.parts.daemon import SECRET, Daemon

AT_ONCE = 128  # pending requests
LOST = 3.0  # seconds without any reply


def distinct_names(daemon: Daemon, first: int, count: int) -> int:
    """Let so many different users of 200 octets try an empty password; return how many got an answer."""
    secret, sent, answered = Secret(SECRET), 0, 0
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.connect((daemon.host, daemon.port))
        client.settimeout(LOST)
        while answered < count:
            while sent < count and sent - answered < AT_ONCE:
                authenticator = secrets.token_bytes(16)
                name = f"{first + sent:08}".ljust(200, "n").encode()
                password = client_packets.pap(Secret(b""), authenticator, secret)
                given = [(constants.USER_NAME, name), *password]
                client.send(client_packets.request(sent % 256, authenticator, given, secret))
                sent += 1
            try:
                client.recv(4096)
            except TimeoutError:
                break
            answered += 1
    return answered


def many_sources(daemon: Daemon, count: int) -> None:
    """Send one octet from each of so many addresses in 127.0.0.0/8; a busy daemon is waited for."""
    for number in range(count):
        with socket.socket(type=socket.SOCK_DGRAM) as client:
            client.bind((f"127.{1 + number // 62500}.{number // 250 % 250}.{1 + number % 250}", 0))
            client.sendto(b"?", (daemon.host, daemon.port))
        if number % 100 == 0:
            queued(daemon.port)


def queued(port: int, seconds: float = 10.0) -> bool:
    """Wait until a UDP port on this machine has read all that was sent to it; say whether it did."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for line in Path("/proc/net/udp").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[1].endswith(f":{port:04X}") and int(fields[4].split(":")[1], 16) == 0:
                return True
        time.sleep(0.001)
    return False


class Complaints:
    """Reads the daemon's output as it grows, for faults and for what is no record."""

    def __init__(self, daemon: Daemon) -> None:
        """Begin at its start."""
        self._file, self._at = daemon.child.log, 0

    def new(self) -> list[str]:
        """Return what came since the last time."""
        found = []
        with self._file.open("rb") as log:
            log.seek(self._at)
            for line in log:
                if not line.endswith(b"\n"):
                    break
                self._at += len(line)
                if not line.startswith(b"{") or b'"event": "fault"' in line:
                    found.append(line.decode(errors="replace").strip())
        return found
