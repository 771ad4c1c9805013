"""Requirements 40 and 44: whatever a directory answers, it costs nobody but the login that it is about.

For each lie of `ldap_lies.py`, with `-s`: the most memory, the longest stall, how long others waited, and the log.
"""

from __future__ import annotations

import re
import time
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest

from aad.radius.protocol.constants import ACCESS_CHALLENGE
from tests.parts.daemon import Daemon
from tests.parts.directory import Directory
from tests.parts.raw import Raw, Request
from tests.parts.stopwatch import timed
from tests.parts.waiting import until
from tests.parts.watched import Watched
from tests.requirements.beside import CROWD, Beside, logged_in
from tests.requirements.events import OTHER, Start, ldap
from tests.requirements.ldap_lies import LIES, Lie, LyingDirectory

pytestmark = pytest.mark.usefixtures("unshared")

MIB = 1024 * 1024
MOST, WALL = 100 * MIB, 0.05  # octets; seconds
KEPT = 4 * MIB  # what C library and Python keep of the first large answers; it doesn't grow with more of them
AT_ONCE, ROUNDS = 8, 2  # as many as there are connections to a server
PATIENT = 1.0  # seconds that others wait at most
PATIENCE = 30.0  # seconds; a login has 2.5 of them, where the machine has the time
HONEST = Lie("", "nothing", lambda _: [], "")
SOME = (
    "bind: nothing in it",
    "bind: two gigabytes",
    "user: entries without end",
    "user: empty values",
    "bind: silence",
)


def settings(directory: Directory, lie: Lie, url: str) -> str:
    more = f'timeout = "{"400ms" if "no answer" in lie.log else "2s"}"\n'
    more += "starttls = true\n" if lie.at == "starttls" else ""
    more += 'group_filter = "(uniqueMember={dn})"\n' if lie.at == "groups" else ""
    return ldap(directory, url) + more


def settled(daemon: Daemon) -> list[dict[str, Any]]:
    records = daemon.records("login.unavailable", "login.rejected", "challenge.sent", "login.accepted")
    return [record for record in records if record["login_event"] == "vpn"]


def lied_to(daemon: Daemon, users: int = AT_ONCE) -> float:
    """Let many log in at the lying directory, and others at a good one; return how long these waited."""
    longest, number, due = 0.0, 0, len(settled(daemon)) + users
    with ExitStack() as stack:
        for user in range(users):
            client = stack.enter_context(Raw(daemon.host, daemon.port))
            client.send(Request(f"user{user:02}", f"pw-{user:02}").octets)
        other = stack.enter_context(Raw(daemon.host, daemon.port, source=OTHER))
        began = time.monotonic()
        while len(settled(daemon)) < due or number < users:
            assert time.monotonic() < began + PATIENCE
            reply, seconds = timed(partial(logged_in, other, CROWD + number % 8), daemon.child.pid)
            assert reply == ACCESS_CHALLENGE
            longest, number = max(longest, seconds), number + 1
    return longest


def watched(daemon: Daemon) -> tuple[Watched, float]:
    with Watched(daemon, OTHER) as watching:
        waited = max(lied_to(daemon) for _ in range(ROUNDS))
    return watching, waited


def warmed(daemon: Daemon, lying: Beside[LyingDirectory]) -> None:
    """Let as many log in as will be lied to: what that takes, a daemon keeps."""
    lie, lying.server.lie = lying.server.lie, HONEST
    for _ in range(ROUNDS):
        lied_to(daemon, 0 if lie.at == "starttls" else AT_ONCE)  # it has no certificate, so it is never honest there
    lying.server.lie = lie
    lying.call(lying.server.drop)


def costs_nobody(start: Start, directory: Directory, lie: Lie) -> None:
    with Beside(LyingDirectory(lie)) as lying:
        daemon = start(settings(directory, lie, lying.server.url))
        warmed(daemon, lying)
        # Once before it is looked at; but an outage would leave the server alone, and a refusal be counted as a guess.
        if lie.record == "login.unavailable" and not lie.outage:
            lied_to(daemon)
        first = len(settled(daemon))
        for _ in range(3):  # a stall that doesn't come again and again was the machine's
            watching, waited = watched(daemon)
            if watching.stall < WALL and waited < PATIENT:
                break
        until(lambda: watching.now() < watching.before + KEPT, what="the memory given back")
        records = settled(daemon)[first:]
        back = watching.now()
    said = [record["reason"] for record in records]
    print(row(lie, watching, waited, back, said))  # noqa: T201 - for whoever asks with -s
    assert lying.server.told
    assert {record["event"] for record in records} == {lie.record}
    assert any(re.search(lie.log, reason) for reason in said), said
    assert lie.record != "login.unavailable" or all(lying.server.url in reason for reason in said)
    assert bool(daemon.records("server.down")) == bool(daemon.records("repository.down")) == lie.outage
    assert not daemon.records("fault")
    assert watching.peak < MOST
    assert watching.stall < WALL, watching.seen
    assert waited < PATIENT


def row(lie: Lie, seen: Watched, waited: float, back: int, said: list[str]) -> str:
    mib = f"{seen.before / MIB:.1f} | {seen.peak / MIB:.1f} | {back / MIB:.1f}"
    times = f"{1000 * seen.stall:.0f} | {1000 * seen.seen.latency:.0f} | {1000 * waited:.0f}"
    return f"| {lie} | {mib} | {times} | {lie.record}: {said[0][:150]} |"


@pytest.mark.parametrize("lie", LIES, ids=str)
def test_40_no_lie_of_a_directory_costs_others(start: Start, directory: Directory, lie: Lie) -> None:
    costs_nobody(start, directory, lie)


@pytest.mark.parametrize("lie", [lie for lie in LIES if str(lie) in SOME], ids=str)
def test_40_nor_with_two_processes(
    start: Start, directory: Directory, monkeypatch: pytest.MonkeyPatch, lie: Lie
) -> None:
    monkeypatch.setattr(Daemon, "options", ("--workers", "2"))
    costs_nobody(start, directory, lie)
