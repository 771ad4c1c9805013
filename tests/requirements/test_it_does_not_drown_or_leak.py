"""Requirements 25 to 31: the server does not drown, and does not leak. Each test bears the number it holds."""

from __future__ import annotations

import ast
import asyncio
import os
import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from aad.core.scrypt import hash_password
from aad.core.secret import Secret
from aad.radius import names
from aad.radius.names import ACCESS_ACCEPT, ACCESS_CHALLENGE, ACCESS_REJECT
from tests.login.conftest import Make, repository, sender
from tests.login.test_operation import aad
from tests.login.test_radius import RIGHT, code, state
from tests.parts.authority import Authority
from tests.parts.daemon import HEAD, SECRET, Daemon
from tests.parts.directory import Directory
from tests.parts.mailbox import Mailbox
from tests.parts.raw import Raw, Request
from tests.parts.waiting import until
from tests.requirements.reading import ROOT, crooked_plugins, leaks, md5_uses, odd_logins
from tools.flooding import flood
from tools.fuzzing import Fuzzer, target
from tools.refusals import alike, daemon_for, distances, refusals
from tools.watching import distinct_names, many_sources, memory, queued

HASH = hash_password(Secret("anything"), bytes(16))
SEED = 2865
MIB = 1024 * 1024
TWO_CLIENTS = HEAD.replace(
    '["127.0.0.0/8", "::1"]',
    '["127.0.0.1"]\nsecret = "{secret}"\nevent = "vpn"\n[clients.other]\nnetworks = ["127.0.0.2"]',
)
AT_ONCE_AGAIN = '[methods.email_otp]\nresend_after = "0s"\n'


def password(number: int) -> tuple[str, str]:
    return f"user{number:02}", f"pw-{number:02}"


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
    tmp_path: Path, directory: Directory, mailbox: Mailbox, authority: Authority
) -> None:
    limits = '[limits]\nmails_per_client = "3 per 10m"\nmails_per_user = "2 per 10m"\n'
    rest = repository(directory) + sender(mailbox.port, authority) + limits + AT_ONCE_AGAIN
    with (
        Daemon(tmp_path / "aad", rest, head=TWO_CLIENTS) as daemon,
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
    assert figures.lines <= 2, figures  # one for strangers, one for wrong authenticators


def test_27_when_all_places_are_waited_in_new_logins_are_refused(make: Make, mailbox: Mailbox) -> None:
    daemon = make("[limits]\nwaiting = 3\n")
    with Raw(daemon.host, daemon.port) as client:
        given = state(client.ask("alice", RIGHT))
        codes = [client.ask(*password(number)).code for number in range(5)]
        assert codes == [ACCESS_CHALLENGE] * 2 + [ACCESS_REJECT] * 3
        assert len(mailbox.messages) == 3
        assert client.ask("alice", code(mailbox), given).code == ACCESS_ACCEPT
        assert client.ask(*password(9)).code == ACCESS_CHALLENGE  # there is room again


def test_27_when_a_million_counters_count_new_names_are_refused(
    tmp_path: Path, directory: Directory, mailbox: Mailbox, authority: Authority
) -> None:
    head = HEAD.replace("[log]", 'on_unavailable = "reject"\n[log]')
    rest = repository(directory) + sender(mailbox.port, authority)
    with Daemon(tmp_path / "aad", rest, head=head) as daemon, Raw(daemon.host, daemon.port) as client:
        given = state(client.ask("alice", RIGHT))
        assert client.ask("bob", "wrong").code == ACCESS_REJECT
        daemon.stop()
        until = time.clock_gettime(time.CLOCK_BOOTTIME) + 600
        with closing(sqlite3.connect(daemon.folder / "state.db")) as store, store:
            numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)"
            rows = f"{numbers} SELECT 'lockout', printf('n%07d', i), 'vpn', 1, ?, 600 FROM n"
            store.execute(f"INSERT INTO counter (kind, name, scope, count, until, length) {rows}", (until,))
        daemon.start()
        assert client.ask("somebody new", "x").code == ACCESS_REJECT
        assert "users failed or got mail of late" in daemon.records("login.unavailable")[0]["reason"]
        assert client.ask("bob", "battery staple").code == ACCESS_REJECT  # known, but no mail can be counted
        assert daemon.records("password.accepted")[0]["user"] == "bob"
        assert client.ask("alice", code(mailbox), given).code == ACCESS_ACCEPT


def test_27_distinct_names_leave_nothing_in_memory(tmp_path: Path, mailbox: Mailbox, authority: Authority) -> None:
    head = HEAD.replace('"50ms"', '"0s"')
    (tmp_path / "users.toml").write_text(f'[users.alice]\npassword = "{HASH}"\nemail = "alice@example.com"\n')
    rest = f'[repositories.local]\npath = "{tmp_path}/users.toml"\n' + sender(mailbox.port, authority)
    with Daemon(tmp_path / "aad", rest, head=head) as daemon:
        daemon_pid = daemon.child.pid
        assert distinct_names(daemon, 0, 3_000) == 3_000
        before = memory(daemon_pid)
        assert distinct_names(daemon, 3_000, 6_000) == 6_000
        # A reply kept for 30 s is about 400 octets; one name that stays is as much again.
        assert memory(daemon_pid) - before < 6_000 * 600


def test_27_clients_remembered_by_address_are_bounded(daemon: Daemon) -> None:
    many_sources(daemon, 1000)
    before = memory(daemon.child.pid)
    many_sources(daemon, 60_000)
    assert queued(daemon.port)
    assert memory(daemon.child.pid) - before < 6 * MIB


def test_28_no_datagram_makes_a_fault_or_leaves_anything_behind(tmp_path: Path) -> None:
    with target(tmp_path) as daemon:
        summary = Fuzzer(daemon, SEED).run(6.0, print)
        assert not summary.complaints, summary
        assert min(summary.replies[kind] for kind in ("challenge", "reject", "status")) > 5, summary
        with Raw(daemon.host, daemon.port) as client:
            assert client.ask("user0000", "right").code == ACCESS_CHALLENGE


def test_29_refusals_look_and_last_the_same(tmp_path: Path) -> None:
    with daemon_for(tmp_path, 40) as daemon:
        found = asyncio.run(refusals(daemon, 40))
        reasons = Counter(record["reason"] for record in daemon.records("login.rejected"))
        assert reasons == {"unknown user": 40, "wrong password": 80, "locked out": 40, "no usable address": 40}
    assert set().union(*(one.octets for one in found.values())) == {
        (ACCESS_REJECT, ((names.REPLY_MESSAGE, b"Login failed."),))
    }
    for kind, one in found.items():
        assert len(one.times) == 40
        assert min(one.times) >= 1.0, kind
        assert max(one.times) - min(one.times) > 0.1, kind  # jitter
    assert max(distances(found).values()) < alike(40)


def test_30_no_secret_is_written(daemon: Daemon, mailbox: Mailbox, directory: Directory) -> None:
    with Raw(daemon.host, daemon.port, timeout=10) as client:
        first = state(client.ask("alice", RIGHT))
        right = code(mailbox)
        wrong = "000000" if right != "000000" else "111111"
        second = state(client.ask("alice", wrong, first))
        assert client.ask("alice", right, second).code == ACCESS_ACCEPT
        told = [each.encode() for each in (SECRET, RIGHT, right, wrong, directory.bind_password, "mail secret")]
        told += [first[1], second[1], *odd_logins(client)]
        mailbox.refuse("550 5.7.1 no", at="data")
        client.send(Request("user10", "pw-10").octets)
        until(lambda: daemon.records("mail.failed"))
        directory.stop()
        client.send(Request("user11", "pw-11").octets)
        until(lambda: daemon.records("repository.down"))
        told += [b"pw-10", b"pw-11", (daemon.folder / "installation.key").read_bytes()]
    assert len(daemon.records()) > 40
    assert not leaks(daemon, told)


def test_30_an_exception_s_text_is_not_written(
    tmp_path: Path, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugins = crooked_plugins(tmp_path / "plugins")
    monkeypatch.setenv("PYTHONPATH", f"{plugins}{os.pathsep}{ROOT}")
    rest = (
        '[repositories.crooked]\ntype = "crooked"\n' + repository(directory) + '[senders.crooked]\ntype = "crooked"\n'
    )
    with Daemon(tmp_path / "aad", rest) as daemon, Raw(daemon.host, daemon.port) as client:
        client.send(Request("boom", "a password that blew up").octets)
        client.send(Request("alice", RIGHT).octets)
        until(lambda: len(daemon.records("fault")) == 2)
        reasons = sorted(record["reason"] for record in daemon.records("fault"))
        assert reasons[0].startswith("RuntimeError in send") and reasons[1].startswith("ValueError in find")  # noqa: PT018
        told = [b"a password that blew up", RIGHT.encode(), (daemon.folder / "installation.key").read_bytes()]
        assert not leaks(daemon, [*told, *(plugins / "codes").read_bytes().split()])
        assert not daemon.strays()


@pytest.mark.parametrize("secret", ['""', '["a secret that is long enough", ""]', '{ file = "empty" }'])
def test_30_an_empty_shared_secret_is_refused(daemon: Daemon, secret: str) -> None:
    (daemon.folder / "empty").write_text("\n")
    (daemon.folder / "empty").chmod(0o600)
    other = daemon.file.with_name("other.toml")
    other.touch(mode=0o600)
    other.write_text(daemon.file.read_text().replace(f'"{SECRET}"', secret))
    for command in ("check", "serve"):
        done = aad(command, "-c", other)
        assert done.returncode == 78
        assert "clients.gateway.secret" in done.stdout + done.stderr


@pytest.mark.parametrize(("secret", "warned"), [("12 octets...", 1), ("13 octets....", 0)], ids=["12", "13"])
def test_30_a_short_shared_secret_is_warned_about(daemon: Daemon, secret: str, warned: int) -> None:
    daemon.file.write_text(daemon.file.read_text().replace(SECRET, secret))
    daemon.reload()
    warnings = [record["reason"] for record in daemon.records("configuration.warning")]
    assert sum("clients.gateway.secret" in each for each in warnings) == warned
    assert not leaks(daemon, [secret.encode()])


def test_31_md5_is_never_called_for_security() -> None:
    found = list(md5_uses())
    assert len(found) >= 6
    for place, call in found:
        given = {keyword.arg: ast.dump(keyword.value) for keyword in call.keywords} if call else {}
        assert given.get("usedforsecurity") == "Constant(value=False)", place
