"""What the tests of whole logins share: a mailbox, and daemons between it and the directory of tests/conftest.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts import recipes
from tests.parts.authority import Authority
from tests.parts.corp import Cook, Make, repository, sender
from tests.parts.daemon import HEAD, SECRET, Daemon
from tests.parts.directory import Directory
from tests.parts.mailbox import Mailbox
from tests.parts.ports import free_port
from tests.parts.recipes import Site


@pytest.fixture
def mailbox(authority: Authority) -> Iterator[Mailbox]:
    with Mailbox(authority, "tls", "aad", "mail secret") as running:
        yield running


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
