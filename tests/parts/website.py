"""A website that logs its users in over HTTPS, request by request, with the standard library alone."""

from __future__ import annotations

import hashlib
import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.parts.authority import Authority, Certificate
from tests.parts.daemon import HEAD, Daemon

KEY, OTHER_KEY = "aad_the-key-of-the-shop", "aad_the-key-of-somebody-else"


def hashed(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


@dataclass(frozen=True)
class Said:
    """A response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        """Its JSON."""
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def result(self) -> str:
        """What became of the login, or the problem's name."""
        document = self.document
        return str(document.get("result") or document["type"].rpartition(":")[2])


class Website:
    """One website, with its key. Each request has a connection of its own, unless it is told otherwise."""

    def __init__(self, port: int, authority: Authority, key: str = KEY) -> None:
        self.port, self.key = port, key
        self.tls = ssl.create_default_context(cafile=str(authority.ca_file))

    def connect(self, timeout: float = 20.0) -> http.client.HTTPSConnection:
        """Return a connection; nothing is sent yet."""
        return http.client.HTTPSConnection("localhost", self.port, context=self.tls, timeout=timeout)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Said:
        """Send a request and return what is said; `_` in a header's name stands for `-`."""
        connection = self.connect()
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            response = connection.getresponse()
            return Said(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def post(self, path: str, body: Mapping[str, Any], **headers: str) -> Said:
        """Post JSON, with the key."""
        said = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"} | headers
        return self.ask("POST", path, json.dumps(body).encode(), **said)

    def login(self, name: str, password: str, **headers: str) -> Said:
        """Begin a login."""
        return self.post("/v1/logins", {"name": name, "password": password}, **headers)

    def answer(self, login: str, answer: str, **headers: str) -> Said:
        """Answer a challenge."""
        return self.post("/v1/answers", {"login": login, "answer": answer}, **headers)


def head(port: int, certificate: Certificate, more: str = "") -> str:
    """Return the usual head of a daemon's configuration with HTTPS in it; `more` are further keys of [https]."""
    return f"""{HEAD}
[https]
listen = ["127.0.0.1:{port}"]
certificate = "{certificate.cert_file}"
key = {{{{ file = "{certificate.key_file}" }}}}
{more}
[https.keys.shop]
hash = "{hashed(KEY)}"
event = "vpn"
tell_groups = true
[https.keys.other]
hash = "{hashed(OTHER_KEY)}"
event = "vpn"
"""


def exchange(certificate: Certificate, other: Certificate) -> None:
    """Put another certificate and key in the place of one."""
    for old, new in ((certificate.cert_file, other.cert_file), (certificate.key_file, other.key_file)):
        Path(old).write_bytes(Path(new).read_bytes())


PARTS = """
[repositories.local]
type = "file"
path = "users.toml"
[senders.mail]
host = "127.0.0.1"
security = "none"
sender_email = "noreply@example.com"
"""


def made(folder: Path, head_: str) -> Daemon:
    daemon = Daemon(folder, PARTS, head=head_.replace('"50ms"', '"0s"'))
    (folder / "users.toml").touch(mode=0o600)
    return daemon
