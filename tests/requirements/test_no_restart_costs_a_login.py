"""Requirements 18 and 19: kill -9, SIGTERM, a bad reload and a second instance cost nobody his login."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from aad.radius.protocol.constants import ACCESS_ACCEPT, ACCESS_CHALLENGE, ACCESS_REJECT
from tests.parts.alice import RIGHT, code, state
from tests.parts.authority import Authority
from tests.parts.corp import Make, repository, sender
from tests.parts.daemon import HEAD, Daemon
from tests.parts.directory import Directory
from tests.parts.mailbox import Mailbox
from tests.parts.raw import Raw, Request
from tests.parts.stopwatch import Stopwatch, waited
from tests.parts.waiting import until
from tests.parts.warm import aad
from tests.requirements.beside import again, ask_status, only
from tests.requirements.machine import Machine

WRONG_CODE = "00000"  # never right: five digits


@pytest.mark.also("valkey", "two workers, valkey")
@pytest.mark.usefixtures("unshared")
def test_18_after_kill_9_amid_a_login_it_is_ready_within_2_seconds(
    daemon: Daemon, mailbox: Mailbox, directory: Directory
) -> None:
    with Raw(daemon.host, daemon.port) as client:
        given, typed = state(client.ask("alice", RIGHT)), code(mailbox)
        directory.pause()
        client.send(Request("user01", "pw-01").octets)
        until(lambda: len(daemon.records("login.started")) == 2)
        daemon.kill()
        directory.resume()
        took = started(daemon, client)
        assert client.ask("alice", typed, given).code == ACCESS_ACCEPT
        assert client.ask("user01", "pw-01").code == ACCESS_CHALLENGE
        for _ in range(2):  # the machine may have had other things to do
            if took >= 2:
                daemon.kill()
                took = started(daemon, client)
        assert took < 2


def started(daemon: Daemon, client: Raw) -> float:
    """Start it as a command, imports and all, and return after how many seconds of its own it answers."""
    waiting = Stopwatch()
    daemon.start()
    assert ask_status(client).code == ACCESS_ACCEPT
    return waiting.seconds - waited(daemon.child.pid)


@pytest.mark.also("valkey", "two workers, valkey")
def test_18_after_kill_9_limits_are_kept(machine: Machine, make: Make, mailbox: Mailbox) -> None:
    daemon = make('[limits]\nmails_per_user = "1 per 10m"\n[lockout]\nattempts = 2\n[methods.email_otp]\nattempts = 2')

    def killed() -> None:
        daemon.kill()
        daemon.start()

    with Raw(daemon.host, daemon.port) as client:
        given = state(client.ask("alice", RIGHT))
        assert client.ask("user01", "wrong").code == ACCESS_REJECT
        wrong = client.ask("alice", WRONG_CODE, given)
        assert wrong.code == ACCESS_CHALLENGE
        killed()
        assert client.ask("user01", "wrong too").code == ACCESS_REJECT
        assert client.ask("alice", WRONG_CODE, state(wrong)).code == ACCESS_REJECT  # her second try was the last
        killed()
        assert client.ask("user01", "pw-01").code == ACCESS_REJECT
        assert only(daemon.records("login.rejected"))["reason"] == "locked out by wrong passwords"
        assert client.ask("alice", RIGHT).code == ACCESS_REJECT
        assert daemon.records("login.rejected")[-1]["reason"] == "locked out by wrong codes"
        machine.step("boot", 301)
        assert client.ask("alice", RIGHT).code == ACCESS_REJECT
        assert "1 per 10m" in only(daemon.records("mail.refused"))["reason"]
    assert len(mailbox.messages) == 1


@pytest.mark.also("two workers, valkey")
def test_18_sigterm_sends_the_replies_in_flight(
    tmp_path: Path, directory: Directory, mailbox: Mailbox, authority: Authority
) -> None:
    head = HEAD.replace('"50ms"', '"1s"')
    with Daemon(tmp_path / "aad", repository(directory) + sender(mailbox.port, authority), head=head) as daemon:
        asked = [Request(f"user{number:02}", f"pw-{number:02}") for number in range(3)] + [Request("alice", "wrong")]
        clients = [Raw(daemon.host, daemon.port) for _ in asked]
        directory.pause()
        for client, request in zip(clients, asked, strict=True):
            client.send(request.octets)
        until(lambda: len(daemon.records("login.started")) == len(asked))
        daemon.child.signal(signal.SIGTERM)
        directory.resume()
        codes = [request.reply(client.receive()).code for client, request in zip(clients, asked, strict=True)]
        assert codes == [ACCESS_CHALLENGE] * 3 + [ACCESS_REJECT]
        until(lambda: not daemon.child.alive)
        assert daemon.child.returncode == 0
        for client in clients:
            client.stop()


@pytest.mark.parametrize(
    "bad",
    [b"[radius", b"\xff", b"[nonsense]\n", b"[radius]\nlisten = 3\n", b"", None],
    ids=["no TOML", "no UTF-8", "unknown", "type", "empty", "gone"],
)
def test_18_a_reload_with_a_bad_file_changes_nothing(daemon: Daemon, mailbox: Mailbox, bad: bytes | None) -> None:
    with Raw(daemon.host, daemon.port) as client:
        given, request = state(client.ask("alice", RIGHT)), Request("user01", "pw-01")
        first = again(client, request)
        if bad is None:
            daemon.file.unlink()
        else:
            daemon.file.write_bytes(bad)
        daemon.reload()
        assert not daemon.records("configuration.loaded")
        assert all(str(daemon.file) in record["reason"] for record in daemon.records("configuration.refused"))
        assert again(client, request) == first
        assert client.ask("alice", code(mailbox), given).code == ACCESS_ACCEPT
        assert client.ask("user02", "pw-02").code == ACCESS_CHALLENGE


@pytest.mark.parametrize("address", ["{host}", "0.0.0.0", "[::]"])
def test_19_a_second_instance_on_the_same_port_refuses_to_start(daemon: Daemon, tmp_path: Path, address: str) -> None:
    file = tmp_path / "second.toml"
    text = daemon.file.read_text().replace("127.0.0.1:", address.format(host=daemon.host) + ":")
    file.touch(mode=0o600)
    file.write_text(text.replace(f"{daemon.folder}/state.db", f"{tmp_path}/second.db"))
    done = aad("serve", "-c", file)
    assert done.returncode == 1
    errors = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert len(errors) == 1
    assert f"port {daemon.port}: Address already in use" in errors[0]
    assert "daemon.started" not in done.stderr
    with Raw(daemon.host, daemon.port) as client:
        assert client.ask("alice", RIGHT).code == ACCESS_CHALLENGE
