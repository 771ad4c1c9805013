"""Requirement 39, what shall work: root's commands read what root alone may, and do the rest as the daemon's user."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pytest

from aad.radius.protocol.constants import ACCESS_CHALLENGE, ACCESS_REJECT
from tests.parts.child import Child
from tests.parts.namespace import private
from tests.parts.raw import Raw
from tests.parts.redis import Redis
from tests.parts.rooted import PASSWORD, USER, Rooted, as_user, foreign, ids

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="it is about what root does")

VALKEY = """\
[store]
type = "valkey"
url = "{url}"
key = {{ credential = "store.key" }}
"""
NO_ROOT = {"Uid": {USER}, "Gid": {USER}, "Groups": set(), "CapEff": {0}, "CapPrm": {0}, "NoNewPrivs": {1}}


@pytest.fixture
def house() -> Iterator[Rooted]:
    with Rooted() as made:
        yield made


@contextmanager
def started(house: Rooted, child: Child) -> Iterator[None]:
    """Run a daemon, once it says so in its log."""
    log = house.log / "aad.log"
    log.unlink(missing_ok=True)
    with child:
        child.ready(lambda: log.exists() and "daemon.started" in log.read_text())
        yield
        assert child.alive


def right(house: Rooted, *words: str | Path, within: tuple[str, ...] = ()) -> str:
    """Run a command that works."""
    done = house.aad(*words, within=within)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def everything(house: Rooted) -> None:
    """Lock alice out, and use every command beside the daemon."""
    with Raw("127.0.0.1", house.port) as client:
        for number in range(3):  # the same one would count once
            assert client.ask("alice", f"wrong {number}").code == ACCESS_REJECT
        assert right(house, "locked").startswith("alice")
        assert "lockout: 3 wrong passwords" in right(house, "explain", "alice", "--event", "vpn")
        assert right(house, "unlock", "alice") == "alice: unlocked\n"
        assert "enrolled for totp" in right(house, "totp", "enroll", "alice", "--no-confirm")
        assert client.ask("alice", PASSWORD).code == ACCESS_CHALLENGE, "the daemon has the same key"
    assert right(house, "totp", "import", house.etc / "seeds.csv") == "1 enrolled for totp\n"
    assert len(right(house, "totp", "list").splitlines()) == 2
    assert "10 codes" in right(house, "recovery", "make", "bob")
    assert right(house, "recovery", "list").startswith("bob")
    assert "store: fine, " in right(house, "check", "--online")
    assert "alice is no longer locked out" in right(house, "log", "--user", "alice")
    assert right(house, "totp", "remove", "bob")
    assert foreign(house.state) == foreign(house.log) == []


def test_39_beside_a_running_daemon_of_another_user(house: Rooted) -> None:
    with started(house, house.daemon()):
        everything(house)


def test_39_before_the_daemon_ever_ran_all_that_is_made_is_its_own(house: Rooted) -> None:
    right(house, "totp", "enroll", "alice", "--no-confirm")
    modes = {each.name: each.stat().st_mode & 0o777 for each in (*house.state.iterdir(), *house.log.iterdir())}
    assert modes == {"state.db": 0o600, "installation.key": 0o600, "aad.log": 0o640}
    assert foreign(house.state) == foreign(house.log) == []
    with started(house, house.daemon()), Raw("127.0.0.1", house.port) as client:
        assert client.ask("alice", PASSWORD).code == ACCESS_CHALLENGE


def test_39_with_a_dynamic_user_the_state_is_behind_a_folder_that_root_alone_may_pass(house: Rooted) -> None:
    """Systemd makes /var/lib/aad a link to /var/lib/private/aad, and so for the log."""
    for each in (house.state, house.log):
        behind = each.parent / "private"
        behind.mkdir(mode=0o700)
        each.rename(behind / "aad")
        each.symlink_to("private/aad")
    right(house, "totp", "enroll", "bob", "--no-confirm")
    assert foreign(house.state) == foreign(house.log) == []
    right(house, "totp", "remove", "bob")
    with started(house, Child(house.command("serve"), house.folder / "by-hand.log")):
        everything(house)
    mounts = Path("/proc/self/mounts").read_text()
    assert str(house.folder) not in mounts, "the machine's mounts are as they were"


def test_39_credentials_of_a_unit_are_root_s_to_read(house: Rooted) -> None:
    elsewhere = house.folder / "run"
    (house.etc / "credentials").rename(elsewhere)
    assert house.aad("locked").returncode == 78
    for directory in (elsewhere, elsewhere / "gateway.secret"):
        assert directory.stat().st_mode & 0o077 == 0
    done = house.aad("totp", "enroll", "alice", "--no-confirm", env={"CREDENTIALS_DIRECTORY": str(elsewhere)})
    assert done.returncode == 0, done.stderr
    assert foreign(house.state) == []


def enrolling(house: Rooted, *within: str) -> pexpect.spawn[str]:
    """Return a command that has come to its question."""
    command = [*within, *house.command("totp", "enroll", "alice")]
    terminal = pexpect.spawn(command[0], command[1:], encoding="utf-8", timeout=30, dimensions=(60, 200))
    terminal.expect("shows now: ")
    return terminal


def test_39_nothing_of_root_is_left_and_nobody_looks_into_the_process(house: Rooted) -> None:
    with enrolling(house, "setpriv", "--groups=0,4,42") as terminal:
        assert ids(terminal.pid) == NO_ROOT
        for file in ("environ", "maps", "mem"):  # root's secrets are in there
            done = subprocess.run([*as_user(), "cat", f"/proc/{terminal.pid}/{file}"], capture_output=True, check=False)
            assert b"Permission denied" in done.stderr


def test_39_over_valkey_it_is_the_unit_s_user(house: Rooted, tmp_path: Path) -> None:
    key = house.etc / "credentials" / "store.key"
    key.touch(0o400)
    key.write_text("an installation's key, of 32 octets at least")
    passwd = tmp_path / "passwd"
    passwd.write_text(Path("/etc/passwd").read_text() + f"aad:x:{USER}:{USER}::/:/usr/sbin/nologin\n")
    with Redis(tmp_path / "redis") as redis:
        house.configure(store=VALKEY.format(url=redis.url))
        done = house.aad("locked")
        assert done.returncode == 69
        assert "there is no user 'aad': make it (systemd-sysusers aad.conf)" in done.stderr
        within = tuple(private([], {"/etc/passwd": passwd}))
        right(house, "totp", "enroll", "bob", "--no-confirm", within=within)
        assert right(house, "totp", "list", within=within).startswith("bob")
        assert "bob is enrolled" in right(house, "log")
        assert foreign(house.log) == []
        with enrolling(house, *within) as terminal:
            assert ids(terminal.pid) == NO_ROOT


def test_39_over_valkey_another_user_may_be_named(house: Rooted, tmp_path: Path) -> None:
    with Redis(tmp_path / "redis") as redis:
        store = VALKEY.format(url=redis.url).replace('{ credential = "store.key" }', '"an installation\'s key, of 32"')
        for user, whose in (("nobody", 65534), ("root", 0)):
            house.configure(store=store + f'daemon_user = "{user}"\n', log=False)
            with enrolling(house) as terminal:
                assert ids(terminal.pid)["Uid"] == {whose}


def test_39_where_all_is_root_s_root_stays_root(house: Rooted) -> None:
    """In a container, say."""
    for each in (house.state, house.log):
        os.chown(each, 0, 0)
    with enrolling(house) as terminal:
        assert ids(terminal.pid)["Uid"] == {0}
    assert {each.stat().st_uid for each in house.state.iterdir()} == {0}


def test_39_who_is_not_root_stays_who_they_are(house: Rooted) -> None:
    house.daemon()  # it may read the configuration
    done = house.aad("locked", within=as_user(), env={"CREDENTIALS_DIRECTORY": str(house.folder / "credentials")})
    assert (done.returncode, done.stderr) == (0, "")
    assert foreign(house.state) == []


def test_39_served_by_hand_root_is_the_owner_too(house: Rooted) -> None:
    for words in (("serve",), ("serve", "--workers", "2")):
        child = Child(house.command(*words), house.folder / "by-hand.log")
        with started(house, child):
            children = Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()
            assert [ids(pid) for pid in (child.pid, *map(int, children))] == [NO_ROOT] * (1 + len(children))
            with Raw("127.0.0.1", house.port) as client:
                assert client.ask("alice", "wrong").code == ACCESS_REJECT
    assert foreign(house.state) == []
