"""Requirement 46: whatever a plugin of another package does is one login's end, or a configuration refused."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from aad.radius.protocol.client_packets import Reply
from aad.radius.protocol.constants import ACCESS_ACCEPT, ACCESS_CHALLENGE, ACCESS_REJECT
from tests.parts.alice import RIGHT, code, state
from tests.parts.authority import Authority
from tests.parts.corp import repository, sender
from tests.parts.daemon import HEAD, Daemon
from tests.parts.directory import Directory
from tests.parts.mailbox import Mailbox, code_in
from tests.parts.raw import Raw, Request
from tests.parts.waiting import until
from tests.parts.warm import aad
from tests.requirements.machine import Machine
from tests.requirements.octets import Attribute

# One place for this client: whoever isn't given back keeps all others out.
REST = """
[methods.password]
type = "breakable_password"
[methods.email_otp]
type = "breakable_email_otp"
resend_after = "0s"
[limits]
at_work_per_client = 1
mails_per_user = "unlimited"
[lockout]
attempts = 1000
"""
MANY = 300
DEADLINE = 'deadline = "1500ms"'
STEPS = (
    "Ldap.find",
    "Password.begin",
    "EmailOtp.begin",
    "Smtp.send",
    "EmailOtp.verify",
    "Sqlite.increment",
    "Sqlite.take_login",
)
AFTER_THE_CODE = ("EmailOtp.verify", "Sqlite.take_login")
HOW = {
    "sleeps": "was not back in time",
    "clings": "was not back in time",
    "exits": "raised SystemExit in misbehave",
    "interrupts": "raised KeyboardInterrupt in misbehave",
    "cancels": "raised CancelledError",
    "cancelled": "raised CancelledError",
    "ends": "raised Odd in misbehave",
    "raises": "raised KeyError in misbehave",
    "lies": "returned bool",
    "wordless": "raised Unavailable without words",
}
# Steps at which a bool, or nothing, is a right answer.
RIGHT_SO = {("Sqlite.increment", "lies")}
RAISED = {
    "raises": "KeyError",
    "exits": "SystemExit",
    "interrupts": "KeyboardInterrupt",
    "cancels": "CancelledError",
    "ends": "Odd",
}
AT_START = [
    *((step, how) for step in ("import", "Password.__init__") for how in RAISED),
    *(
        (step, how)
        for step in ("Settings.faults", "Password.__aenter__", "Sqlite.__init__")
        for how in ("exits", "ends")
    ),
]


@pytest.fixture(params=[1, 2], ids=["one process", "two workers"])
def daemon(
    tmp_path: Path,
    machine: Machine,
    directory: Directory,
    mailbox: Mailbox,
    authority: Authority,
    request: pytest.FixtureRequest,
) -> Iterator[Daemon]:
    made = made_in(tmp_path, directory, mailbox, authority)
    made.options = ("--workers", "2") if request.param > 1 else ()
    with made:
        yield made
        machine.break_("nothing")
        assert logged_in(made, mailbox)
    assert made.child.returncode == 0


def made_in(  # noqa: PLR0913 - what a test varies
    folder: Path,
    directory: Directory,
    mailbox: Mailbox,
    authority: Authority,
    *,
    port: int = 0,
    store: str = 'type = "breakable"',
    at_work: int = 1,
) -> Daemon:
    """Write a configuration with plugins of another package at every step."""
    parts = repository(directory).replace('"ldap"', '"breakable"') + sender(mailbox.port, authority)
    parts = parts.replace("[senders.mail]", '[senders.mail]\ntype = "breakable"')
    rest = REST.replace("at_work_per_client = 1", f"at_work_per_client = {at_work}")
    head = HEAD.replace("[store]", f"[store]\n{store}")
    return Daemon(
        folder / "aad", parts + rest, head=head.replace("{port}", str(port)) if port else head, client=DEADLINE
    )


def logged_in(daemon: Daemon, mailbox: Mailbox) -> bool:
    """Log in, as nobody could while a place is held."""
    with Raw(daemon.host, daemon.port) as client:
        asked = until(lambda: challenged(client), what="a place")
        assert asked
        return client.ask("alice", code(mailbox), state(asked)).code == ACCESS_ACCEPT


def challenged(client: Raw) -> Reply | None:
    reply = client.ask("alice", RIGHT)
    return reply if reply.code == ACCESS_CHALLENGE else None


@pytest.mark.parametrize("how", HOW)
def test_46_it_ends_that_login_and_no_other(daemon: Daemon, machine: Machine, mailbox: Mailbox, how: str) -> None:
    for number, step in enumerate(STEPS):
        if (step, how) in RIGHT_SO:
            continue
        name, typed = f"user{number:02}", f"pw-{number:02}"
        with Raw(daemon.host, daemon.port) as client:
            given: tuple[Attribute, ...] = ()
            if step in AFTER_THE_CODE:
                given = (state(client.ask(name, typed)),)
                typed = code_in(mailbox.wait(f"{name}@example.com"))
            machine.break_(f"{step} {how}")
            client.send(Request(name, typed, *given).octets)
            reason = until(partial(ended, daemon, name, step), what=f"{step} {how}")
            assert HOW[how] in reason
            assert '"breakable' in reason, "of which package it is"
            machine.break_("nothing")
    assert not daemon.records("login.accepted", "fault")
    assert "Traceback" not in daemon.child.output()
    assert {record["plugin"] for record in daemon.records("plugin.misbehaved")} >= {"repository corp", "sender mail"}


def ended(daemon: Daemon, name: str, step: str) -> str:
    """Say why a login of this user ended, or, of a message that may still arrive, why it failed."""
    names = ("login.unavailable", "mail.failed") if step == "Smtp.send" else ("login.unavailable",)
    return next((record["reason"] for record in daemon.records(*names) if record["user"] == name), "")


@pytest.mark.parametrize("how", ["sleeps", "clings"])
def test_46_of_hundreds_at_once_each_ends_and_it_is_told_once(
    tmp_path: Path, machine: Machine, directory: Directory, mailbox: Mailbox, authority: Authority, how: str
) -> None:
    with made_in(tmp_path, directory, mailbox, authority, at_work=MANY) as daemon:
        machine.break_(f"Ldap.find {how}")
        with Raw(daemon.host, daemon.port) as client:
            for number in range(MANY):
                client.send(Request(f"somebody{number}", "any").octets)
        until(lambda: len(daemon.records("login.unavailable")) == MANY, 60)
        assert len(daemon.records("plugin.misbehaved")) == 1
        machine.break_("nothing")
        assert logged_in(daemon, mailbox)
    assert daemon.child.returncode == 0, "what clings doesn't keep it from ending"


@pytest.mark.parametrize(("left", "where"), [("task", "exiting"), ("callback", "end")])
def test_46_what_it_leaves_running_ends_nothing_either(
    daemon: Daemon, machine: Machine, mailbox: Mailbox, left: str, where: str
) -> None:
    """A task or a callback of the plugin's own, which raises SystemExit."""
    machine.break_(f"Password.begin {left}")
    with Raw(daemon.host, daemon.port) as client:
        for _ in range(2):
            assert client.ask("alice", RIGHT).code == ACCESS_CHALLENGE
    (told,) = until(lambda: daemon.records("fault"))
    assert told["reason"].startswith(f"SystemExit in {where}, ")
    assert "breakable.py" in told["reason"]


def test_46_one_that_blocks_is_told_once(daemon: Daemon, machine: Machine, mailbox: Mailbox) -> None:
    machine.break_("Password.begin blocks")
    with Raw(daemon.host, daemon.port) as client:
        for _ in range(3):
            assert client.ask("alice", RIGHT).code == ACCESS_CHALLENGE
    (told,) = daemon.records("plugin.blocked")
    assert told["plugin"] == "method password"
    assert told["reason"] == '"breakable_password" of breakable 1: begin'
    assert float(told["ms"]) >= 700


def test_46_a_code_can_t_be_guessed_by_what_goes_wrong(daemon: Daemon, machine: Machine, mailbox: Mailbox) -> None:
    """A plugin that raises is asked no second time about the same challenge."""
    with Raw(daemon.host, daemon.port) as client:
        given = state(client.ask("user07", "pw-07"))
        typed = code_in(mailbox.wait("user07@example.com"))
        machine.break_("EmailOtp.verify raises")
        client.send(Request("user07", typed, given).octets)
        until(lambda: ended(daemon, "user07", ""))
        machine.break_("nothing")
        assert client.ask("user07", typed, given).code == ACCESS_REJECT


@pytest.mark.parametrize(("step", "how"), AT_START)
def test_46_at_the_start_and_at_a_reload_it_is_a_configuration_refused(  # noqa: PLR0913, PLR0917 - fixtures
    tmp_path: Path,
    machine: Machine,
    directory: Directory,
    mailbox: Mailbox,
    authority: Authority,
    step: str,
    how: str,
) -> None:
    crooked = made_in(tmp_path / "crooked", directory, mailbox, authority)
    machine.break_(f"{step} {how}")
    checked, served = aad("check", "-c", crooked.file), aad("serve", "-c", crooked.file)
    workers = aad("serve", "-c", crooked.file, "--workers", "2")
    entering = step.endswith("__aenter__")  # check opens nothing
    assert [checked.returncode, served.returncode, workers.returncode] == [0 if entering else 78, 78, 78]
    for done in (served, workers, *(() if entering else (checked,))):
        said = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("{")]
        assert said
        for line in said:
            assert line.startswith(f"{crooked.file}: ")
            assert "breakable" in line
            assert RAISED[how] in line
    machine.break_("nothing")
    if not step.startswith("Sqlite"):  # a store isn't exchanged at a reload
        refused_and_then_taken(tmp_path, machine, directory, mailbox, authority, f"{step} {how}")


def refused_and_then_taken(
    folder: Path, machine: Machine, directory: Directory, mailbox: Mailbox, authority: Authority, broken: str
) -> None:
    """Reload a daemon without plugins with a configuration that has some, twice: they are broken, and mended."""
    daemon = Daemon(folder / "aad", repository(directory) + sender(mailbox.port, authority))
    with daemon:
        machine.break_(broken)
        made_in(folder, directory, mailbox, authority, port=daemon.port, store="")
        daemon.reload()
        reasons = [one["reason"] for one in daemon.records("configuration.refused")]
        assert reasons
        assert all(RAISED[broken.split()[1]] in reason for reason in reasons)
        machine.break_("nothing")
        assert logged_in(daemon, mailbox), "the old one serves on"
        daemon.reload()
        assert daemon.records("configuration.loaded")
        machine.break_("Password.begin raises")
        with Raw(daemon.host, daemon.port) as client:
            client.send(Request("user00", "pw-00").octets)
            until(partial(ended, daemon, "user00", ""), what="the plugins are in force")
    assert "Traceback" not in daemon.child.output()
