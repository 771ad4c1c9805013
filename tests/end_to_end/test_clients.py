"""The main job by real clients: right code in; a wrong code asked again, then refused; a wrong password refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.parts.authority import Authority
from tests.parts.corp import Cook
from tests.parts.daemon import Daemon
from tests.parts.mailbox import Mailbox, code_in
from tests.parts.ocserv import Ocserv
from tests.parts.pam import Pamtester, pam_host
from tests.parts.radclient import Radclient
from tests.parts.recipes import Site
from tests.parts.result import Answer, Result
from tests.parts.sshd import Sshd
from tests.parts.sudo import Sudo

Login = Callable[[str, str, Answer], Result]
MASKED = "a***@e***.com"


@contextmanager
def client(kind: str, folder: Path, site: Site, authority: Authority) -> Iterator[Login]:
    """Start a client of that kind, as its recipe has it, with alice's account where it needs one."""
    folder = folder / kind
    folder.mkdir()
    if kind == "radclient":
        with Radclient(site.host, site.port, site.secret) as radclient:
            yield radclient.login
    elif kind == "login":
        with Pamtester(pam_host(folder, site, "alice"), "login") as pam:
            yield pam.login
    elif kind == "sudo":
        with Sudo(folder, pam_host(folder, site, "alice")) as sudo:
            yield sudo.login
    elif kind == "sshd":
        with Sshd(folder, site, "alice") as sshd:
            yield sshd.login
    else:
        with Ocserv(folder, authority, site) as ocserv:
            yield ocserv.login


@pytest.fixture(params=["radclient", "login", "sudo", "sshd", "ocserv"])
def login(
    request: pytest.FixtureRequest, tmp_path: Path, cook: Cook, authority: Authority
) -> Iterator[tuple[Login, Daemon]]:
    kind: str = request.param
    daemon, site = cook({"radclient": "freeradius", "ocserv": "ocserv"}.get(kind, "pam_radius"))
    with client(kind, tmp_path, site, authority) as started:
        yield started, daemon


def events(daemon: Daemon) -> list[str]:
    return [record["event"] for record in daemon.records() if "login" in record]


def test_the_right_code_lets_in(login: tuple[Login, Daemon], mailbox: Mailbox) -> None:
    log_in, daemon = login
    result = log_in("alice", "correct horse", lambda _: code_in(mailbox.wait("alice@example.com")))
    assert result.accepted, result.transcript
    assert len(result.prompts) == 1
    assert MASKED in result.prompts[0]
    assert len(mailbox.messages) == 1
    story = ["login.started", "password.accepted", "mail.sent", "challenge.sent", "code.accepted", "login.accepted"]
    assert events(daemon) == story


def test_a_wrong_code_is_asked_again_and_then_refused(login: tuple[Login, Daemon], mailbox: Mailbox) -> None:
    log_in, daemon = login
    result = log_in("alice", "correct horse", lambda _: "000000x")
    assert not result.accepted
    assert len(result.prompts) >= 2
    assert "Wrong code" in result.prompts[1]
    assert len([each for each in mailbox.messages if "one-time" in each.subject]) == 1, "and one of wrong codes"
    assert events(daemon).count("code.refused") >= 2
    assert "login.accepted" not in events(daemon)


def test_a_wrong_code_may_be_followed_by_the_right_one(login: tuple[Login, Daemon], mailbox: Mailbox) -> None:
    log_in, _ = login
    answers = iter(("111", ""))
    result = log_in("alice", "correct horse", lambda _: next(answers) or code_in(mailbox.wait("alice@example.com")))
    assert result.accepted, result.transcript


def test_a_wrong_password_is_refused(login: tuple[Login, Daemon], mailbox: Mailbox) -> None:
    log_in, daemon = login
    result = log_in("alice", "wrong horse", lambda _: "000000")
    assert not result.accepted
    assert not result.prompts
    assert not mailbox.messages
    assert daemon.records("login.rejected")[0]["reason"] == "wrong password"
