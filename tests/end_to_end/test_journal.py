"""Whole logins in a real journal: their fields, their explanation, `aad log`, and a journald that stands still."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest

from aad.logs.journal_writer import MOST_RECORDS
from aad.logs.records import message_id
from aad.radius.protocol.constants import ACCESS_ACCEPT, ACCESS_CHALLENGE, ACCESS_REJECT
from tests.parts.alice import RIGHT, code, state
from tests.parts.authority import Authority
from tests.parts.corp import repository, sender
from tests.parts.daemon import HEAD, SECRET, Daemon
from tests.parts.directory import Directory
from tests.parts.journald import Journald, JournalDaemon
from tests.parts.mailbox import Mailbox, code_in
from tests.parts.radclient import Radclient
from tests.parts.raw import Raw, Request
from tests.parts.waiting import until

CATALOGUE = Path(__file__).parent.parent.parent / "systemd" / "aad.catalog"
STORY = [
    "login.started",
    "password.accepted",
    "mail.sent",
    "challenge.sent",
    "code.accepted",
    "login.accepted",
]


class FileDaemon(Daemon):
    """The daemon, writing to a file, where `records` are read."""

    def records(self, *names: str) -> list[dict[str, Any]]:
        file = self.folder.parent / "aad.log"
        found = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        return [one for one in found if not names or one["event"] in names]


@pytest.fixture
def journald(tmp_path: Path) -> Iterator[Journald]:
    with Journald(tmp_path / "journald", CATALOGUE) as running:
        yield running


@pytest.fixture
def daemon(
    tmp_path: Path, directory: Directory, mailbox: Mailbox, authority: Authority, journald: Journald
) -> Iterator[JournalDaemon]:
    parts = repository(directory) + sender(mailbox.port, authority)
    with JournalDaemon(tmp_path / "aad", parts, journald) as running:
        yield running
        running.stop()
        assert not running.strays()


def aad_log(journald: Journald, daemon: Daemon, *options: str) -> subprocess.CompletedProcess[str]:
    return journald.aad("log", "-c", daemon.file, *options)


def logged_in(daemon: Daemon, mailbox: Mailbox, user: str, password: str) -> None:
    """Log in, in two packets."""
    with Raw(daemon.host, daemon.port) as client:
        challenge = client.ask(user, password)
        assert challenge.code == ACCESS_CHALLENGE
        letter = mailbox.wait(f"{user}@example.com")
        assert client.ask(user, code_in(letter), state(challenge)).code == ACCESS_ACCEPT


def test_a_login_in_the_journal(daemon: JournalDaemon, journald: Journald, mailbox: Mailbox) -> None:
    with Radclient(daemon.host, daemon.port, SECRET) as radclient:
        assert radclient.login("alice", RIGHT, lambda _: code(mailbox)).accepted
    entries = [entry for entry in journald.entries("AAD_USER=alice") if entry["AAD_EVENT"] in STORY]
    assert [entry["AAD_EVENT"] for entry in entries] == STORY
    assert len({entry["AAD_LOGIN"] for entry in entries}) == 1
    for entry in entries:
        assert entry["MESSAGE_ID"] == message_id(entry["AAD_EVENT"])
        assert entry["SYSLOG_IDENTIFIER"] == "aad"
        assert entry["PRIORITY"] == "6"
        assert (entry["AAD_CLIENT"], entry["AAD_LOGIN_EVENT"]) == ("gateway", "vpn")
        assert "AAD_TIME" not in entry  # none had to wait
    sent = entries[STORY.index("mail.sent")]
    assert (sent["AAD_SENDER"], sent["AAD_RECIPIENT"]) == ("mail", "a***@e***.com")
    assert float(sent["AAD_MS"]) > 0
    explained = journald.run("journalctl", "-x", "-t", "aad", "AAD_EVENT=login.accepted").stdout
    assert "Subject: alice was accepted" in explained
    assert "the client gateway was sent an Access-Accept" in explained


def test_aad_log_tells_one_login(daemon: JournalDaemon, journald: Journald, mailbox: Mailbox) -> None:
    logged_in(daemon, mailbox, "alice", RIGHT)
    logged_in(daemon, mailbox, "user01", "pw-01")
    with Raw(daemon.host, daemon.port) as client:
        assert client.ask("alice", "wrong").code == ACCESS_REJECT
    first = daemon.records("login.started")[0]["login"]

    told = aad_log(journald, daemon, "--login", first.lower())
    assert (told.returncode, told.stderr) == (0, "")
    head, *steps = told.stdout.splitlines()
    assert f"alice  gateway  vpn  {first}  accepted after " in head
    assert len(steps) == len(STORY)
    assert steps[0].split("s  ", 1)[1] == "login of alice from gateway begins"
    assert "mail to a***@e***.com taken by mail as " in steps[2]
    assert all(float(step.split()[0]) >= 0 for step in steps)

    heads = [line for line in aad_log(journald, daemon, "--user", "ALICE").stdout.splitlines() if line[:2] == "20"]
    assert ["accepted" in heads[0], "rejected: wrong password" in heads[1], len(heads)] == [True, True, 2]
    lines = aad_log(journald, daemon, "--json", "--since", "10m", "--client", "gateway", "--event", "vpn").stdout
    records = [json.loads(line) for line in lines.splitlines()]
    assert [one["event"] for one in records if one["login"] == first] == STORY
    assert "aad 0" in aad_log(journald, daemon).stdout  # with the daemon's own records, in their place
    assert len(aad_log(journald, daemon, "-n", "1", "--json").stdout.splitlines()) == 3
    for nothing in (["--login", "AAAAAA"], ["--user", "nobody"], ["--since", "2999-01-01"], ["--client", "x"]):
        done = aad_log(journald, daemon, *nothing)
        assert (done.returncode, done.stdout, done.stderr) == (1, "", "aad: nothing found in the journal\n")
    assert aad_log(journald, daemon, "--since", "soon").returncode == 2


def test_aad_log_follows_and_paints_on_a_terminal(daemon: JournalDaemon, journald: Journald, mailbox: Mailbox) -> None:
    command = [sys.executable, "-m", "aad", "log", "-c", str(daemon.file), "-f", "--user", "user02", "--since", "1h"]
    inside = journald.within(command)
    surroundings = {**os.environ, "TERM": "xterm", "NO_COLOR": ""}
    child = pexpect.spawn(inside[0], inside[1:], env=surroundings, encoding="utf-8", timeout=20)
    try:
        logged_in(daemon, mailbox, "user01", "pw-01")
        logged_in(daemon, mailbox, "user02", "pw-02")
        child.expect("\x1b\\[32muser02 from gateway accepted\x1b\\[0m")
        before = str(child.before)
        assert before.count("\n") == len(STORY) - 1
        assert "user01" not in before
        child.sendintr()
        child.expect(pexpect.EOF)
    finally:
        child.close(force=True)
    assert child.exitstatus == 130


def test_who_may_not_read_the_journal_is_told_who_may(daemon: JournalDaemon, journald: Journald) -> None:
    until(lambda: daemon.records("daemon.started"))
    # Imported before: Python itself may lie where nobody may look.
    nobody = "os.setgroups([]), os.setgid(65534), os.setuid(65534), sys.exit(aad.cli.main())"
    imports = "import os, sys, aad.cli.log, aad.logs.journal_reader"
    done = journald.run(sys.executable, "-c", f"{imports}; {nobody}", "log", "-c", daemon.file)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "aad: the journal can't be read: be root, or in the group systemd-journal or adm\n"


def test_a_journald_that_stands_still_stops_no_login_and_gets_all_afterwards(
    daemon: JournalDaemon, journald: Journald, mailbox: Mailbox
) -> None:
    journald.pause()
    for number in range(20):
        logged_in(daemon, mailbox, f"user{number:02}", f"pw-{number:02}")
    resumed = time.time()
    journald.resume()
    daemon.answered(20, "login.accepted")
    for name in STORY:
        assert len(daemon.records(name)) == 20
    assert not daemon.records("records.dropped")
    waited = [float(one["time"]) for one in daemon.records("login.accepted") if "time" in one]
    assert waited
    assert waited == sorted(waited)
    assert all(moment <= resumed + 0.001 for moment in waited)  # they say when it happened, not when they were sent


def test_what_a_journald_standing_still_for_long_loses_is_said_by_one_record(
    daemon: JournalDaemon, journald: Journald
) -> None:
    journald.pause()
    number = MOST_RECORDS * 3 // 4  # of refused logins, with two records each
    with Raw(daemon.host, daemon.port, timeout=20) as client:
        for burst in range(0, number, 64):
            for one in range(burst, burst + 64):
                client.send(Request(f"nobody{one}", "x").octets)
            for _ in range(64):
                client.receive()  # each is answered, in time
    journald.resume()
    daemon.answered(1, "records.dropped")
    with Raw(daemon.host, daemon.port) as client:
        assert client.ask("nobody", "x").code == ACCESS_REJECT
    until(lambda: any(one["user"] == "nobody" for one in daemon.records("login.rejected")))
    (dropped,) = daemon.records("records.dropped")
    assert dropped["message"] == f"{dropped['count']} records were lost: the journal did not read them"
    written = [one for one in daemon.records() if one.get("user", "").startswith("nobody")]
    assert len(written) + int(dropped["count"]) == 2 * (number + 1)
    assert MOST_RECORDS < len(written) < 2 * number


def test_journald_started_anew_is_found_again(daemon: JournalDaemon, journald: Journald, mailbox: Mailbox) -> None:
    logged_in(daemon, mailbox, "user01", "pw-01")
    journald.end()
    logged_in(daemon, mailbox, "user02", "pw-02")
    journald.start()
    daemon.answered(2, "login.accepted")
    assert [one["event"] for one in daemon.records() if one.get("user") == "user02"] == STORY


def test_the_file_instead_of_the_journal(
    tmp_path: Path, directory: Directory, mailbox: Mailbox, authority: Authority
) -> None:
    log = tmp_path / "aad.log"
    head = HEAD.replace('to = "stderr"', f'to = "file"\nfile = "{log}"')
    parts = repository(directory) + sender(mailbox.port, authority)
    with FileDaemon(tmp_path / "aad", parts, head=head) as daemon:
        logged_in(daemon, mailbox, "user01", "pw-01")
        log.rename(tmp_path / "aad.log.1")
        daemon.child.signal(signal.SIGHUP)
        until(log.exists)
        logged_in(daemon, mailbox, "user02", "pw-02")
        command = [sys.executable, "-m", "aad", "log", "-c", str(daemon.file)]
        for user in ("user01", "user02"):
            told = subprocess.run([*command, "--user", user], capture_output=True, text=True, check=True).stdout
            assert "  accepted after " in told.splitlines()[0]
            assert len(told.splitlines()) == 1 + len(STORY)
    assert [json.loads(line)["event"] for line in log.read_text().splitlines()][-1] == "daemon.stopped"
