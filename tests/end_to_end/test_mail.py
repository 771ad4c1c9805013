"""The mail of a login, all the way: what a real Postfix says of its recipient, and senders that let a login down."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from aad.radius.protocol.constants import ACCESS_ACCEPT, ACCESS_CHALLENGE, ACCESS_REJECT, REPLY_MESSAGE
from tests.parts.alice import RIGHT, state
from tests.parts.authority import Authority
from tests.parts.corp import Make, repository, sender
from tests.parts.daemon import Daemon
from tests.parts.directory import Directory
from tests.parts.mailbox import Mailbox, code_in
from tests.parts.policy import Policy
from tests.parts.postfix import Postfix
from tests.parts.raw import Raw
from tests.parts.stopwatch import Stopwatch
from tests.parts.waiting import until
from tests.requirements.beside import Beside
from tests.senders.script import SILENCE, Script

BOB = "battery staple"
REFUSED = {"bob@example.com": "550 5.1.1 no such user", "user01@example.com": "550 5.1.1 no such user"}
Run = tuple[Daemon, Postfix, Beside[Policy]]


@pytest.fixture
def postfix(tmp_path: Path, directory: Directory, authority: Authority) -> Iterator[Run]:
    with ExitStack() as stack:
        policy = Policy(greylisted="alice@example.com", slow="user00@example.com")
        running = stack.enter_context(Beside(policy))
        (tmp_path / "postfix").mkdir()
        server = Postfix(
            tmp_path / "postfix", authority, "starttls", "aad", "mail secret", refused=REFUSED, policy_port=policy.port
        )
        stack.enter_context(server)
        parts = repository(directory) + sender(server.port, authority, "starttls")
        daemon = stack.enter_context(Daemon(tmp_path / "aad", parts))
        yield daemon, server, running
        assert not daemon.strays()


def steps(daemon: Daemon, user: str) -> list[str]:
    return [record["event"] for record in daemon.records() if record.get("user") == user]


def test_postfix_accepts_and_its_queue_id_is_in_the_log(postfix: Run) -> None:
    daemon, server, _ = postfix
    with Raw(daemon.host, daemon.port) as client:
        given = state(client.ask("user02", "pw-02"))
        assert client.ask("user02", code_in(server.wait("user02@example.com")), given).code == ACCESS_ACCEPT
    (sent,) = daemon.records("mail.sent")
    assert sent["queue_id"]
    assert sent["queue_id"] in server.log()


def test_postfix_greylists_and_the_mail_comes_a_little_later(postfix: Run) -> None:
    daemon, server, policy = postfix
    with Raw(daemon.host, daemon.port) as client:
        given, watch = state(client.ask("alice", RIGHT)), Stopwatch(daemon.child.pid)
        assert not server.letters("alice@example.com")
        letter = server.wait("alice@example.com")
        assert watch.elapsed > 3.0
        assert watch.seconds < 12.0
        assert client.ask("alice", code_in(letter), given).code == ACCESS_ACCEPT
    assert policy.server.asked == ["alice@example.com"] * 2
    assert steps(daemon, "alice") == [
        "login.started",
        "password.accepted",
        "mail.deferred",
        "challenge.sent",
        "mail.sent",
        "code.accepted",
        "login.accepted",
    ]
    (deferred,) = daemon.records("mail.deferred")
    assert "450" in deferred["reason"]
    assert daemon.records("mail.sent")[0]["queue_id"] in server.log()
    assert not daemon.records("sender.down")


def test_postfix_refuses_an_address_and_the_next_one_is_taken(postfix: Run) -> None:
    daemon, server, _ = postfix
    with Raw(daemon.host, daemon.port) as client:
        reply = client.ask("bob", BOB)
        assert b"b***@e***.org" in (reply.first(REPLY_MESSAGE) or b"")
        assert client.ask("bob", code_in(server.wait("bob@example.org")), state(reply)).code == ACCESS_ACCEPT
        assert client.ask("user01", "pw-01").code == ACCESS_REJECT  # has no other
    assert [record["user"] for record in daemon.records("mail.failed")] == ["bob", "user01"]
    (rejected,) = daemon.records("login.rejected")
    assert rejected["reason"] == "address refused by the mail server"


def test_postfix_is_slow_and_the_challenge_leaves_in_time(postfix: Run) -> None:
    daemon, server, policy = postfix
    with Raw(daemon.host, daemon.port) as client:
        given = state(client.ask("user00", "pw-00"))
        assert float(daemon.records("challenge.sent")[0]["ms"]) < 2500  # the deadline
        policy.call(policy.server.hurry)
        assert client.ask("user00", code_in(server.wait("user00@example.com")), given).code == ACCESS_ACCEPT
    assert steps(daemon, "user00")[2:5] == ["mail.queued", "challenge.sent", "mail.sent"]
    assert daemon.records("mail.sent")[0]["queue_id"] in server.log()
    assert len(server.letters("user00@example.com")) == 1


@pytest.fixture
def wait_for(mailbox: Mailbox) -> Callable[[str], str]:
    """Return what waits for the only letter to an address and reads its code."""

    def code(recipient: str) -> str:
        found = code_in(mailbox.wait(recipient))
        assert len(mailbox.letters(recipient)) == 1
        return found

    return code


def two_senders(port: int) -> str:
    return f"""
[senders.first]
host = "127.0.0.1"
port = {port}
security = "none"
sender_email = "noreply@example.com"
[methods.email_otp]
senders = ["first", "mail"]
"""


def challenged_in_time(daemon: Daemon, name: str, password: str) -> float:
    with Raw(daemon.host, daemon.port, timeout=20) as client:
        watch = Stopwatch(daemon.child.pid)
        assert client.ask(name, password).code == ACCESS_CHALLENGE
        return watch.seconds


@pytest.mark.parametrize("at", ["banner", "EHLO", "MAIL", "RCPT", "DATA", "end"])
def test_the_first_sender_hangs_and_the_second_one_sends(make: Make, wait_for: Callable[[str], str], at: str) -> None:
    with Beside(Script()) as script:
        script.server.say(at, SILENCE)
        daemon = make(two_senders(script.server.port))
        assert challenged_in_time(daemon, "alice", RIGHT) < 2.4
        assert wait_for("alice@example.com")
        assert [record["sender"] for record in daemon.records("mail.sent")] == ["mail"]
        if at not in {"DATA", "end"}:  # there the server may have it, so nobody can say that it is slow
            until(lambda: challenged_in_time(daemon, "bob", BOB) < 0.5)
            assert daemon.records("sender.down")[0]["sender"] == "first"
        script.server.behave()


@pytest.mark.parametrize(
    ("at", "answer"),
    [
        ("banner", "554 5.3.2 no service here"),
        ("MAIL", "550 5.7.1 not from you"),
        ("RCPT", "450 4.2.0 greylisted"),
        ("end", "451 4.3.0 try later"),
        ("end", "554 5.7.1 that looks like spam"),
    ],
)
def test_the_first_sender_refuses_and_the_second_one_sends_at_once(
    make: Make, wait_for: Callable[[str], str], at: str, answer: str
) -> None:
    with Beside(Script()) as script:
        script.server.say(at, answer)
        daemon = make(two_senders(script.server.port))
        assert challenged_in_time(daemon, "alice", RIGHT) < 1.0
        assert wait_for("alice@example.com")


def test_the_first_sender_is_dead_and_the_second_one_sends_at_once(make: Make, wait_for: Callable[[str], str]) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        daemon = make(two_senders(closed.getsockname()[1]))
        assert challenged_in_time(daemon, "alice", RIGHT) < 1.0
        assert wait_for("alice@example.com")
