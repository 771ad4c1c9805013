"""Find ports on 127.0.0.1 that nobody uses, also when several test processes look at the same time."""

import random
import socket
from typing import Literal

LOW, HIGH = 10_000, 15_999  # below every usual range of ephemeral ports, so that no outgoing connection takes one
KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}

_given: set[int] = set()
_random = random.SystemRandom()  # not the shared generator: test plug-ins seed that one alike in each process


def free_port(kind: Literal["tcp", "udp"] = "tcp", low: int = LOW, high: int = HIGH) -> int:
    """Return a port from `low` to `high` that can be bound now and was not given out before by this process."""
    for _ in range(1000):
        port = _random.randint(low, high)
        if port not in _given and _can_bind(port, KINDS[kind]):
            _given.add(port)
            return port
    msg = f"no free {kind} port between {low} and {high}"
    raise OSError(msg)


def listening(port: int, host: str = "127.0.0.1") -> bool:
    """Say whether a TCP server takes connections on this port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


def _can_bind(port: int, kind: socket.SocketKind) -> bool:
    with socket.socket(type=kind) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
