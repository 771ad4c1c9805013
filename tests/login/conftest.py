"""What the tests of whole logins share: a directory with people, a mailbox, a daemon between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.parts.authority import Authority
from tests.parts.daemon import HEAD, Daemon
from tests.parts.directory import Directory, Person
from tests.parts.mailbox import Mailbox

ALICE = Person("alice", "correct horse", mail=("alice@example.com",))
PEOPLE = (
    ALICE,
    Person("bob", "battery staple", mail=("not an address", "bob@example.com", "bob@example.org")),
    Person("carol", "no address", mail=()),
    Person("twin", "first", mail=("one@example.com",), unit="a"),
    Person("twin", "second", mail=("two@example.com",), unit="b"),
    *(Person(f"user{number:02}", f"pw-{number:02}", mail=(f"user{number:02}@example.com",)) for number in range(20)),
)
Make = Callable[..., Daemon]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    folder = tmp_path / "ca"
    folder.mkdir()
    return Authority(folder)


@pytest.fixture
def directory(tmp_path: Path, authority: Authority) -> Iterator[Directory]:
    folder = tmp_path / "directory"
    folder.mkdir()
    with Directory(folder, authority, PEOPLE) as running:
        yield running


@pytest.fixture
def mailbox(authority: Authority) -> Iterator[Mailbox]:
    with Mailbox(authority, "tls", "aad", "mail secret") as running:
        yield running


def repository(directory: Directory) -> str:
    return f"""
[repositories.corp]
type = "ldap"
servers = ["{directory.ldaps_uri}"]
ca_file = "{directory.ca_file}"
bind_dn = "{directory.bind_dn}"
bind_password = "{directory.bind_password}"
base_dn = "{directory.base_dn}"
"""


def sender(port: int, authority: Authority, security: str = "tls", password: str = "mail secret") -> str:
    return f"""
[senders.mail]
host = "localhost"
port = {port}
security = "{security}"
ca_file = "{authority.ca_file}"
authentication_required = true
username = "aad"
password = "{password}"
sender_email = "noreply@example.com"
"""


@pytest.fixture
def make(tmp_path: Path, directory: Directory, mailbox: Mailbox, authority: Authority) -> Iterator[Make]:
    """Return a function that starts daemons; further TOML may be given."""
    running: list[Daemon] = []

    def start(rest: str = "", *, client: str = "", head: str = HEAD) -> Daemon:
        parts = repository(directory) + sender(mailbox.port, authority)
        daemon = Daemon(tmp_path / f"aad-{len(running)}", parts + rest, client=client, head=head)
        running.append(daemon)
        daemon.start()
        return daemon

    yield start
    for daemon in running:
        daemon.stop()
        assert not daemon.strays()


@pytest.fixture
def daemon(make: Make) -> Daemon:
    return make()
