"""Requirements 25 to 29 (30 and 31: test_it_does_not_leak.py). Each test bears the number it holds."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from threading import Timer

import pytest

from aad.core.scrypt import hash_password
from aad.core.secret import Secret
from aad.radius.protocol import constants
from aad.radius.protocol.constants import ACCESS_ACCEPT, ACCESS_CHALLENGE, ACCESS_REJECT
from tests.parts.alice import RIGHT, code, state
from tests.parts.authority import Authority
from tests.parts.corp import Make, repository, sender
from tests.parts.daemon import HEAD, Daemon
from tests.parts.directory import Directory
from tests.parts.mailbox import Mailbox, code_in
from tests.parts.raw import Raw
from tests.parts.stopwatch import Stopwatch
from tests.parts.waiting import until
from tests.requirements.reading import AT_ONCE_AGAIN, TWO_CLIENTS, password
from tools.flood_parts.main import flood
from tools.fuzz_parts.main import Fuzzer, target
from tools.fuzz_parts.refusals import alike, daemon_for, distances, refusals
from tools.parts.probes import distinct_names, many_sources, queued
from tools.parts.readings import memory

HASH = hash_password(Secret("anything"), bytes(16))


@pytest.fixture
def parts(directory: Directory, mailbox: Mailbox, authority: Authority) -> str:
    return repository(directory) + sender(mailbox.port, authority)


@pytest.mark.also("valkey")
def test_25_mails_to_a_user_are_capped_and_his_state_still_passes(make: Make, mailbox: Mailbox) -> None:
    daemon = make('[limits]\nmails_per_user = "2 per 10m"\n' + AT_ONCE_AGAIN)
    with Raw(daemon.host, daemon.port) as client:
        replies = [client.ask("alice", RIGHT) for _ in range(5)]
        assert [reply.code for reply in replies] == [ACCESS_CHALLENGE] * 2 + [ACCESS_REJECT] * 3
        assert client.ask("bob", "battery staple").code == ACCESS_CHALLENGE
        assert client.ask("alice", code(mailbox, 2), state(replies[1])).code == ACCESS_ACCEPT
    assert len(mailbox.letters("alice@example.com")) == 2
    assert not daemon.records("user.locked")


def test_25_an_empty_answer_beyond_the_cap_leaves_the_code_good(make: Make, mailbox: Mailbox) -> None:
    daemon = make('[limits]\nmails_per_user = "1 per 10m"\n' + AT_ONCE_AGAIN)
    with Raw(daemon.host, daemon.port) as client:
        given = state(client.ask("alice", RIGHT))
        again = client.ask("alice", "", given)
        assert again.code == ACCESS_CHALLENGE
        assert client.ask("alice", code(mailbox), state(again)).code == ACCESS_ACCEPT
    assert len(mailbox.messages) == 1
    assert daemon.records("mail.refused")


def test_25_a_flood_by_one_client_starves_neither_another_nor_the_owner(
    tmp_path: Path, parts: str, mailbox: Mailbox
) -> None:
    limits = '[limits]\nmails_per_client = "3 per 10m"\nmails_per_user = "2 per 10m"\n'
    with (
        Daemon(tmp_path / "aad", parts + limits + AT_ONCE_AGAIN, head=TWO_CLIENTS) as daemon,
        Raw(daemon.host, daemon.port, source="127.0.0.1") as flood,
        Raw(daemon.host, daemon.port, source="127.0.0.2") as other,
    ):
        given = state(flood.ask("alice", RIGHT))
        for number in range(20):
            assert flood.ask(*password(number)).code == (ACCESS_CHALLENGE if number < 2 else ACCESS_REJECT)
        for _ in range(5):  # refused because of the client: it costs bob nothing
            assert flood.ask("bob", "battery staple").code == ACCESS_REJECT
        assert other.ask("bob", "battery staple").code == ACCESS_CHALLENGE
        assert other.ask(*password(19)).code == ACCESS_CHALLENGE
        assert flood.ask("alice", code(mailbox), given).code == ACCESS_ACCEPT
    assert len(mailbox.messages) == 5


@pytest.mark.also("two workers, valkey")
def test_25_mails_altogether_are_capped(make: Make, mailbox: Mailbox) -> None:
    daemon = make('[limits]\nmails_total = "4 per 10m"\n')
    with Raw(daemon.host, daemon.port) as client:
        given = state(client.ask("alice", RIGHT))
        codes = [client.ask(*password(number)).code for number in range(6)]
        assert codes == [ACCESS_CHALLENGE] * 3 + [ACCESS_REJECT] * 3
        assert client.ask("alice", code(mailbox), given).code == ACCESS_ACCEPT
    assert len(mailbox.messages) == 4
    assert "4 per 10m for this server" in daemon.records("mail.refused")[0]["reason"]


def test_26_a_flood_gets_no_octet_and_starves_nobody(tmp_path: Path) -> None:
    figures = flood(tmp_path, rate=10_000, seconds=3)
    assert figures.sent >= 3000, figures  # a busy machine manages less
    assert not figures.replies, figures
    assert figures.asked >= 30, figures
    assert figures.in_time >= 0.95 * figures.asked, figures
    assert figures.lines <= 2 * figures.workers, figures  # one for strangers, one for wrong authenticators


@pytest.mark.also("valkey", "two workers, valkey")
def test_27_when_all_places_are_waited_in_new_logins_are_refused(make: Make, mailbox: Mailbox) -> None:
    daemon = make("[limits]\nwaiting = 3\n")
    with Raw(daemon.host, daemon.port) as client:
        waiting = {number: client.ask(*password(number)) for number in range(3)}
        assert [reply.code for reply in waiting.values()] == [ACCESS_CHALLENGE] * 3

        def refused() -> bool:
            """Say whether no other login is begun; what another process did in the last second, one may not know."""
            more = {number: client.ask(*password(number)) for number in range(3, 6)}
            waiting.update({number: reply for number, reply in more.items() if reply.code == ACCESS_CHALLENGE})
            return [reply.code for reply in more.values()] == [ACCESS_REJECT] * 3

        until(refused)
        assert len(mailbox.messages) == len(waiting) <= 3 * daemon.workers
        for number, reply in waiting.items():
            typed = code_in(mailbox.wait(f"user{number:02}@example.com"))
            assert client.ask(f"user{number:02}", typed, state(reply)).code == ACCESS_ACCEPT
        assert until(lambda: client.ask(*password(9)).code == ACCESS_CHALLENGE)  # there is room again


def test_27_when_a_million_counters_count_new_names_are_refused(tmp_path: Path, parts: str, mailbox: Mailbox) -> None:
    if Daemon.valkey:
        pytest.skip("tests/stores/valkey/test_valkey.py counts keys")
    head = HEAD.replace("[log]", 'on_unavailable = "reject"\n[log]')
    with Daemon(tmp_path / "aad", parts, head=head) as daemon, Raw(daemon.host, daemon.port) as client:
        given = state(client.ask("alice", RIGHT))
        assert client.ask("bob", "wrong").code == ACCESS_REJECT
        daemon.stop()
        counts_until = time.clock_gettime(time.CLOCK_BOOTTIME) + 600
        with closing(sqlite3.connect(daemon.folder / "state.db")) as store, store:
            numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)"
            rows = f"{numbers} SELECT 'lockout', printf('n%07d', i), '', 1, ? FROM n"
            store.execute(f"INSERT INTO counter (kind, name, scope, count, until) {rows}", (counts_until,))
        daemon.start()
        assert client.ask("somebody new", "x").code == ACCESS_REJECT
        assert "users failed or got mail of late" in daemon.records("login.unavailable")[0]["reason"]
        assert client.ask("bob", "battery staple").code == ACCESS_REJECT  # known, but no mail can be counted
        assert daemon.records("password.accepted")[0]["user"] == "bob"
        assert client.ask("alice", code(mailbox), given).code == ACCESS_ACCEPT


@pytest.mark.usefixtures("unshared")
def test_27_distinct_names_leave_nothing_in_memory(tmp_path: Path, mailbox: Mailbox, authority: Authority) -> None:
    head = HEAD.replace('"50ms"', '"0s"')
    (tmp_path / "users.toml").write_text(f'[users.alice]\npassword = "{HASH}"\nemail = "alice@example.com"\n')
    rest = f'[repositories.local]\npath = "{tmp_path}/users.toml"\n' + sender(mailbox.port, authority)
    with Daemon(tmp_path / "aad", rest, head=head) as daemon:
        assert distinct_names(daemon, 0, 3_000) == 3_000
        before = sum(map(memory, daemon.pids))
        assert distinct_names(daemon, 3_000, 6_000) == 6_000
        # A reply kept for 30 s is about 400 octets; one name that stays is as much again.
        # Each process takes its memory by the MiB.
        assert sum(map(memory, daemon.pids)) - before < 6_000 * 600 + (len(daemon.pids) - 1) * 1024 * 1024


@pytest.mark.usefixtures("unshared")
def test_27_clients_remembered_by_address_are_bounded(daemon: Daemon) -> None:
    many_sources(daemon, 1000)
    before = sum(map(memory, daemon.pids))
    many_sources(daemon, 60_000)
    assert queued(daemon.port)
    assert sum(map(memory, daemon.pids)) - before < daemon.workers * 6 * 1024 * 1024


def test_28_no_datagram_makes_a_fault_or_leaves_anything_behind(tmp_path: Path) -> None:
    with target(tmp_path) as (daemon, _):
        summary = Fuzzer(daemon, 2865).run(6.0, print)
        assert not summary.complaints, summary
        assert min(summary.replies[kind] for kind in ("challenge", "reject", "status")) > 0, summary
        with Raw(daemon.host, daemon.port) as client:
            assert client.ask("user0000", "right").code == ACCESS_CHALLENGE


def test_29_refusals_look_and_last_the_same(tmp_path: Path) -> None:
    with daemon_for(tmp_path, 40) as daemon:
        found = asyncio.run(refusals(daemon, 40))
        reasons = Counter(record["reason"] for record in daemon.records("login.rejected"))
        assert reasons == {
            "unknown user": 40,
            "wrong password": 80,
            "no usable address": 40,
            "locked out by wrong passwords": 40,
        }
    assert set().union(*(one.octets for one in found.values())) == {
        (ACCESS_REJECT, ((constants.REPLY_MESSAGE, b"Login failed."),))
    }
    for kind, one in found.items():
        assert len(one.times) == 40
        assert min(one.times) >= 1.0, kind
        assert max(one.times) - min(one.times) > 0.1, kind  # jitter
    assert max(distances(found).values()) < alike(40)


def test_29_the_delay_runs_from_receipt(tmp_path: Path, parts: str, directory: Directory) -> None:
    head = HEAD.replace('"50ms"', '"1s"')
    with Daemon(tmp_path / "aad", parts, head=head) as daemon, Raw(daemon.host, daemon.port) as client:
        directory.pause()
        Timer(0.8, directory.resume).start()
        watch = Stopwatch(daemon.child.pid, directory.pid)
        assert client.ask("nobody", "x").code == ACCESS_REJECT
        assert watch.elapsed >= 1.0
        assert watch.seconds < 1.7
