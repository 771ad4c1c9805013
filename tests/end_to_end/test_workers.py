"""Several processes behind one port: a user has to do with one of them, and if one dies, with another."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from aad.radius.protocol.constants import ACCESS_ACCEPT, ACCESS_CHALLENGE
from tests.parts.alice import RIGHT, code, state
from tests.parts.authority import Authority
from tests.parts.child import Child
from tests.parts.corp import repository, sender
from tests.parts.daemon import Daemon
from tests.parts.directory import Directory
from tests.parts.mailbox import Mailbox, code_in
from tests.parts.raw import Raw, Request
from tests.parts.waiting import until
from tests.parts.warm import AAD

WORKERS = 3


@pytest.fixture
def workers(tmp_path: Path, directory: Directory, mailbox: Mailbox, authority: Authority) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path / "aad", repository(directory) + sender(mailbox.port, authority))
    daemon.options = ("--workers", str(WORKERS))
    with daemon:
        until(lambda: len(daemon.records("daemon.started")) == WORKERS)
        yield daemon
    assert len(daemon.records("daemon.stopped")) >= WORKERS
    assert not children(daemon.child.pid)


def children(pid: int) -> list[int]:
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def logged_in(daemon: Daemon, mailbox: Mailbox, number: int, count: int = 1) -> None:
    name = f"user{number:02}"
    with Raw(daemon.host, daemon.port, timeout=5) as client:
        given = state(client.ask(name, f"pw-{number:02}"))
        typed = code_in(mailbox.wait(f"{name}@example.com", count))
        assert client.ask(name, typed, given).code == ACCESS_ACCEPT


def test_all_log_in_and_each_user_has_one_process(workers: Daemon, mailbox: Mailbox) -> None:
    for number in range(12):
        logged_in(workers, mailbox, number)
    assert len(workers.records("login.accepted")) == 12


def test_what_is_repeated_reaches_the_same_process(workers: Daemon, mailbox: Mailbox) -> None:
    request, again = Request("alice", RIGHT), Request("alice", RIGHT)
    with Raw(workers.host, workers.port) as first, Raw(workers.host, workers.port) as second:
        first.send(request.octets)
        reply = first.receive()
        second.send(request.octets)
        assert second.receive() == reply
        second.send(again.octets)
        assert state(again.reply(second.receive())) == state(request.reply(reply))
        assert first.ask("alice", code(mailbox), state(request.reply(reply))).code == ACCESS_ACCEPT
    assert len(mailbox.messages) == 1
    assert len(workers.records("password.accepted")) == 2


@pytest.mark.parametrize("way", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_that_dies_is_started_anew_and_its_logins_go_on(
    workers: Daemon, mailbox: Mailbox, way: signal.Signals
) -> None:
    with Raw(workers.host, workers.port, timeout=5) as client:
        given = state(client.ask("alice", RIGHT))
        for pid in children(workers.child.pid):
            os.kill(pid, way)
        until(lambda: len(workers.records("daemon.started")) == 2 * WORKERS)
        assert client.ask("alice", code(mailbox), given).code == ACCESS_ACCEPT
        assert client.ask("alice", RIGHT).code == ACCESS_CHALLENGE


def test_a_reload_reaches_all(workers: Daemon, mailbox: Mailbox) -> None:
    workers.configure(workers.file.read_text().partition("[events.vpn]\n")[2] + '[methods.email_otp]\nprompt = "New"\n')
    workers.child.signal(signal.SIGHUP)
    until(lambda: len(workers.records("configuration.loaded")) == WORKERS)
    for number in range(6):
        with Raw(workers.host, workers.port) as client:
            assert b"New" in client.ask(f"user{number:02}", f"pw-{number:02}").first(18)  # type: ignore[operator]
    del mailbox


def test_a_configuration_that_no_worker_can_serve_ends_them_all(
    workers: Daemon, directory: Directory, tmp_path: Path
) -> None:
    del directory
    text = workers.file.read_text().replace(str(workers.folder / "state.db"), "/proc/no/state.db")
    other = Daemon(tmp_path / "other", "")
    other.file.write_text(text.replace(f":{workers.port}", f":{other.port}"))
    other.options = workers.options
    with pytest.raises(AssertionError, match="No such file"):
        other.start()


def test_workers_end_with_their_parent(tmp_path: Path, directory: Directory, authority: Authority) -> None:
    daemon = Daemon(tmp_path / "aad", repository(directory) + sender(1, authority))
    daemon.options = ("--workers", "2")
    daemon.start()
    until(lambda: len(daemon.records("daemon.started")) == 2)
    pids = children(daemon.child.pid)
    os.kill(daemon.child.pid, signal.SIGKILL)  # alone, not its group
    until(lambda: not [pid for pid in pids if Path(f"/proc/{pid}/cmdline").exists() and _alive(pid)])
    daemon.kill()
    assert len(daemon.records("daemon.stopped")) == 2


def _alive(pid: int) -> bool:
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()


def test_systemd_hears_of_all_of_them_and_one_that_hangs_is_replaced(
    tmp_path: Path, directory: Directory, authority: Authority
) -> None:
    daemon = Daemon(tmp_path / "aad", repository(directory) + sender(1, authority))
    command = [*AAD, "serve", "-c", str(daemon.file), "--workers", "2"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(15)
        environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "2000000"}
        with Child(command, tmp_path / "log", env=environment, imported=True) as child:

            def hear(what: bytes) -> bytes:
                while what not in (said := systemd.recv(4096)):
                    pass
                return said

            assert b"STATUS=2 workers; clients: 1" in hear(b"READY=1")
            assert child.output().count("daemon.started") == 2
            hear(b"WATCHDOG=1")
            (one, other) = children(child.pid)
            os.kill(one, signal.SIGSTOP)
            until(lambda: one not in children(child.pid) and len(children(child.pid)) == 2, 20)
            assert other in children(child.pid)
            hear(b"WATCHDOG=1")
            child.signal(signal.SIGHUP)
            hear(b"RELOADING=1")
            hear(b"READY=1")
            child.signal(signal.SIGTERM)
            hear(b"STOPPING=1")
