"""What the tests of whole logins share: a directory with people, a mailbox, a daemon between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.parts import recipes
from tests.parts.authority import Authority
from tests.parts.daemon import HEAD, SECRET, Daemon
from tests.parts.directory import Directory, Person
from tests.parts.mailbox import Mailbox
from tests.parts.ports import free_port
from tests.parts.recipes import Site

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
Cook = Callable[..., tuple[Daemon, Site]]


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


@pytest.fixture
def cook(make: Make, tmp_path: Path) -> Cook:
    """Return a function that starts a daemon with a recipe's block in its aad.toml.d."""

    def start(name: str, section: str = "") -> tuple[Daemon, Site]:
        folder = tmp_path / "aad-0"
        (folder / "aad.toml.d").mkdir(parents=True)
        # openvpn-auth-radius 2.1 reads four digits of a port.
        site = Site("127.0.0.1", free_port("udp", 2000, 9999), SECRET, free_port("udp", 2000, 9999))
        listen = f'[radius]\nlisten = ["{site.host}:{site.port}"]\n'
        (folder / "aad.toml.d" / "listen.toml").write_text(listen)
        (folder / "aad.toml.d" / "recipe.toml").write_text(site.filled(recipes.aad_block(name, section)))
        (folder / "credentials").mkdir(mode=0o700)
        secret = folder / "credentials" / f"{name}.secret"
        secret.touch(mode=0o600)
        secret.write_text(SECRET)
        return make(), site

    return start
