"""Decoys from outside: right or wrong, known or not, all are asked for a code in the same octets and time."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from aad.radius.protocol import client_packets, constants
from aad.radius.protocol.constants import ACCESS_ACCEPT, ACCESS_CHALLENGE, ACCESS_REJECT
from tests.parts.alice import RIGHT, code, state
from tests.parts.authority import Authority
from tests.parts.corp import repository, sender
from tests.parts.daemon import HEAD, Daemon
from tests.parts.directory import Directory
from tests.parts.mailbox import Mailbox
from tests.parts.raw import Raw

DELAY = 0.6
DECOYS = """
[methods.email_otp]
type = "email_otp"
prompt = "Enter your code (ref {reference})"
wrong_prompt = "Wrong code (ref {reference})"
[events.vpn]
decoy = true
"""
TRIES = {
    "right": ("alice", RIGHT),
    "wrong": ("alice", "wrong"),
    "unknown": ("nobody", RIGHT),
    "pattern": ("*", RIGHT),
    "two of the name": ("twin", "first"),
    "no address": ("carol", "no address"),
    "empty": ("user03", ""),
}


@pytest.fixture
def daemon(tmp_path: Path, directory: Directory, mailbox: Mailbox, authority: Authority) -> Iterator[Daemon]:
    head = HEAD.replace('"50ms"', f'"{DELAY * 1000:.0f}ms"').replace("[events.vpn]\n", "")
    parts = DECOYS + repository(directory) + sender(mailbox.port, authority)
    with Daemon(tmp_path / "aad", parts, head=head) as running:
        yield running
        assert not running.records("fault")


def looks(reply: client_packets.Reply) -> tuple[object, ...]:
    """Return all of a reply but what is random, State (its length counts) and reference, and the seconds left."""
    seen = []
    for kind, value in reply.attributes[1:]:
        if kind == constants.SESSION_TIMEOUT:
            assert 100 < int.from_bytes(value) < 120
            continue
        shown = len(value) if kind == constants.STATE else re.sub(rb"ref [A-Z0-9]{6}", b"ref", value)
        seen.append((kind, shown))
    return reply.code, tuple(seen)


def test_29_all_are_asked_in_the_same_octets_and_time(daemon: Daemon, mailbox: Mailbox) -> None:
    def asked(each: tuple[str, str]) -> tuple[tuple[object, ...], float]:
        with Raw(daemon.host, daemon.port) as client:
            began = time.monotonic()
            return looks(client.ask(*each)), time.monotonic() - began

    with ThreadPoolExecutor(len(TRIES)) as pool:
        found = dict(zip(TRIES, pool.map(asked, TRIES.values()), strict=True))
    assert {seen for seen, _ in found.values()} == {found["right"][0]}
    assert found["right"][0][0] == ACCESS_CHALLENGE
    assert all(seconds >= DELAY for _, seconds in found.values())
    assert [each.recipients for each in mailbox.messages] == [("alice@example.com",)]
    reasons = {record["user"]: record["reason"] for record in daemon.records("login.rejected")}
    assert reasons["nobody"] == "unknown user", "the log tells the truth"
    assert len(daemon.records("decoy.sent")) == len(TRIES) - 1


def test_29_a_decoy_takes_as_many_answers_and_none_is_right(daemon: Daemon, mailbox: Mailbox) -> None:
    with Raw(daemon.host, daemon.port) as client:
        real, decoy = client.ask("alice", RIGHT), client.ask("alice", "wrong")
        right = code(mailbox)
        for _ in range(2):
            decoy = client.ask("alice", right, state(decoy))
            real = client.ask("alice", "000", state(real))
            assert looks(decoy) == looks(real)
        assert client.ask("alice", right, state(decoy)).code == ACCESS_REJECT
        assert client.ask("alice", right, state(real)).code == ACCESS_ACCEPT


def test_29_locked_is_a_decoy_too_and_its_real_challenge_of_before_becomes_one(
    daemon: Daemon, mailbox: Mailbox
) -> None:
    with Raw(daemon.host, daemon.port) as client:
        kept = client.ask("user01", "pw-01")
        for _ in range(3):
            kept = client.ask("user01", "000", state(kept)) if kept.code == ACCESS_CHALLENGE else kept
        assert kept.code == ACCESS_REJECT
        assert daemon.records("user.locked")
        again = client.ask("user01", "pw-01")
        assert again.code == ACCESS_CHALLENGE
        assert client.ask("user01", "pw-01").code == ACCESS_CHALLENGE
        # Behind the code there may be the mail that tells the user of the wrong codes.
        assert sum("one-time" in each.subject for each in mailbox.letters("user01@example.com")) == 1


@pytest.mark.parametrize("away", ["gone", "slow"])
def test_29_the_mail_server_away_tells_nothing(daemon: Daemon, mailbox: Mailbox, away: str) -> None:
    if away == "gone":
        mailbox.stop()
    else:
        mailbox.hold("mail")
    with Raw(daemon.host, daemon.port) as client:
        seen = {looks(client.ask(*TRIES[each])) for each in ("right", "wrong", "unknown")}
    assert len(seen) == 1
    if away == "gone":
        mailbox.start()
    else:
        mailbox.release()
