"""A NAS that signs nothing and has a wrong shared secret locks nobody out and costs no bind: requirement 37."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from hashlib import md5

import pytest

from tests.parts.alice import RIGHT, code
from tests.parts.corp import ALICE, Make
from tests.parts.daemon import Daemon
from tests.parts.directory import Directory
from tests.parts.mailbox import Mailbox
from tests.parts.raw import Raw
from tests.parts.waiting import until
from tests.requirements.beside import once
from tests.requirements.octets import (
    ACCEPT,
    CHALLENGE,
    REJECT,
    SIGNATURE,
    STATE,
    USER_NAME,
    USER_PASSWORD,
    Attribute,
    Datagram,
    hidden,
)

UNSIGNED = "require_message_authenticator = false"
ALICE_BINDS = f'BIND dn="{ALICE.dn}"'
OTHER_SECRET = b"the secret that this NAS had before"
SSHD_JUNK = b"\b\n\r\x7fINCORRECT\b\n\r\x7fIN"
UNREADABLE = (
    *(b"\xff", b"cor\xffrect horse", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"correct\xc3"),  # no UTF-8
    *(b"a\0b", b"\0a", b"\x01", b"correct horse\n", b"\x1b[2J", b"\x7f", b"tab\tbed", b"x" * 127 + b"\x1f"),
)
TEXT = ("wrong", " ", "pässwörd", "①23", "\u0080\u2028", "💥" * 32, "x" * 128)


@pytest.fixture
def unsigned(make: Make) -> Daemon:
    """Return a daemon whose client needn't sign its requests."""
    return make('[methods.email_otp]\nattempts = 3\nresend_after = "0s"\n', client=UNSIGNED)


@pytest.fixture
def nas(unsigned: Daemon) -> Iterator[Raw]:
    with Raw(unsigned.host, unsigned.port) as raw:
        yield raw


def asked(typed: bytes | str, *attributes: Attribute, name: str = "alice", signed: bool = False) -> Datagram:
    authenticator = secrets.token_bytes(16)
    given = [(USER_NAME, name.encode()), hidden(typed, authenticator), *attributes]
    return Datagram(*([SIGNATURE] if signed else []), *given, authenticator=authenticator)


def mistaken(typed: str, *attributes: Attribute, secret: bytes = OTHER_SECRET) -> Datagram:
    """Return an unsigned request whose password is hidden with another secret than the server's, as RFC 2865 5.2 says.

    One in 355,000 would be text by chance: such a one isn't sent.
    """
    while True:
        authenticator = secrets.token_bytes(16)
        pads = (md5(one + authenticator).digest() for one in (secret, b"a-secret-that-every-client-can-write"))
        theirs, ours = (int.from_bytes(pad) for pad in pads)
        octets = int.from_bytes(typed.encode().ljust(16, b"\0")) ^ theirs
        try:
            (octets ^ ours).to_bytes(16).decode()
        except UnicodeDecodeError:
            given = [(USER_NAME, b"alice"), (USER_PASSWORD, octets.to_bytes(16)), *attributes]
            return Datagram(*given, authenticator=authenticator)


def replied(nas: Raw, request: Datagram) -> bytes:
    nas.send(request.octets)
    reply = nas.receive()
    request.verify(reply)
    return reply


def binds(directory: Directory, since: int) -> int:
    return directory.log()[since:].count(ALICE_BINDS)


def state(reply: bytes) -> Attribute:
    at = reply.index(bytes((STATE,)), 38)
    return STATE, reply[at + 2 : at + reply[at + 1]]


def reasons(daemon: Daemon) -> list[str]:
    return [record["reason"] for record in daemon.records("login.rejected")]


@pytest.mark.also("valkey", "two workers, valkey")
def test_37_a_wrong_secret_costs_no_bind_and_locks_nobody_out(
    unsigned: Daemon, nas: Raw, directory: Directory, mailbox: Mailbox
) -> None:
    before = len(directory.log())
    ordinary = replied(nas, asked("wrong", name="nobody"))
    requests = [mistaken(RIGHT) for _ in range(20)] + [asked(typed) for typed in UNREADABLE]
    for request in requests:
        began = time.monotonic()
        reply = replied(nas, request)
        assert reply[0] == REJECT
        assert reply[38:] == ordinary[38:], "the same octets, but for identifier and authenticators"
        assert time.monotonic() - began >= 0.05, "reject_delay"
    assert not binds(directory, before)
    assert not mailbox.messages
    assert [record["user"] for record in unsigned.records("login.started", "user.locked", "fault")] == ["nobody"]
    assert replied(nas, asked(RIGHT))[0] == CHALLENGE  # three would have locked alice out
    until(lambda: binds(directory, before))


def test_37_the_log_says_what_is_probably_wrong_and_seldom(unsigned: Daemon, nas: Raw) -> None:
    for _ in range(12):
        replied(nas, mistaken(RIGHT))
    assert len(reasons(unsigned)) == 12
    assert {reason.partition(":")[0] for reason in reasons(unsigned)} == {
        "unreadable octets, and nothing proves the shared secret"
    }
    once(unsigned, "client.unreadable")
    record = unsigned.records("client.unreadable")[0]
    assert (record["client"], record["priority"]) == ("gateway", 4)
    assert "probably the shared secret of gateway is wrong" in record["reason"]
    assert RIGHT not in unsigned.child.output()


@pytest.mark.also("valkey", "two workers, valkey")
def test_37_an_unreadable_answer_leaves_the_login_waiting(
    unsigned: Daemon, nas: Raw, directory: Directory, mailbox: Mailbox
) -> None:
    waits = state(replied(nas, asked(RIGHT)))
    for typed in (*UNREADABLE, SSHD_JUNK):
        assert replied(nas, asked(typed, waits))[0] == REJECT
    for _ in range(10):
        assert replied(nas, mistaken(code(mailbox), waits))[0] == REJECT
    assert not unsigned.records("code.refused", "user.locked")
    assert replied(nas, asked(code(mailbox), waits))[0] == ACCEPT
    assert len(mailbox.messages) == 1


def test_37_text_is_asked_for_octet_by_octet(unsigned: Daemon, nas: Raw, directory: Directory) -> None:
    """Whatever somebody may have typed is a password, of such a client too."""
    for number, typed in enumerate(TEXT):
        assert replied(nas, asked(typed, name=f"user{number:02}"))[0] == REJECT
    assert reasons(unsigned) == ["wrong password"] * len(TEXT)
    assert not unsigned.records("client.unreadable")


def test_37_where_the_secret_is_proven_every_octet_goes_to_the_bind(
    unsigned: Daemon, nas: Raw, directory: Directory, mailbox: Mailbox
) -> None:
    """Requirement 2, of the same client: one that it signs."""
    assert replied(nas, asked("in\0side", name="nul", signed=True))[0] == CHALLENGE
    before = len(directory.log())
    for typed in (b"cor\xffrect horse", b"correct horse\n", b"\x7f"):
        assert replied(nas, asked(typed, signed=True))[0] == REJECT
    assert reasons(unsigned) == ["wrong password"] * 3
    until(lambda: binds(directory, before) == 3)
    assert not unsigned.records("client.unreadable")
    assert replied(nas, asked(RIGHT, signed=True))[0] == REJECT  # those were guesses, and locked alice out


def test_37_what_sshd_writes_for_a_name_it_does_not_know_is_told_apart(unsigned: Daemon, nas: Raw) -> None:
    """pam_radius 2.0 signs nothing, and passes it on: control characters, by the right secret."""
    assert replied(nas, asked(SSHD_JUNK))[0] == REJECT
    assert reasons(unsigned) == ["name or password was replaced by sshd, who doesn't know the user"]
    assert not unsigned.records("client.unreadable")
