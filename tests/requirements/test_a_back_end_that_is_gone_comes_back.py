"""Requirement 15: a back end that is gone fails fast, and is back in use soon after it returned."""

from __future__ import annotations

from functools import partial

import pytest

from aad.radius.protocol.constants import ACCESS_CHALLENGE
from tests.parts.alice import RIGHT
from tests.parts.directory import Directory
from tests.parts.mailbox import Mailbox
from tests.parts.ports import free_port
from tests.parts.raw import Raw, Request
from tests.parts.stopwatch import Stopwatch, timed
from tests.parts.waiting import until
from tests.repositories.ldap.crooked import Relay
from tests.requirements.beside import (
    CROWD,
    Beside,
    a_crowd,
    all_challenge,
    challenged,
    logged_in,
    once,
    recorded,
)
from tests.requirements.events import Start, ldap, smtp


@pytest.mark.parametrize("fault", ["gone", "close", "garbage"])
def test_15_a_directory_that_fails_is_passed_over_fast_and_used_again(
    start: Start, directory: Directory, fault: str
) -> None:
    with Beside(Relay(directory.port)) as relay:
        daemon = start(ldap(directory, relay.server.url, directory.ldap_uri))
        with Raw(daemon.host, daemon.port) as client:
            assert client.ask("user00", "pw-00").code == ACCESS_CHALLENGE
            if fault == "gone":
                relay.stop()
            relay.server.mood = fault
            for number in range(1, 6):
                code, seconds = timed(partial(logged_in, client, number), daemon.child.pid)
                assert code == ACCESS_CHALLENGE
                assert seconds < 0.5
            relay.server.mood = ""
            relay.start()
            before = relay.server.accepted
            until(lambda: client.ask("alice", RIGHT).code and relay.server.accepted > before, what="the first one used")
    assert not daemon.records("login.unavailable")


def test_15_a_directory_that_is_gone_fails_fast_and_is_back_within_seconds(start: Start, directory: Directory) -> None:
    daemon = start("")
    for outage in (1, 2):
        directory.stop()
        with a_crowd(daemon) as crowd:
            watch = Stopwatch(daemon.child.pid)
            until(partial(recorded, daemon, CROWD * outage, "login.unavailable"))
            assert watch.seconds < 1
            assert all(client.silent(0.01) for client, _ in crowd)
        directory.start()
        until(lambda: all_challenge(daemon), what="a challenge after the directory's return")
        once(daemon, "repository.down", outage)
        assert len(daemon.records("repository.down")) == len(daemon.records("repository.up"))
        assert challenged(daemon, "user00", "pw-00")  # whose login failed before: he isn't locked out
    assert not daemon.records("user.locked")


@pytest.mark.also("two workers, valkey")
def test_15_a_mail_server_that_is_gone_fails_fast_and_is_back_within_seconds(start: Start, mailbox: Mailbox) -> None:
    daemon = start("")
    for outage in (1, 2):
        mailbox.stop()
        with a_crowd(daemon):
            watch = Stopwatch(daemon.child.pid)
            until(partial(recorded, daemon, CROWD * outage, "login.unavailable"))
            assert watch.seconds < 1
        mailbox.start()
        until(lambda: all_challenge(daemon), what="a challenge after the mail server's return")
        once(daemon, "sender.down", outage)
        assert len(daemon.records("sender.down")) == len(daemon.records("sender.up"))


def test_15_a_mail_server_that_is_gone_is_passed_over_fast(start: Start, mailbox: Mailbox) -> None:
    daemon = start(smtp("127.0.0.1", free_port()), senders='slow", "mail')
    with Raw(daemon.host, daemon.port) as client:
        for number in range(4):
            code, seconds = timed(partial(logged_in, client, number), daemon.child.pid)
            assert code == ACCESS_CHALLENGE
            assert seconds < 0.5
    assert len(mailbox.messages) == 4
    once(daemon, "sender.down")
    assert not daemon.records("login.unavailable", "sender.up")


def test_15_tries_amid_an_outage_use_up_no_mails(start: Start, mailbox: Mailbox) -> None:
    daemon = start("")
    few = 'mails_per_user = "3 per 10m"\nmails_per_client = "3 per 10m"'
    daemon.file.write_text(daemon.file.read_text().replace('mails_per_user = "unlimited"', few))
    daemon.reload()
    mailbox.stop()
    with Raw(daemon.host, daemon.port) as client:
        for number in range(1, 5):
            client.send(Request("alice", RIGHT).octets)
            until(partial(recorded, daemon, number, "login.unavailable", "login.rejected"))
    mailbox.start()
    until(lambda: challenged(daemon), what="a challenge after the mail server's return")
    assert not daemon.records("mail.refused", "login.rejected")
