"""Requirements 30 and 31, in a file of their own for its length: secrets and MD5."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest

from aad.radius.protocol.constants import ACCESS_ACCEPT
from tests.parts.alice import RIGHT, code, state
from tests.parts.corp import repository
from tests.parts.daemon import SECRET, Daemon
from tests.parts.directory import Directory
from tests.parts.mailbox import Mailbox
from tests.parts.raw import Raw, Request
from tests.parts.waiting import until
from tests.parts.warm import aad
from tests.requirements.reading import (
    ROOT,
    crooked_plugins,
    leaks,
    md5_uses,
    odd_logins,
)

pytestmark = pytest.mark.usefixtures("unshared")


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
        until(lambda: len(daemon.records("login.unavailable")) == 2)
        reasons = [record["reason"] for record in daemon.records("plugin.misbehaved")]
        assert ["find raised ValueError in find" in reasons[0], "send raised RuntimeError in send" in reasons[1]] == [
            True
        ] * 2
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
    assert sum("clients.gateway.secret" in each for each in warnings) == warned * daemon.workers
    assert not leaks(daemon, [secret.encode()])


def test_31_md5_is_never_called_for_security() -> None:
    found = list(md5_uses())
    assert len(found) >= 6
    for place, call in found:
        given = {keyword.arg: ast.dump(keyword.value) for keyword in call.keywords} if call else {}
        assert given.get("usedforsecurity") == "Constant(value=False)", place
