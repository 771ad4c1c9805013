"""A real redis-server of the test's own: may be killed, frozen, set back, protected."""

from __future__ import annotations

import re
import signal
import socket
from pathlib import Path

from tests.parts.authority import Certificate
from tests.parts.child import Child
from tests.parts.part import Part
from tests.parts.ports import free_port, listening


class Redis(Part):
    """Listens on 127.0.0.1 and a unix socket, and keeps what it has over `kill` (an append-only file)."""

    def __init__(
        self,
        folder: Path,
        *,
        password: str = "",
        certificate: Certificate | None = None,
        ca_file: Path | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        """Choose a port; with a `certificate` it speaks TLS there. `host`: "0.0.0.0", alone in a network."""
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port("tcp")
        self.socket = folder / "redis.sock"
        self.password = password
        port = ["--port", str(self.port)]
        if certificate and ca_file:
            port = ["--port", "0", "--tls-port", str(self.port), "--tls-auth-clients", "no"]
            port += ["--tls-cert-file", str(certificate.cert_file), "--tls-key-file", str(certificate.key_file)]
            port += ["--tls-ca-cert-file", str(ca_file)]
        command = ["redis-server", *port, "--bind", host, "--dir", str(folder), "--unixsocket", str(self.socket)]
        command += ["--save", "", "--appendonly", "yes", "--appendfsync", "no", "--daemonize", "no"]
        command += ["--requirepass", password] if password else ["--protected-mode", "no"]
        self._child = Child(command, folder / "redis.log")

    @property
    def url(self) -> str:
        """Where it is."""
        return f"valkey://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._child.start()
        self._child.ready(lambda: listening(self.port) and "Ready to accept" in self._child.output())

    def stop(self) -> None:
        """End it."""
        self._child.stop()

    def kill(self) -> None:
        """End it by SIGKILL."""
        self._child.kill()

    def pause(self) -> None:
        """Freeze it: it takes connections, and answers nothing."""
        self._child.freeze()

    def resume(self) -> None:
        """Let it go on."""
        self._child.signal(signal.SIGCONT)

    def say(self, *words: str) -> str:
        """Ask it something, over its unix socket, and return the answer as it is written (a short one)."""
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(10)
            line.connect(str(self.socket))
            login = _packed("AUTH", self.password) if self.password else b""
            line.sendall(login + _packed(*words))
            answers = b""
            while answers.count(b"\r\n") <= bool(login) and not answers.endswith(b"\r\n"):
                answers += line.recv(65536)
            return answers.decode()

    def commands(self, name: str) -> int:
        """Count how often it was asked to run a command."""
        found = re.search(rf"cmdstat_{name}:calls=(\d+)", self.say("INFO", "commandstats"))
        return int(found[1]) if found else 0


def _packed(*words: str) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w.encode()), w.encode()) for w in words)


class Sentinel(Part):
    """A sentinel that knows one server as `mymaster`."""

    def __init__(self, folder: Path, server: Redis) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port("tcp")
        file = folder / "sentinel.conf"
        file.write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {folder}\nsentinel monitor mymaster 127.0.0.1 {server.port} 1\n"
        )
        self._child = Child(["redis-server", file, "--sentinel"], folder / "sentinel.log")

    def start(self) -> None:
        """Start it, and wait until it knows the server."""
        self._child.start()
        self._child.ready(lambda: "+monitor master mymaster" in self._child.output() and listening(self.port))

    def stop(self) -> None:
        """End it."""
        self._child.stop()
