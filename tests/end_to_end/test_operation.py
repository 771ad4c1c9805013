"""What an administrator relies on: restarts, reloads, limits that last, words when something is out of order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TextIO

import pytest

from aad.cli import COMMANDS
from aad.radius.protocol import constants
from aad.radius.protocol.constants import ACCESS_ACCEPT, ACCESS_CHALLENGE, ACCESS_REJECT
from tests.parts.alice import RIGHT, code, state
from tests.parts.authority import Authority
from tests.parts.corp import PEOPLE, Make, repository, sender
from tests.parts.daemon import SECRET, Daemon
from tests.parts.directory import Directory
from tests.parts.mailbox import Mailbox, code_in
from tests.parts.postfix import Postfix
from tests.parts.radclient import Radclient
from tests.parts.raw import Raw, Request
from tests.parts.waiting import until
from tests.parts.warm import aad


def test_lockout_outlives_a_restart_and_unlock_ends_it(daemon: Daemon) -> None:
    with Raw(daemon.host, daemon.port) as client:
        for number in range(3):
            assert client.ask("alice", f"wrong {number}").code == ACCESS_REJECT
        daemon.kill()
        daemon.start()
        assert client.ask("alice", RIGHT).code == ACCESS_REJECT
        assert daemon.records("login.rejected")[-1]["reason"] == "locked out by wrong passwords"
        assert aad("locked", "-c", daemon.file).stdout.startswith("alice (corp)  3 wrong passwords in a row since ")
        assert aad("unlock", "Alice", "-c", daemon.file).returncode == 0
        assert client.ask("alice", RIGHT).code == ACCESS_CHALLENGE
    assert not aad("locked", "-c", daemon.file).stdout
    assert aad("unlock", "alice", "-c", daemon.file).returncode == 1


def test_a_reload_puts_a_new_configuration_in_force(
    daemon: Daemon, directory: Directory, mailbox: Mailbox, authority: Authority
) -> None:
    parts = repository(directory) + sender(mailbox.port, authority)
    with Raw(daemon.host, daemon.port) as client:
        given = state(client.ask("alice", RIGHT))
        daemon.configure(parts + '[methods.email_otp]\nprompt = "Code please"\nresend_after = "0s"')
        daemon.reload()
        assert client.ask("alice", code(mailbox), given).code == ACCESS_ACCEPT  # begun before
        assert client.ask("alice", RIGHT).first(constants.REPLY_MESSAGE) == b"Code please"
        daemon.configure("[nonsense]")
        daemon.reload()
        assert client.ask("alice", RIGHT).first(constants.REPLY_MESSAGE) == b"Code please"
    assert any("nonsense" in record["reason"] for record in daemon.records("configuration.refused"))


def test_logins_go_on_while_a_long_configuration_is_read(daemon: Daemon) -> None:
    daemon.stop()
    daemon.options = ()
    daemon.start()
    slow = daemon.folder / "aad.toml.d" / "1.toml"
    slow.parent.mkdir()
    os.mkfifo(slow, 0o600)
    daemon.child.signal(signal.SIGHUP)
    file = until(lambda: writer(slow))
    assert file is not None
    with file, Raw(daemon.host, daemon.port) as client:  # it is being read
        assert client.ask("alice", RIGHT).code == ACCESS_CHALLENGE
        assert not daemon.records("configuration.loaded")
        file.write('[radius]\nreject_message = "Sorry."\n')
    until(lambda: daemon.records("configuration.loaded"))
    with Raw(daemon.host, daemon.port) as client:
        assert client.ask("alice", "wrong").first(constants.REPLY_MESSAGE) == b"Sorry."


def writer(fifo: Path) -> TextIO | None:
    """Open a FIFO for writing, if somebody reads it."""
    try:
        return os.fdopen(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK), "w")
    except OSError:
        return None


def test_one_client_s_flood_leaves_room_for_others(make: Make, mailbox: Mailbox, directory: Directory) -> None:
    other = '[clients.other]\nnetworks = ["127.0.0.77"]\nsecret = "the secret of another client"\nevent = "vpn"\n'
    daemon = make("[limits]\nat_work_per_client = 5\n" + other)
    with Raw(daemon.host, daemon.port) as flood, Raw(daemon.host, daemon.port, source="127.0.0.77") as client:
        given = state(flood.ask("alice", RIGHT))
        directory.pause()
        for number in range(20):
            flood.send(Request(f"user{number:02}", "x").octets)
        until(lambda: daemon.records("request.discarded"))
        assert flood.ask("alice", code(mailbox), given).code == ACCESS_ACCEPT  # whoever answers always passes
        request = Request("bob", "battery staple", secret="the secret of another client")
        client.send(request.octets)
        until(lambda: any(record["user"] == "bob" for record in daemon.records("login.started")))
        directory.resume()
        assert request.reply(client.receive()).code == ACCESS_CHALLENGE
    assert len(daemon.records("login.started")) == 1 + 5 + 1
    (discarded,) = daemon.records("request.discarded")
    assert discarded["client"] == "gateway"


def test_a_login_begun_again_after_a_reload_is_still_one(
    daemon: Daemon, mailbox: Mailbox, directory: Directory
) -> None:
    with Raw(daemon.host, daemon.port) as client:
        directory.pause()
        client.send(Request("alice", RIGHT, identifier=1).octets)
        until(lambda: daemon.records("login.started"))
        daemon.reload()
        again = Request("alice", RIGHT, identifier=2)
        client.send(again.octets)
        assert client.silent(0.3)  # it is at work by now
        directory.resume()
        replies = [client.receive(), client.receive()]
        assert [again.reply(one).code for one in replies if one[1] == 2] == [ACCESS_CHALLENGE]
    assert len(mailbox.letters("alice@example.com")) == 1


def test_sigterm_sends_what_is_due(daemon: Daemon, mailbox: Mailbox, directory: Directory) -> None:
    with Raw(daemon.host, daemon.port) as client:
        directory.pause()
        request = Request("alice", RIGHT)
        client.send(request.octets)
        until(lambda: daemon.records("login.started"))
        daemon.child.signal(signal.SIGTERM)
        directory.resume()
        assert request.reply(client.receive()).code == ACCESS_CHALLENGE
    until(lambda: not daemon.child.alive)
    assert daemon.child.returncode == 0


def test_a_directory_that_is_gone_gets_silence_and_words(daemon: Daemon, directory: Directory) -> None:
    with Raw(daemon.host, daemon.port) as client:
        directory.stop()
        client.send(Request("alice", RIGHT).octets)
        until(lambda: daemon.records("login.unavailable"))
        assert client.silent(0.2)
        directory.start()
        until(lambda: _challenged(client), what="a challenge after the directory's return")
    assert len(daemon.records("repository.down")) == 1
    assert len(daemon.records("repository.up")) == 1
    assert not daemon.records("user.locked")


def test_of_two_servers_one_that_is_gone_is_told_and_nobody_waits(
    tmp_path: Path, directory: Directory, mailbox: Mailbox, authority: Authority
) -> None:
    folder = tmp_path / "second"
    folder.mkdir()
    with Directory(folder, authority, PEOPLE) as second:
        two = repository(directory).replace(
            f'"{directory.ldaps_uri}"', f'"{second.ldaps_uri}", "{directory.ldaps_uri}"'
        )
        with (
            Daemon(tmp_path / "aad", two + sender(mailbox.port, authority)) as daemon,
            Raw(daemon.host, daemon.port) as client,
        ):
            second.pause()  # mute, which is worse than gone
            assert client.ask("alice", RIGHT).code == ACCESS_CHALLENGE
            second.resume()
            until(lambda: client.ask("bob", "battery staple") and daemon.records("server.up"))
            (down,), (up,) = daemon.records("server.down"), daemon.records("server.up")
            assert down["server"] == up["server"] == second.ldaps_uri
            assert not daemon.records("repository.down", "login.unavailable")


def _challenged(client: Raw) -> bool:
    request = Request("alice", RIGHT)
    client.send(request.octets)
    return not client.silent(0.3)


def test_a_mail_server_that_is_gone_gets_silence_and_words(daemon: Daemon, mailbox: Mailbox) -> None:
    mailbox.stop()
    with Raw(daemon.host, daemon.port) as client:
        client.send(Request("alice", RIGHT).octets)
        until(lambda: daemon.records("login.unavailable"))
        assert client.silent(0.2)
    assert daemon.records("sender.down")
    assert daemon.records("mail.failed")


def test_refused_where_the_administrator_wants_it(make: Make, directory: Directory, tmp_path: Path) -> None:
    daemon = make()
    text = daemon.file.read_text().replace("[radius]", '[radius]\non_unavailable = "reject"')
    daemon.file.write_text(text)
    daemon.reload()
    directory.stop()
    with Raw(daemon.host, daemon.port) as client:
        assert client.ask("alice", RIGHT).code == ACCESS_REJECT


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_postfix_with_authentication(tmp_path: Path, directory: Directory, authority: Authority, security: str) -> None:
    folder = tmp_path / "postfix"
    folder.mkdir()
    with Postfix(folder, authority, security, "aad", "mail secret") as postfix:  # type: ignore[arg-type]
        parts = repository(directory) + sender(postfix.port, authority, security)
        with (
            Daemon(tmp_path / "aad", parts, client='deadline = "10s"') as daemon,
            Radclient(daemon.host, daemon.port, SECRET) as radclient,
        ):
            result = radclient.login("alice", RIGHT, lambda _: code_in(postfix.wait("alice@example.com")))
            assert result.accepted, result.transcript
            (sent,) = daemon.records("mail.sent")
            assert sent["queue_id"] in postfix.log()
            done = aad("test-message", "-c", daemon.file, "--to", "bob@example.com", "--message", "Braces: {otp}")
            assert done.returncode == 0, done.stderr
            assert "authenticated" in done.stdout
            assert "Braces: {otp}" in postfix.wait("bob@example.com").text


@pytest.mark.parametrize("protocol", ["pap", "chap", "mschapv2"])
def test_aad_login(daemon: Daemon, mailbox: Mailbox, tmp_path: Path, protocol: str) -> None:
    for name, text in (("secret", SECRET), ("password", RIGHT), ("wrong", "wrong")):
        (tmp_path / name).write_text(text + "\n")
    server: list[str | Path] = ["--server", f"{daemon.host}:{daemon.port}", "--secret-file", tmp_path / "secret"]
    fifo = tmp_path / "code"
    command = f'until [ -s "{fifo}" ]; do sleep 0.02; done; cat "{fifo}"'
    options = [*server, "--password-file", tmp_path / "password", "--code-command", command, "--protocol", protocol]
    line = [sys.executable, "-m", "aad", "login", "alice", *map(str, options)]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
    fifo.write_text(code(mailbox))
    out, _ = process.communicate(timeout=20)
    assert (process.returncode, out) == (0, "accepted\n")
    assert aad("login", "alice", *server, "--password-file", tmp_path / "wrong").returncode == 1


def test_aad_login_without_an_answer(tmp_path: Path, daemon: Daemon) -> None:
    (tmp_path / "secret").write_text("not the secret of anybody")
    (tmp_path / "password").write_text(RIGHT)
    server: list[str | Path] = [
        "--server",
        f"{daemon.host}:{daemon.port}",
        "--secret-file",
        tmp_path / "secret",
        "--timeout",
        "0.1",
    ]
    done = aad("login", "alice", *server, "--password-file", tmp_path / "password")
    assert done.returncode == 2
    assert "no answer" in done.stderr


def test_aad_check_online(daemon: Daemon, directory: Directory) -> None:
    done = aad("check", "--online", "-c", daemon.file)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == ["store", "repository corp", "sender mail"]
    directory.stop()
    done = aad("check", "--online", "-c", daemon.file)
    assert done.returncode == 1
    assert "repository corp: FAILED" in done.stdout


def test_aad_explain(daemon: Daemon) -> None:
    done = aad("explain", "alice", "--event", "vpn", "-c", daemon.file)
    assert done.returncode == 0, done.stderr
    assert "a***@e***.com" in done.stdout
    assert "alice@example.com" not in done.stdout
    assert "chain: both (password, then email_otp)" in done.stdout
    assert "alice@example.com" in aad("explain", "alice", "--event", "vpn", "--show-address", "-c", daemon.file).stdout
    assert aad("explain", "nobody", "--event", "vpn", "-c", daemon.file).returncode == 1
    assert aad("explain", "alice", "--event", "vpm", "-c", daemon.file).returncode == 2
    assert aad("explain", "twin", "--event", "vpn", "-c", daemon.file).returncode == 1


def test_a_configuration_nobody_could_run(tmp_path: Path) -> None:
    file = tmp_path / "aad.toml"
    file.write_text("[radius]\nlisten = 3\n")
    for command in (["serve"], ["check"], ["locked"]):
        done = aad(*command, "-c", file)
        assert done.returncode == 78
        assert f"{file}: radius.listen: should be a list, is a number" in done.stderr
        assert "Traceback" not in done.stderr


def test_two_secrets_while_one_is_being_changed(daemon: Daemon, mailbox: Mailbox) -> None:
    text = daemon.file.read_text().replace(
        f'secret = "{SECRET}"', f'secret = ["the new secret of this test", "{SECRET}"]'
    )
    daemon.file.write_text(text)
    daemon.reload()
    with Raw(daemon.host, daemon.port) as client:
        for secret in (SECRET, SECRET, "the new secret of this test"):
            request = Request("alice", RIGHT, secret=secret)
            client.send(request.octets)
            assert request.reply(client.receive()).code == ACCESS_CHALLENGE
    said = [record["reason"] for record in daemon.records("client.secret")]
    assert said == ["secret 2 of 2, an old one", "the first of its secrets"]
    assert len(mailbox.messages) == 1


def test_aad_make_secret() -> None:
    made = {aad("make-secret").stdout for _ in range(2)}
    assert len(made) == 2
    assert all(len(secret) == 33 for secret in made)


def test_aad_hash_password_and_version() -> None:
    assert aad("hash-password", given="correct horse\n").stdout.startswith("scrypt$n=16384,r=8,p=1$")
    assert aad("hash-password", given="\n").returncode == 1
    assert "ldap3" in aad("version").stdout
    assert aad().returncode == 2


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str) -> None:
    done = aad(command, "--help")
    assert done.returncode == 0
    assert f"Example: aad {command}" in done.stdout


def test_a_second_daemon_on_the_same_port_refuses_to_start(daemon: Daemon, tmp_path: Path) -> None:
    second = tmp_path / "second.toml"
    second.touch(mode=0o600)
    second.write_text(daemon.file.read_text().replace("state.db", "other.db"))
    done = aad("serve", "-c", second)
    assert done.returncode == 1
    assert f"can't listen on 127.0.0.1 port {daemon.port}: Address already in use" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_store_that_can_t_be_opened(daemon: Daemon, tmp_path: Path) -> None:
    second = tmp_path / "second.toml"
    second.touch(mode=0o600)
    second.write_text(daemon.file.read_text().replace("/state.db", "/nowhere/state.db"))
    done = aad("serve", "-c", second)
    assert done.returncode == 69
    assert "/nowhere/state.db" in done.stderr
    assert "Traceback" not in done.stderr
