"""Whole logins along the chain that fits: by choice, by short name, by realm, and where there is no challenge."""

from __future__ import annotations

from pathlib import Path

from aad.radius.protocol.constants import ACCESS_ACCEPT, ACCESS_CHALLENGE, ACCESS_REJECT, REPLY_MESSAGE
from tests.parts.alice import RIGHT, code, state
from tests.parts.authority import Authority
from tests.parts.corp import Make, repository, sender
from tests.parts.daemon import HEAD, SECRET, Daemon
from tests.parts.directory import Directory
from tests.parts.mailbox import Mailbox, code_in
from tests.parts.radclient import Radclient, Reply
from tests.parts.raw import Raw
from tests.parts.warm import aad

AGAIN = '[chains.again]\nmethods = ["password", "password", "email_otp"]\n'
CODE_FIRST = '[chains.code-first]\nmethods = ["email_otp", "password"]\nshort_name = "code"\n'


def test_without_a_challenge_the_code_comes_behind_the_password(make: Make, mailbox: Mailbox) -> None:
    daemon = make(client='challenge = false\ncode_separator = ","\nprompt = "Password, comma, code ({recipient})"')
    with Radclient(daemon.host, daemon.port, SECRET) as radclient:

        def ask(typed: str) -> Reply:
            return radclient.send("auth", ['User-Name = "alice"', f'User-Password = "{typed}"'])

        first = ask(RIGHT)
        assert first.code == "Access-Reject"
        assert first.attributes["Reply-Message"] == ["Password, comma, code (a***@e***.com)"]
        typed = code_in(mailbox.wait("alice@example.com"))
        assert [ask(f"{password},{typed}").code for password in ("wrong", RIGHT, RIGHT)] == [
            "Access-Reject",
            "Access-Accept",
            "Access-Reject",  # once
        ]
    events = [record["event"] for record in daemon.records()]
    assert events.count("login.accepted") == 1


def test_without_a_separator_the_last_digits_are_the_code(make: Make, mailbox: Mailbox) -> None:
    daemon = make(client="challenge = false\ncode_length = 6")
    with Raw(daemon.host, daemon.port) as client:
        assert client.ask("alice", RIGHT).code == ACCESS_REJECT
        assert client.ask("alice", RIGHT + code(mailbox)).code == ACCESS_ACCEPT
    assert len(mailbox.messages) == 1


def test_the_user_chooses_in_a_challenge(
    tmp_path: Path, directory: Directory, mailbox: Mailbox, authority: Authority
) -> None:
    head = HEAD.replace("[events.vpn]", "[events.vpn]\nchoose = true")
    parts = repository(directory) + sender(mailbox.port, authority) + AGAIN
    with Daemon(tmp_path / "aad", parts, head=head) as daemon, Raw(daemon.host, daemon.port) as client:
        choice = client.ask("alice", RIGHT)
        assert choice.code == ACCESS_CHALLENGE
        assert choice.first(REPLY_MESSAGE) == b"Choose: 1 both, 2 again"
        assert not mailbox.messages
        second = client.ask("alice", "again", state(choice))
        assert second.first(REPLY_MESSAGE) == b"Password: "
        third = client.ask("alice", RIGHT, state(second))
        assert client.ask("alice", code(mailbox), state(third)).code == ACCESS_ACCEPT


def test_the_short_name_behind_the_name_chooses(make: Make, mailbox: Mailbox) -> None:
    daemon = make(CODE_FIRST)
    with Raw(daemon.host, daemon.port) as client:
        first = client.ask("alice code", "")
        assert first.code == ACCESS_CHALLENGE
        second = client.ask("alice code", code(mailbox), state(first))
        assert second.code == ACCESS_CHALLENGE
        assert client.ask("alice code", RIGHT, state(second)).code == ACCESS_ACCEPT
    assert daemon.records("login.accepted")[0]["user"] == "alice"
    explained = aad("explain", "alice code", "--event", "vpn", "-c", daemon.file)
    assert "chain both: only for who asks for" in explained.stdout
    assert "chain: code-first" in explained.stdout


def test_a_realm_picks_the_repository(
    tmp_path: Path, directory: Directory, mailbox: Mailbox, authority: Authority
) -> None:
    hashed = aad("hash-password", given="of the file\n").stdout.strip()
    users = tmp_path / "users.toml"
    users.write_text(f'[users.alice]\npassword = "{hashed}"\nemail = "alice@partner.org"\n')
    users.chmod(0o600)
    partner = f'[repositories.partner]\ntype = "file"\npath = "{users}"\nrealms = ["partner.org"]\n'
    parts = repository(directory) + 'realms = ["corp"]\n' + partner + sender(mailbox.port, authority)
    with Daemon(tmp_path / "aad", parts) as daemon, Raw(daemon.host, daemon.port) as client:
        assert client.ask("CORP\\alice", "of the file").code == ACCESS_REJECT
        given = state(client.ask("Alice@partner.org", "of the file"))
        assert client.ask("Alice@partner.org", code_in(mailbox.wait("alice@partner.org")), given).code == ACCESS_ACCEPT
        explained = aad("explain", "alice@partner.org", "--event", "vpn", "-c", daemon.file).stdout
        assert "realm: repository partner" in explained
