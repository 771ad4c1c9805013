"""Users whom OpenLDAP's password policy stops: the reason in the log, and in the reply where the event says so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from aad.core.outcome import Reason
from aad.radius.protocol import client_packets, constants
from aad.radius.protocol.constants import ACCESS_CHALLENGE, ACCESS_REJECT
from tests.parts.authority import Authority
from tests.parts.corp import repository, sender
from tests.parts.daemon import HEAD, Daemon
from tests.parts.directory import STRICT_POLICY, Directory, Person
from tests.parts.mailbox import Mailbox
from tests.parts.raw import Raw

RIGHT = "correct horse"
LONG_AGO = "20200101000000Z"
STOPPED = {
    "reset": ({"pwdReset": "TRUE"}, Reason.PASSWORD_MUST_CHANGE, "Login failed. Your password must be changed."),
    "grace": ({"pwdChangedTime": LONG_AGO}, Reason.PASSWORD_EXPIRED, "Login failed. Your password has expired."),
    "expired": (
        {"pwdChangedTime": LONG_AGO, "pwdGraceUseTime": LONG_AGO},
        Reason.PASSWORD_EXPIRED,
        "Login failed. Your password has expired.",
    ),
    "locked": ({"pwdAccountLockedTime": "000001010000Z"}, Reason.ACCOUNT_LOCKED, "Login failed."),
}
REST = """
directory = "openldap"
[events.quiet]
[clients.quiet]
networks = ["127.0.0.2"]
secret = "{secret}"
event = "quiet"
"""


@pytest.fixture
def directory(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Directory]:
    people = [
        Person(name, RIGHT, mail=("x@example.com",), extra={"pwdPolicySubentry": STRICT_POLICY, **extra})
        for name, (extra, _, _) in (*STOPPED.items(), ("fine", ({}, "", "")))
    ]
    policy = {"pwdMustChange": "TRUE", "pwdGraceAuthNLimit": "1", "pwdMaxFailure": "9"}
    with Directory(tmp_path_factory.mktemp("directory"), authority, people, policy=policy) as running:
        yield running


@pytest.fixture
def daemon(
    tmp_path_factory: pytest.TempPathFactory, directory: Directory, mailbox: Mailbox, authority: Authority
) -> Iterator[Daemon]:
    parts = "tell_reasons = true\n" + repository(directory) + REST.format(secret=Daemon.secret)
    folder = tmp_path_factory.mktemp("daemon")
    with Daemon(folder, parts + sender(mailbox.port, authority), head=HEAD) as running:
        yield running
        assert not running.strays()


def asked(daemon: Daemon, name: str, password: str, *, quiet: bool = False) -> tuple[int, str]:
    with Raw(daemon.host, daemon.port, source="127.0.0.2" if quiet else "127.0.0.1") as client:
        return _seen(client.ask(name, password))


def _seen(reply: client_packets.Reply) -> tuple[int, str]:
    return reply.code, (reply.first(constants.REPLY_MESSAGE) or b"").decode()


def test_who_knows_the_password_is_told_and_nobody_else(daemon: Daemon) -> None:
    for name, (_, reason, told) in STOPPED.items():
        assert asked(daemon, name, "guess") == (ACCESS_REJECT, "Login failed.")
        assert asked(daemon, name, RIGHT) == (ACCESS_REJECT, told)
        assert daemon.records("login.rejected")[-1]["reason"] == reason
        assert asked(daemon, name, RIGHT, quiet=True) == (ACCESS_REJECT, "Login failed.")
        again = {reason, "the same wrong password again"}  # where the directory doesn't tell that it was right
        assert daemon.records("login.rejected")[-1]["reason"] in again
    assert asked(daemon, "nobody", RIGHT) == (ACCESS_REJECT, "Login failed.")
    assert asked(daemon, "fine", RIGHT)[0] == ACCESS_CHALLENGE


def test_who_knows_the_password_is_not_locked_out(daemon: Daemon) -> None:
    for _ in range(5):
        assert asked(daemon, "reset", RIGHT)[1] == STOPPED["reset"][2]
    assert not daemon.records("user.locked")
    for number in range(3):
        asked(daemon, "locked", f"{RIGHT} {number}")  # the directory never looked at the password: it may be a guess
    assert [record["user"] for record in daemon.records("user.locked")] == ["locked"]


def test_of_a_directory_that_nobody_knows_less_is_believed(
    daemon: Daemon, directory: Directory, mailbox: Mailbox, authority: Authority
) -> None:
    daemon.configure("tell_reasons = true\n" + repository(directory) + sender(mailbox.port, authority))
    daemon.reload()
    # It may look at a password's age before it looks at the password. A bind that succeeds proves more.
    assert asked(daemon, "expired", RIGHT) == (ACCESS_REJECT, "Login failed.")
    assert daemon.records("login.rejected")[-1]["reason"] == Reason.PASSWORD_EXPIRED
    assert asked(daemon, "reset", RIGHT) == (ACCESS_REJECT, STOPPED["reset"][2])
