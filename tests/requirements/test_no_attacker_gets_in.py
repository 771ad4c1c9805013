"""An attacker does not get in: requirements 1 to 3, each seen from outside on the real daemon."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from aad.radius.protocol.constants import ACCESS_ACCEPT, ACCESS_CHALLENGE, ACCESS_REJECT
from tests.parts.alice import RIGHT, code, state
from tests.parts.authority import Authority
from tests.parts.corp import ALICE, Make, repository, sender
from tests.parts.daemon import HEAD, Daemon
from tests.parts.directory import Directory
from tests.parts.mailbox import Mailbox, code_in
from tests.parts.raw import Raw, Request
from tests.parts.waiting import until
from tests.parts.warm import aad
from tests.requirements import octets
from tests.requirements.machine import Machine
from tests.requirements.octets import REJECT, SIGNATURE, Datagram

NEVER_LOCKED = "[lockout]\nattempts = 1000\n"
METHODS = """
[methods.password]
type = "breakable_password"
[methods.email_otp]
type = "breakable_email_otp"
"""
FIRST_STEPS = (
    "Ldap.find raises",
    "Ldap.find lies",
    "Password.begin raises",
    "Password.begin lies",
    "EmailOtp.begin raises",
    "EmailOtp.begin lies",
    "Smtp.send raises",
    "Smtp.send lies",
    "Sqlite.increment raises",
    "Sqlite.logins_of raises",
    "Sqlite.get_expiring raises",
    "Sqlite.update_expiring raises",
    "Sqlite.put_login raises",
)
STEPS_AFTER_THE_CODE = (
    "EmailOtp.verify raises",
    "EmailOtp.verify lies",
    "Sqlite.take_login raises",
    "Sqlite.take_login lies",
    "Sqlite.put_expiring raises",
)
ALICE_BINDS = f'BIND dn="{ALICE.dn}"'


def test_01_an_empty_password_is_never_accepted(daemon: Daemon, directory: Directory, mailbox: Mailbox) -> None:
    before = len(directory.log())
    name = (octets.USER_NAME, b"alice")
    with Raw(daemon.host, daemon.port) as client:
        for number, nothing in enumerate((b"", bytes(16), bytes(128))):
            authenticator = secrets.token_bytes(16)
            typed = octets.hidden(nothing, authenticator) if nothing else (octets.USER_PASSWORD, b"")
            client.send(Datagram(SIGNATURE, name, typed, authenticator=authenticator).octets)
            assert client.receive()[0] == REJECT
            assert daemon.records("login.rejected")[number]["reason"] == "empty password"
        assert ALICE_BINDS not in directory.log()[before:]
        assert not mailbox.messages
        given = state(client.ask("alice", RIGHT))
        assert ALICE_BINDS in directory.log()[before:]  # where a bind would have been seen
        assert client.ask("alice", bytes(16), given).code == ACCESS_CHALLENGE  # nor is an empty code


def test_02_the_password_reaches_the_directory_octet_for_octet(make: Make) -> None:
    daemon = make(NEVER_LOCKED)
    long = b"0123456789abcdef" * 8
    with Raw(daemon.host, daemon.port) as client:
        for name, right, wrong in (
            ("alice", b"correct horse", [b"cor\xffrect horse", b"correct horse\0x", b"\xef\xbd\x83orrect horse"]),
            ("circled", "①23".encode(), [b"123"]),
            ("digits", b"123", ["①23".encode()]),
            ("nul", b"in\0side", [b"in", b"inside", b"in\0"]),
            ("long", long, [long[:-1], long[:64], long[:-1] + b"x"]),
        ):
            for typed in wrong:
                assert client.ask(name, typed).code == ACCESS_REJECT, typed
            assert client.ask(name, right).code == ACCESS_CHALLENGE, right


def test_02_a_password_of_another_length_is_refused(daemon: Daemon, directory: Directory, mailbox: Mailbox) -> None:
    before = len(directory.log())
    with Raw(daemon.host, daemon.port) as client:
        for length in (0, 1, 15, 17, 144):
            # Whoever cuts or fills it up finds the right password in it.
            authenticator = secrets.token_bytes(16)
            value = octets.hidden(RIGHT.encode() + bytes(144 - len(RIGHT)), authenticator)[1][:length]
            request = Datagram(
                SIGNATURE, (octets.USER_NAME, b"alice"), (octets.USER_PASSWORD, value), authenticator=authenticator
            )
            client.send(request.octets)
            assert client.receive()[0] == REJECT, length
    assert ALICE_BINDS not in directory.log()[before:]
    assert not mailbox.messages
    assert not daemon.records("fault")


@pytest.mark.parametrize(
    "trouble", ["directory down", "directory stalled", "mail down", "mail stalled", "mail refused"]
)
def test_03_a_back_end_in_trouble_lets_nobody_in(
    make: Make, directory: Directory, mailbox: Mailbox, trouble: str
) -> None:
    daemon = make(client='deadline = "700ms"')
    with Raw(daemon.host, daemon.port) as client:
        given = state(client.ask("user01", "pw-01"))
        begin: dict[str, Callable[[], None]] = {
            "directory down": directory.stop,
            "directory stalled": directory.pause,
            "mail down": mailbox.stop,
            "mail stalled": lambda: mailbox.hold("mail"),
            "mail refused": lambda: mailbox.refuse("451 4.3.0 not now", "mail"),
        }
        begin[trouble]()
        request = Request("alice", RIGHT)
        client.send(request.octets)
        if trouble == "mail stalled":  # the mail may still arrive
            assert request.reply(client.receive()).code == ACCESS_CHALLENGE
        else:
            until(lambda: daemon.records("login.unavailable"))
            assert client.silent(0.1)
        # Who waits already still needs the right code.
        assert client.ask("user01", "wrong", given).code == ACCESS_CHALLENGE
    assert not daemon.records("login.accepted")
    mailbox.release()


def test_03_refused_or_silent_but_never_accepted(
    tmp_path: Path, directory: Directory, mailbox: Mailbox, authority: Authority
) -> None:
    """There is no fail-open switch."""
    parts = repository(directory) + sender(mailbox.port, authority)
    with Daemon(
        tmp_path / "aad", parts, head=HEAD.replace("[radius]", '[radius]\non_unavailable = "reject"')
    ) as daemon:
        directory.stop()
        with Raw(daemon.host, daemon.port) as client:
            assert client.ask("alice", RIGHT).code == ACCESS_REJECT
    daemon.file.write_text(daemon.file.read_text().replace('"reject"', '"accept"'))
    done = aad("check", "-c", daemon.file)
    assert done.returncode == 78
    assert "radius.on_unavailable" in done.stderr


def test_03_who_has_no_address_is_refused(daemon: Daemon, mailbox: Mailbox) -> None:
    with Raw(daemon.host, daemon.port) as client:
        assert client.ask("carol", "no address").code == ACCESS_REJECT
    assert daemon.records("login.rejected")[0]["reason"] == "no usable address"


def test_03_a_step_that_goes_wrong_lets_nobody_in(
    tmp_path: Path, machine: Machine, directory: Directory, mailbox: Mailbox, authority: Authority
) -> None:
    parts = repository(directory).replace('"ldap"', '"breakable"') + sender(mailbox.port, authority)
    parts = parts.replace("[senders.mail]", '[senders.mail]\ntype = "breakable"')
    head = HEAD.replace("[store]", '[store]\ntype = "breakable"')
    with Daemon(tmp_path / "aad", parts + METHODS, head=head) as daemon:
        for number, step in enumerate((*FIRST_STEPS, *STEPS_AFTER_THE_CODE)):
            _goes_wrong(daemon, mailbox, machine, number, step)
        assert not daemon.records("login.accepted")
        machine.break_("nothing")
        with Raw(daemon.host, daemon.port) as client:
            given = state(client.ask("alice", RIGHT))
            assert client.ask("alice", code(mailbox), given).code == ACCESS_ACCEPT
        assert not daemon.strays()


def _goes_wrong(daemon: Daemon, mailbox: Mailbox, machine: Machine, number: int, step: str) -> None:
    name, typed = f"user{number:02}", f"pw-{number:02}"
    given: tuple[octets.Attribute, ...] = ()
    with Raw(daemon.host, daemon.port) as client:
        if step in STEPS_AFTER_THE_CODE:
            machine.break_("nothing")
            given = (state(client.ask(name, typed)),)
            typed = code_in(mailbox.wait(f"{name}@example.com"))
        machine.break_(step)
        client.send(Request(name, typed, *given).octets)
        until(lambda: len(daemon.records("login.unavailable")) > number, what=step)
        assert client.silent(0.05), step


@pytest.mark.parametrize("seconds", [-86400.0, 86400.0], ids=["back", "forward"])
def test_03_a_stepped_clock_lets_nobody_in(machine: Machine, make: Make, mailbox: Mailbox, seconds: float) -> None:
    daemon = make()
    with Raw(daemon.host, daemon.port) as client:
        given = state(client.ask("alice", RIGHT))
        machine.step("wall", seconds)
        for typed in ("", "wrong", RIGHT):
            reply = client.ask("alice", typed, given)
            assert reply.code == ACCESS_CHALLENGE
            given = state(reply)
    first, *_, last = daemon.records()
    assert abs(last["time"] - first["time"]) > 80_000  # the step got there
