"""Requirement 40: whatever a token endpoint answers, no login gets further by it, and no other one is held up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.parts.authority import Authority
from tests.parts.daemon import Daemon
from tests.parts.lies.liar import Liar
from tests.parts.lies.tokens import LIES
from tests.parts.mailbox import Mailbox
from tests.parts.raw import Raw, Request
from tests.parts.waiting import until
from tests.requirements.beside import challenged
from tests.requirements.events import Start
from tests.requirements.lied_to import unharmed

AT_ONCE = 6
SENDER = """
[senders.slow]
host = "localhost"
port = {port}
security = "tls"
ca_file = "{ca_file}"
authentication = "xoauth2"
username = "noreply@example.com"
token_url = "https://localhost:{liar}/token"
token_ca_file = "{ca_file}"
client_id = "the-app"
client_secret = "hush hush"
sender_email = "noreply@example.com"
timeout = "2s"
idle = "100ms"
"""


@pytest.fixture
def liar(authority: Authority) -> Iterator[Liar]:
    certificate = authority.certificate()
    with Liar("tokens", certificate.cert_file, certificate.key_file) as running:
        yield running


@pytest.fixture
def by_token(authority: Authority) -> Iterator[Mailbox]:
    """Return a mail server that takes every token."""
    with Mailbox(authority, "tls", tokens=lambda _mailbox, _token: True) as running:
        yield running


def settled(daemon: Daemon) -> int:
    """Count the logins that came to a challenge, or failed."""
    records = daemon.records("login.unavailable", "challenge.sent", "login.rejected")
    return len([each for each in records if each["login_event"] == "vpn"])


def tried(daemon: Daemon) -> None:
    """Let several users begin a login whose code needs a token; each is settled."""
    before = settled(daemon)
    with ExitStack() as stack:
        for number in range(AT_ONCE):
            client = stack.enter_context(Raw(daemon.host, daemon.port))
            client.send(Request(f"user{number:02}", f"pw-{number:02}").octets)
        until(lambda: settled(daemon) >= before + AT_ONCE)


def met(daemon: Daemon, what: str) -> bool:
    """Begin logins, and return whether the log says by then what the token endpoint said."""
    tried(daemon)
    reasons = [each["reason"] for each in daemon.records() if each.get("sender") == "slow" and "reason" in each]
    return any(re.search(what, each) for each in reasons if "token endpoint" in each)


@pytest.mark.parametrize("name", LIES)
def test_40_a_token_endpoint_lies(name: str, start: Start, liar: Liar, by_token: Mailbox, authority: Authority) -> None:
    lie = LIES[name]
    daemon = start(SENDER.format(port=by_token.port, liar=liar.port, ca_file=authority.ca_file))

    def act(lying: bool) -> None:  # noqa: FBT001
        tried(daemon)
        if lying and lie.told:
            until(lambda: met(daemon, lie.told), 30, "a fetch that meets the lie")

    liar.lie(name)  # once before: what a first failed fetch takes (its threads, its TLS), a daemon keeps
    act(True)
    liar.behave()
    unharmed(daemon, liar, name, act)
    until(lambda: challenged(daemon, "user09", "pw-09"), 15, "a login once it behaves")
    assert "ey.token" not in daemon.child.output()
    assert not [each for each in daemon.records("login.accepted") if each["login_event"] == "vpn"]
