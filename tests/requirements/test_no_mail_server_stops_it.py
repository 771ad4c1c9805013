"""Requirement 40: whatever a mail server answers, nobody gets in by it, and nobody else is held up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import product

import pytest

from tests.parts.authority import Authority
from tests.parts.daemon import Daemon
from tests.parts.lies.liar import Liar
from tests.parts.lies.smtp import LIES
from tests.parts.raw import Raw, Request
from tests.parts.waiting import until
from tests.requirements.beside import challenged
from tests.requirements.events import Start
from tests.requirements.lied_to import unharmed

pytestmark = pytest.mark.usefixtures("unshared")

WITH_WORKERS = ["takes the mail in lines without end, some at a time", "greets in lines without end"]
"""Those that are told to several processes too."""
AT_ONCE = 6
SENDER = """
[senders.slow]
host = "localhost"
port = {port}
security = "{security}"
ca_file = "{ca_file}"
authentication_required = {login}
username = "aad"
password = "mail secret"
sender_email = "noreply@example.com"
timeout = "2s"
"""


@pytest.fixture
def liar(authority: Authority) -> Iterator[Liar]:
    certificate = authority.certificate()
    with Liar("smtp", certificate.cert_file, certificate.key_file) as running:
        yield running


def said(daemon: Daemon) -> list[str]:
    """Return what the log says of this mail server."""
    return [each["reason"] for each in daemon.records() if each.get("sender") == "slow" and "reason" in each]


def tried(daemon: Daemon) -> None:
    """Let several users begin a login whose code goes by this server; each is settled."""
    before = len(settled(daemon))
    with ExitStack() as stack:
        for number in range(AT_ONCE):
            client = stack.enter_context(Raw(daemon.host, daemon.port))
            client.send(Request(f"user{number:02}", f"pw-{number:02}").octets)
        until(lambda: len(settled(daemon)) >= before + AT_ONCE)


def settled(daemon: Daemon) -> list[str]:
    """Return whose logins came to a challenge, or failed."""
    records = daemon.records("login.unavailable", "challenge.sent", "login.rejected")
    return [each["user"] for each in records if each["login_event"] == "vpn"]


@pytest.mark.parametrize(
    ("name", "surrounding"), [*product(LIES, [""]), *product(WITH_WORKERS, ["two workers"])], indirect=["surrounding"]
)
def test_40_a_mail_server_lies(name: str, start: Start, liar: Liar, authority: Authority) -> None:
    lie = LIES[name]
    values = {"port": liar.port, "security": lie.security, "login": str(lie.login).lower()}
    daemon = start(SENDER.format(**values, ca_file=authority.ca_file))
    unharmed(daemon, liar, name, lambda _lying: tried(daemon))
    if lie.told:
        assert [what for what in said(daemon) if re.search(lie.told, what)], said(daemon)
    until(lambda: challenged(daemon, "user09", "pw-09"), 15, "a login once it behaves")
    assert not [each for each in daemon.records("login.accepted") if each["login_event"] == "vpn"]
