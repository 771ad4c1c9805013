"""A systemd with the daemon installed from this checkout, its unit files as they are, and a mailbox in its network."""

from __future__ import annotations

import hashlib
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from aad.core.scrypt import Hash
from aad.radius.protocol.constants import ACCESS_CHALLENGE
from tests.parts.alice import state
from tests.parts.daemon import SECRET
from tests.parts.mailbox import Mailbox, code_in
from tests.parts.raw import Raw
from tests.parts.systemd import Systemd

ROOT = Path(__file__).parent.parent.parent
PASSWORD = "correct horse"
# Debian's Python, as a package would use it, and the libraries of this one.
COMMAND = """\
#!/usr/bin/python3 -I
import sys
sys.path[:0] = ["/usr/lib/aad", "/usr/lib/aad-libraries"]
from aad.cli import main
raise SystemExit(main())
"""
CONFIGURATION = """\
[clients.gateway]
networks = ["127.0.0.0/8", "::1"]
secret = {{ credential = "gateway.secret" }}
event = "vpn"
[repositories.local]
[senders.mail]
host = "localhost"
port = {port}
security = "none"
sender_email = "noreply@example.com"
[chains.both]
methods = ["password", "email_otp"]
[events.vpn]
[limits]
mails_per_client = "unlimited"
"""


class Home(Systemd):
    """systemd with `aad` installed and configured, not yet started."""

    mailbox: Mailbox

    def install(self) -> None:
        """Do what a package would: files, user, folders."""
        self.copy(ROOT / "aad", "/usr/lib/aad/aad")
        self.write("/usr/bin/aad", COMMAND, 0o755)
        for unit in ("aad.service", "aad.socket"):
            self.copy(ROOT / "systemd" / unit, f"/usr/lib/systemd/system/{unit}")
        for folder in ("sysusers.d", "tmpfiles.d"):
            self.copy(ROOT / "systemd" / folder / "aad.conf", f"/usr/lib/{folder}/aad.conf")
        self.run("systemd-sysusers", "/usr/lib/sysusers.d/aad.conf")
        self.run("systemd-tmpfiles", "--create", "/usr/lib/tmpfiles.d/aad.conf")
        self.systemctl("daemon-reload")

    def configure(self, rest: str = "") -> None:
        """Write what an administrator would."""
        text = CONFIGURATION.format(port=self.mailbox.port) + rest
        self.write("/etc/aad/aad.toml", text, 0o640, "root:aad")
        self.write("/etc/aad/credentials/gateway.secret", f"{SECRET}\n", 0o600)

    def users(self, *names: str) -> None:
        """Write a file of users; their hashes cost as little as is allowed, so that a crowd of them does."""
        octets = hashlib.scrypt(PASSWORD.encode(), salt=bytes(16), n=4096, r=1, p=1, dklen=32)
        made = Hash(4096, 1, 1, bytes(16), octets)
        text = "".join(f'[users.{name}]\npassword = "{made}"\nemail = "{name}@example.com"\n' for name in names)
        self.write("/etc/aad/users.toml", text, 0o640, "root:aad")

    def drop_in(self, text: str, unit: str = "aad.service") -> None:
        """Change a unit, as `systemctl edit` does."""
        self.write(f"/etc/systemd/system/{unit}.d/test.conf", text)
        self.systemctl("daemon-reload")

    def begin(self, unit: str = "aad") -> None:
        """Start it; when that fails, say what it said."""
        try:
            self.systemctl("start", unit)
        except AssertionError as error:
            error.add_note(self.said())
            raise

    def said(self) -> str:
        """Return what the journal has of the daemon and of systemd about it."""
        return "\n".join(str(record.get("MESSAGE")) for record in self.journal("-u", "aad"))

    def client(self, timeout: float = 10.0) -> Raw:
        """Return a RADIUS client in its network."""
        with self.network():
            return Raw("127.0.0.1", 1812, timeout=timeout)

    def main_pid(self) -> int:
        """Return the daemon's process id, on the machine."""
        return self.pid_of(self.show("aad", "MainPID"))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    libraries = Path(sysconfig.get_path("purelib"))
    with Home(tmp_path / "home", {"/usr/lib/aad-libraries": libraries}) as made:
        made.install()
        with made.network():
            made.mailbox = Mailbox()
            made.mailbox.start()
        made.configure()
        made.users("alice", "bob")
        yield made
        made.mailbox.stop()


def challenged(home: Home, client: Raw, name: str = "alice") -> tuple[str, tuple[int, bytes]]:
    """Ask for a challenge; return the code that came by mail, and its State."""
    reply = client.ask(name, PASSWORD)
    assert reply.code == ACCESS_CHALLENGE
    return code_in(home.mailbox.wait(f"{name}@example.com")), state(reply)
