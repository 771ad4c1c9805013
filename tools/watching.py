"""What is seen of a daemon from outside: its memory, its descriptors; and many names that try to log in."""

from __future__ import annotations

import os
import re
import secrets
import socket
import time
from pathlib import Path

from aad.core.secret import Secret
from aad.radius.protocol import client_packets, constants
from tests.parts.daemon import SECRET, Daemon

AT_ONCE = 128  # requests under way
LOST = 3.0  # seconds without any reply
TICK = os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> int:
    """Return the resident memory of a process, in octets."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) * 1024 if found else 0


def family(pid: int) -> list[int]:
    """Return a process, its children and theirs, as far as they run."""
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        found.append(one)
        for file in Path(f"/proc/{one}/task").glob("*/children"):
            todo += map(int, _read(file).split())
    return found


def cpu(pid: int) -> float:
    """Return the CPU time of a process and its family, those that have ended included, in seconds."""
    ticks = 0
    for one in family(pid):
        fields = _read(Path(f"/proc/{one}/stat")).rpartition(")")[2].split()
        ticks += sum(map(int, fields[11:15]))
    return ticks / TICK


def busy() -> float:
    """Return how long all cores of this machine together have been busy, for whomever, in seconds."""
    user, nice, system, _idle, _waiting, *rest = map(int, _read(Path("/proc/stat")).split(maxsplit=9)[1:9])
    return (user + nice + system + sum(rest)) / TICK


def peak(pid: int) -> int:
    """Return the most that was resident of a process and its family, in octets; shared pages count for each."""
    return _octets(pid, "status", "VmHWM")


def shared_once(pid: int) -> int:
    """Return the memory of a process and its family, in octets, a page that several have counted once."""
    return _octets(pid, "smaps_rollup", "Pss")


def _octets(pid: int, file: str, key: str) -> int:
    found = [re.search(rf"^{key}:\s+(\d+)", _read(Path(f"/proc/{one}/{file}")), re.MULTILINE) for one in family(pid)]
    return sum(int(match[1]) * 1024 for match in found if match)


def _read(file: Path) -> str:
    """Return a file of /proc; nothing, if its process has just ended."""
    try:
        return file.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def descriptors(pid: int) -> int:
    """Count the open descriptors of a process."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


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
