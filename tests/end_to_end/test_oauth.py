"""Whole logins whose mail goes through a mailbox behind OAuth 2."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aad.radius.protocol.constants import ACCESS_CHALLENGE
from tests.parts.authority import Authority
from tests.parts.corp import repository
from tests.parts.daemon import SECRET, Daemon
from tests.parts.directory import Directory
from tests.parts.mailbox import Mailbox, code_in
from tests.parts.radclient import Radclient
from tests.parts.raw import Raw, Request
from tests.parts.tokens import Identity, TokenServer
from tests.parts.waiting import until
from tests.parts.warm import aad

RIGHT = "correct horse"


@pytest.fixture
def issuer(authority: Authority) -> Iterator[TokenServer]:
    with TokenServer(authority, Identity()) as running:
        yield running


@pytest.fixture
def mailbox(authority: Authority, issuer: TokenServer) -> Iterator[Mailbox]:
    with Mailbox(authority, "starttls", tokens=issuer.knows) as running:
        yield running


@pytest.fixture
def parts(tmp_path: Path, directory: Directory, mailbox: Mailbox, authority: Authority, issuer: TokenServer) -> str:
    """Return the TOML of a directory, and of a sender that logs in by a certificate's token."""
    assert issuer.identity
    for name, octets in (("app.pem", issuer.identity.certificate), ("app.key", issuer.identity.key)):
        (tmp_path / name).touch(mode=0o600)
        (tmp_path / name).write_bytes(octets)
    return f"""{repository(directory)}
[senders.mail]
type = "smtp"
host = "localhost"
port = {mailbox.port}
security = "starttls"
ca_file = "{authority.ca_file}"
authentication = "xoauth2"
username = "{issuer.mailbox}"
token_url = "{issuer.url}"
token_ca_file = "{authority.ca_file}"
client_id = "{issuer.client_id}"
client_certificate = "{tmp_path}/app.pem"
client_key = {{ file = "{tmp_path}/app.key" }}
sender_email = "{issuer.mailbox}"
"""


def test_a_login_by_token(tmp_path: Path, parts: str, mailbox: Mailbox, issuer: TokenServer) -> None:
    with Daemon(tmp_path / "aad", parts) as daemon:
        until(lambda: issuer.granted, what="a token before anybody logs in")
        with Radclient(daemon.host, daemon.port, SECRET) as radclient:
            result = radclient.login("alice", RIGHT, lambda _: code_in(mailbox.wait("alice@example.com")))
        assert result.accepted, result.transcript
        issuer.revoke()
        with Raw(daemon.host, daemon.port) as client:
            assert client.ask("user01", "pw-01").code == ACCESS_CHALLENGE
        written = daemon.child.output()
        assert not daemon.strays()
    assert len(issuer.asked) in (1, 2)  # the second mail may have gone by the connection of the first
    assert issuer.identity
    assert not [secret for secret in (*issuer.granted, "PRIVATE KEY") if secret in written]


def test_an_outage_of_the_token_endpoint_is_one_record(
    tmp_path: Path, parts: str, mailbox: Mailbox, issuer: TokenServer
) -> None:
    issuer.refuse("invalid_client", "AADSTS700027: The certificate with identifier is not registered.", status=401)
    with Daemon(tmp_path / "aad", parts, client='deadline = "2s"') as daemon, Raw(daemon.host, daemon.port) as client:

        def answered(name: str) -> bool:
            client.send(Request(f"user{name}", f"pw-{name}").octets)
            return not client.silent(0.5)

        assert not answered("01")
        assert not answered("02")
        (down,) = daemon.records("sender.down")
        why = "refuses: invalid_client: AADSTS700027: The certificate with identifier is not registered"
        assert down["reason"] == f"token endpoint localhost:{issuer.port}: {why}"
        issuer.instead = None
        until(lambda: answered("03"))
        assert len(daemon.records("sender.up")) == 1
        assert daemon.records("challenge.sent")
        assert not daemon.strays()
    assert mailbox.letters("user03@example.com")


def test_the_commands_show_what_the_token_endpoint_said(
    tmp_path: Path, parts: str, mailbox: Mailbox, issuer: TokenServer
) -> None:
    daemon = Daemon(tmp_path / "aad", parts)  # only its configuration
    done = aad("check", "--online", "-c", daemon.file)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"authenticated, token endpoint localhost:{issuer.port}: good for " in done.stdout
    done = aad("test-message", "-c", daemon.file, "--to", "bob@example.com")
    assert done.returncode == 0, done.stderr
    assert mailbox.wait("bob@example.com")
    issuer.refuse("invalid_client")
    for command in (["check", "--online"], ["test-message", "--to", "bob@example.com"]):
        done = aad(*command, "-c", daemon.file)
        assert done.returncode in (1, 69)
        assert f"token endpoint localhost:{issuer.port}: refuses: invalid_client" in done.stdout + done.stderr
