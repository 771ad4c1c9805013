"""A portal with people, a mailbox and a browser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from aad.core.scrypt import hash_password
from aad.core.secret import Secret
from tests.parts.authority import Authority, Certificate
from tests.parts.browser import Chromium
from tests.parts.daemon import HEAD, Daemon
from tests.parts.letter import CODE
from tests.parts.mailbox import Letter, Mailbox, code_in
from tests.parts.ports import free_port
from tests.parts.waiting import until

PASSWORD = "correct horse"
_HASH = hash_password(Secret(PASSWORD), b"s" * 16)
PEOPLE = f"""
[users.alice]
password = "{_HASH}"
email = "alice@example.com"
[users.bob]
password = "{_HASH}"
email = "bob@example.com"
[users.hilda]
password = "{_HASH}"
email = "hilda@example.com"
groups = ["helpdesk"]
[users.nina]
password = "{_HASH}"
[users.dora]
password = "{_HASH}"
email = "dora@example.com"
language = "de"
"""
_MANY = "\n".join(
    f'[users.user{number:02}]\npassword = "{_HASH}"\nemail = "user{number:02}@example.com"' for number in range(60)
)
REST = """
[https]
listen = ["127.0.0.1:{port}"]
certificate = "{certificate}"
key = {{ file = "{key}" }}
[https.portal]
event = "portal"
title = "Example Self-Service"
contact = "Call 555-0100"
helpdesk_groups = ["Helpdesk"]
{portal}
[repositories.local]
type = "file"
path = "users.toml"
[senders.mail]
host = "localhost"
port = {mail}
security = "none"
sender_email = "noreply@example.com"
[methods.email_otp]
resend_after = "0s"
[chains.app]
methods = ["password", "totp"]
[chains.paper]
methods = ["password", "recovery_codes"]
[chains.bare]
methods = ["password"]
[events.portal]
chains = ["{chain}"]
[lockout]
attempts = 3
[limits]
mails_per_user = "unlimited"
"""
_HEAD = HEAD.replace("[events.vpn]\n", '[events.vpn]\nchains = ["app", "paper", "both"]\n')


@dataclass(frozen=True)
class Place:
    """A daemon with a portal. `mailbox`: where its mails go."""

    daemon: Daemon
    url: str
    mailbox: Mailbox
    certificate: Certificate
    port: int

    def code(self, recipient: str, count: int = 1) -> str:
        """Return the code in the latest mail to somebody, once there are so many."""
        return code_in(until(lambda: self.codes(recipient)[count - 1 :], what=f"{count} codes")[-1])

    def codes(self, recipient: str) -> list[Letter]:
        """Return the mails with codes to somebody."""
        return [letter for letter in self.mailbox.letters(recipient) if CODE.search(letter.subject)]

    def notices(self, recipient: str) -> list[Letter]:
        """Return the other mails."""
        return [letter for letter in self.mailbox.letters(recipient) if not CODE.search(letter.subject)]


def configuration(place: Certificate, port: int, mail: int, *, portal: str = "", chain: str = "both") -> str:
    values = {"certificate": place.cert_file, "key": place.key_file, "port": port, "mail": mail}
    return REST.format(**values, portal=portal, chain=chain)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Authority(tmp_path_factory.mktemp("ca")).certificate()


def serving(folder: Path, certificate: Certificate, **more: str) -> Iterator[Place]:
    folder.mkdir(exist_ok=True)
    (folder / "users.toml").touch(0o600)
    (folder / "users.toml").write_text(PEOPLE + _MANY)
    port = free_port()
    with Mailbox() as mailbox:
        rest = configuration(certificate, port, mailbox.port, **more)
        with Daemon(folder, rest, head=_HEAD) as daemon:
            yield Place(daemon, f"https://localhost:{port}", mailbox, certificate, port)
            assert not daemon.strays()
            assert not daemon.records("fault")


@pytest.fixture
def place(tmp_path: Path, certificate: Certificate) -> Iterator[Place]:
    yield from serving(tmp_path / "aad", certificate)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    with Chromium() as running:
        yield running
