"""What real clients need, one test for each need; those with real clients stand in tests/end_to_end/test_clients.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from aad.core.secret import Secret
from aad.radius.protocol import client_packets, constants
from aad.radius.protocol.constants import ACCESS_ACCEPT, ACCESS_CHALLENGE, ACCESS_REJECT
from tests.parts.alice import RIGHT, code, state
from tests.parts.corp import Make
from tests.parts.daemon import SECRET, Daemon
from tests.parts.directory import Directory
from tests.parts.mailbox import Mailbox
from tests.parts.radclient import Radclient
from tests.parts.raw import Raw, Request
from tests.parts.recipes import Site
from tests.parts.sshd import Sshd
from tests.parts.stopwatch import Stopwatch

UNSIGNED = "require_message_authenticator = false"
NAS_PORT = (constants.NAS_PORT, (4711).to_bytes(4))
LOGIN = (constants.SERVICE_TYPE, (1).to_bytes(4))


def test_01_without_message_authenticator_by_exception_only(make: Make) -> None:
    with Radclient("127.0.0.1", make().port, SECRET, message_authenticator=False, timeout=0.3, retries=1) as client:
        assert not client.login("alice", RIGHT, lambda _: "").prompts
    with Radclient("127.0.0.1", make(client=UNSIGNED).port, SECRET, message_authenticator=False) as client:
        assert client.login("alice", RIGHT, lambda _: "").prompts


def test_02_every_challenge_has_one_text_and_one_state(daemon: Daemon) -> None:
    with Raw(daemon.host, daemon.port) as client:
        first = client.ask("alice", RIGHT)
        again = client.ask("alice", "0", state(first))
    for reply in (first, again):
        assert reply.code == ACCESS_CHALLENGE
        assert len(reply.every(constants.STATE)) == len(reply.every(constants.REPLY_MESSAGE)) == 1
        assert 1 <= len(reply.first(constants.REPLY_MESSAGE) or b"") <= 250


def test_03_state_is_bound_to_user_and_client_only(daemon: Daemon, mailbox: Mailbox) -> None:
    with Raw(daemon.host, daemon.port) as one, Raw(daemon.host, daemon.port, source="127.0.0.9") as other:
        given = state(one.ask("alice", RIGHT, NAS_PORT, LOGIN))
        assert b"\0" not in given[1]  # radcli cuts there
        assert 16 <= len(given[1]) <= 64
        assert other.ask("alice", code(mailbox), given).code == ACCESS_ACCEPT


def test_04_a_duplicate_is_not_merely_address_and_identifier(daemon: Daemon, mailbox: Mailbox) -> None:
    with Raw(daemon.host, daemon.port) as client:
        for name, password in (("alice", RIGHT), ("bob", "battery staple")):
            request = Request(name, password, identifier=0)
            client.send(request.octets)
            assert request.reply(client.receive()).code == ACCESS_CHALLENGE
    assert {letter.recipients[0] for letter in mailbox.messages} == {"alice@example.com", "bob@example.com"}


def test_05_one_login_of_a_slow_server_is_one_mail(daemon: Daemon, mailbox: Mailbox) -> None:
    with Raw(daemon.host, daemon.port) as client:
        states = {state(client.ask("alice", RIGHT)) for _ in range(4)}
    assert len(states) == len(mailbox.messages) == 1


@pytest.mark.parametrize("where", ["data", "mail"])
def test_06_the_password_step_is_answered_in_time_whatever_smtp_does(
    daemon: Daemon, mailbox: Mailbox, where: str
) -> None:
    mailbox.hold(at=where)  # type: ignore[arg-type]
    watch = Stopwatch(daemon.child.pid)
    with Raw(daemon.host, daemon.port) as client:
        assert client.ask("alice", RIGHT).code == ACCESS_CHALLENGE
        assert watch.seconds < 3.0
        watch = Stopwatch(daemon.child.pid)
        assert client.ask("alice", RIGHT).code == ACCESS_CHALLENGE  # begun again: at once, and no second mail
        assert watch.seconds < 1.0
    mailbox.release()
    mailbox.wait("alice@example.com")
    assert len(mailbox.messages) == 1
    assert daemon.records("mail.queued")


def test_07_a_state_lives_as_long_as_its_code(daemon: Daemon) -> None:
    with Raw(daemon.host, daemon.port) as client:
        seconds = int.from_bytes(client.ask("alice", RIGHT).first(constants.SESSION_TIMEOUT) or b"")
    assert 110 <= seconds <= 120


@pytest.mark.parametrize("protocol", ["chap", "mschapv2"])
def test_08_chap_for_the_password_is_refused(daemon: Daemon, directory: Directory, protocol: str) -> None:
    request = Request("alice", RIGHT)
    given = client_packets.chap(Secret(RIGHT), b"c" * 16, 1)
    if protocol == "mschapv2":
        given = client_packets.mschapv2(Secret(RIGHT), "alice", b"c" * 16, b"p" * 16, 1)
    with Raw(daemon.host, daemon.port) as client:
        client.send(request.signed([(constants.USER_NAME, b"alice"), *given]))
        assert request.reply(client.receive()).code == ACCESS_REJECT
    assert "CHAP" in daemon.records("login.rejected")[0]["reason"]


def test_09_a_wrong_code_is_asked_again(daemon: Daemon, mailbox: Mailbox) -> None:
    with Raw(daemon.host, daemon.port) as client:
        again = client.ask("alice", "000", state(client.ask("alice", RIGHT)))
        assert again.code == ACCESS_CHALLENGE
        assert client.ask("alice", code(mailbox), state(again)).code == ACCESS_ACCEPT


@pytest.mark.parametrize(("setting", "value"), [("no-echo", 0), ("echo", 1)])
def test_10_prompt_and_words_as_a_client_wants_them(make: Make, setting: str, value: int) -> None:
    prompt = "Bestätigungscode für {user} (§ {reference}): "
    daemon = make(f'[methods.email_otp]\nprompt = "{prompt}"', client=f'prompt_attribute = "{setting}"')
    with Raw(daemon.host, daemon.port) as client:
        reply = client.ask("alice", RIGHT)
    assert reply.first(constants.PROMPT) == value.to_bytes(4)
    text = (reply.first(constants.REPLY_MESSAGE) or b"").decode()
    assert text.startswith("Bestätigungscode für alice (§ ")
    assert text.endswith("): ")


def test_13_a_name_that_sshd_does_not_know_costs_no_bind(make: Make, tmp_path: Path, directory: Directory) -> None:
    daemon = make(client=UNSIGNED)
    folder = tmp_path / "sshd"
    folder.mkdir()
    with Sshd(folder, Site(daemon.host, daemon.port, SECRET), "alice") as sshd:
        for _ in range(4):
            assert not sshd.login("bob", "battery staple", lambda _: "").accepted  # bob has no account on that host
    reasons = {record["reason"] for record in daemon.records("login.rejected")}
    assert reasons == {"name or password was replaced by sshd, who doesn't know the user"}
    assert not daemon.records("user.locked", "password.refused")
