"""Requirement 45: what others may write, or what is another user's, is no configuration; nothing starts on it."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import stat
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.parts.child import Child
from tests.parts.daemon import SECRET
from tests.parts.raw import Raw
from tests.parts.rooted import PASSWORD, USER, Rooted, as_user
from tests.parts.waiting import until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="it gives files to other users")

STRANGER = USER + 1
DROP_IN = """\
[radius]
dictionary = "../dictionary.more"
[clients.behind]
networks = ["192.0.2.1"]
secret = { file = "../secrets/behind.secret" }
event = "vpn"
"""
# What is read, by the name of the test's own; the links are in the way to the secret.
THINGS = {
    "aad.toml": "etc/aad.toml",
    "a drop-in": "etc/aad.toml.d/more.toml",
    "the drop-ins' folder": "etc/aad.toml.d",
    "a users file": "etc/users.toml",
    "a dictionary": "etc/dictionary.more",
    "a secret's file": "elsewhere/deep/behind.secret",
    "a folder above a secret": "elsewhere/deep",
    "a folder above that": "elsewhere",
    "a folder above aad.toml": "etc",
    "a link": "etc/secrets",
}
WAYS: dict[str, Callable[[Path], None]] = {
    "others may write": lambda path: path.chmod(path.stat().st_mode | stat.S_IWOTH),
    "its group may write": lambda path: path.chmod(path.stat().st_mode | stat.S_IWGRP),
    "an ACL lets another write": lambda path: _may_write(path, STRANGER),
    "it is another user's": lambda path: os.chown(path, STRANGER, -1, follow_symlinks=False),
}
EVERY = [
    pytest.param(thing, way, id=f"{thing}, {way}")
    for thing in THINGS
    for way in WAYS
    if thing != "a link" or way == "it is another user's"
]
ACL = "system.posix_acl_access"


def _may_write(path: Path, user: int) -> None:
    """Do what `setfacl -m u:USER:rwx` does (acl(5)): that right shows in the mode's bits of the group."""
    entries = ((0x01, 7, -1), (0x02, 7, user), (0x04, 5, -1), (0x10, 7, -1), (0x20, 5, -1))
    os.setxattr(path, ACL, struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries))


@pytest.fixture(scope="module")
def house() -> Iterator[Rooted]:
    with Rooted() as made:
        deep = made.folder / "elsewhere" / "deep"
        deep.mkdir(parents=True)
        for folder in (deep.parent, deep, made.etc / "aad.toml.d"):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o755)
        (made.etc / "secrets").symlink_to(deep)
        for file, text in (
            (deep / "behind.secret", SECRET),
            (made.etc / "aad.toml.d" / "more.toml", DROP_IN),
            (made.etc / "dictionary.more", "ATTRIBUTE Test-Only 250 string\n"),
        ):
            file.write_text(text)
            file.chmod(0o640)
            os.chown(file, 0, USER)
        yield made


@contextlib.contextmanager
def spoilt(house: Rooted, thing: str, way: str) -> Iterator[Path]:
    """Let others have a hand in something, and have it as it was."""
    path = house.folder / THINGS[thing]
    before = path.lstat()
    try:
        WAYS[way](path)
        yield path
    finally:
        os.chown(path, before.st_uid, before.st_gid, follow_symlinks=False)
        if not path.is_symlink():
            with contextlib.suppress(OSError):  # it has none
                os.removexattr(path, ACL)
            path.chmod(stat.S_IMODE(before.st_mode))


@pytest.mark.parametrize(("thing", "way"), EVERY)
def test_45_nothing_starts_and_the_fault_names_path_and_what_mends_it(house: Rooted, thing: str, way: str) -> None:
    assert house.quick("check").stdout.endswith(": fine\n"), "as it should be"
    with spoilt(house, thing, way) as path:
        done = house.quick("check")
        assert done.returncode == 78
        assert len(done.stderr.splitlines()) == 1, done.stderr
        assert f" {path}" in done.stderr or f" {path.resolve()}" in done.stderr, done.stderr
        assert house.quick("serve").returncode == 78
        command = shlex.split(done.stderr.rpartition(": ")[2])
        assert command[0] in {"chmod", "chown"}
        subprocess.run(command, check=True)
        mended = house.quick("check")
        assert mended.returncode == 0, mended.stderr


def test_45_the_daemons_user_may_own_it_and_a_sticky_folder_may_be_on_the_way(house: Rooted) -> None:
    users, above = house.etc / "users.toml", house.folder / "elsewhere"
    os.chown(users, USER, USER)
    above.chmod(0o1777)
    try:
        assert house.quick("check").returncode == 0
        with spoilt(house, "a folder above a secret", "it is another user's"):
            assert house.quick("check").returncode == 78, "in /tmp only what is root's, or the daemon's user's"
    finally:
        os.chown(users, 0, USER)
        above.chmod(0o755)
    (house.etc / "dictionary.more").chmod(0o644)
    assert house.quick("check").returncode == 0, "what others may only read is no fault"


@pytest.mark.parametrize("options", [(), ("--workers", "2")], ids=["one process", "two workers"])
def test_45_nothing_reloads_on_it_and_the_old_configuration_serves_on(house: Rooted, options: tuple[str, ...]) -> None:
    log, workers = house.log / "aad.log", 2 if options else 1
    log.unlink(missing_ok=True)
    child = house.daemon()
    child.command += options

    def records(name: str) -> list[str]:
        written = log.read_text().splitlines(keepends=True) if log.exists() else []
        lines = [line for line in written if line.endswith("\n")]  # the last one may be half written
        return [record.get("reason", "") for record in map(json.loads, lines) if record["event"] == name]

    with child, Raw("127.0.0.1", house.port) as client:
        child.ready(lambda: len(records("daemon.started")) == workers)
        for number, each in enumerate(EVERY, 1):
            thing, way = map(str, each.values)
            with spoilt(house, thing, way) as path:
                child.signal(signal.SIGHUP)
                due = number * workers
                until(lambda due=due: len(records("configuration.refused")) == due, what="a refusal")  # type: ignore[misc]
                assert {str(path), str(path.resolve())} & set(records("configuration.refused")[-1].split()), thing
        client.ask("alice", PASSWORD)
        assert records("password.accepted"), "the configuration before serves on"
        child.signal(signal.SIGHUP)
        until(lambda: len(records("configuration.loaded")) == workers, what="a reload")


def test_45_a_secret_that_systemd_hands_over_is_fine_and_one_of_a_stranger_is_not(house: Rooted) -> None:
    child = house.daemon()
    secret = house.folder / "credentials" / "gateway.secret"
    log = house.folder / "by-its-user.log"
    environment = {"CREDENTIALS_DIRECTORY": str(secret.parent)}
    command = [*as_user(), *house.command("check")]
    checks = Child(command, log, env=environment)
    for owner, code in ((USER, 0), (0, 0), (STRANGER, 78)):
        os.chown(secret, owner, USER)
        secret.chmod(0o440)
        checks.start()
        assert checks.process.wait(30) == code, log.read_text()
    os.chown(secret, USER, USER)
    assert child.command[: len(as_user())] == as_user()
