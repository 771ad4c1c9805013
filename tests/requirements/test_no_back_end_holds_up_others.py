"""Requirement 14: a back end that is slow or silent, while others are served."""

from __future__ import annotations

import socket
from functools import partial
from pathlib import Path
from secrets import randbelow

import pytest

from aad.radius.protocol.constants import ACCESS_ACCEPT, ACCESS_CHALLENGE, ACCESS_REJECT
from tests.parts.daemon import HEAD, Daemon
from tests.parts.directory import Directory
from tests.parts.raw import Raw, Request
from tests.parts.stopwatch import Stopwatch, timed
from tests.parts.waiting import until
from tests.repositories.ldap.crooked import Relay
from tests.requirements.beside import (
    CROWD,
    Beside,
    a_crowd,
    all_challenge,
    ask_status,
    challenged,
    descriptors,
    logged_in,
    once,
    threads,
)
from tests.requirements.events import OTHER, Start, ldap, smtp
from tests.senders.script import SILENCE, Script

DEADLINE, SLACK = 2.5, 0.4  # seconds
CONNECTIONS = 8  # to a server, at most


def the_others_are_served(daemon: Daemon, rounds: int = 6) -> float:
    """Log in at the other event and ask for the status; return the middle of the times that a login took."""
    took = []
    with Raw(daemon.host, daemon.port, source=OTHER) as client:
        for number in range(rounds):
            reply, seconds = timed(partial(logged_in, client, CROWD + 1 + number), daemon.child.pid)
            assert reply == ACCESS_CHALLENGE
            status, at_once = timed(lambda: ask_status(client).code, daemon.child.pid)
            assert status == ACCESS_ACCEPT
            assert max(seconds, at_once) < 0.5
            took.append(seconds)
    return sorted(took)[rounds // 2]


def settled(daemon: Daemon, *how: str) -> dict[str, float]:
    """Return whose logins at the slow event are settled, and after how many milliseconds."""
    records = daemon.records(*(how or ("login.unavailable", "challenge.sent")))
    return {record["user"]: float(record["ms"]) for record in records if record["login_event"] == "vpn"}


def settled_in_time(daemon: Daemon, crowd: list[tuple[Raw, Request]], watch: Stopwatch) -> list[int]:
    """Return the codes of the replies; who got none was given up in time, with a record."""
    until(lambda: len(settled(daemon)) >= CROWD)
    assert watch.seconds < DEADLINE + SLACK
    gone = settled(daemon, "login.unavailable")
    assert all(ms < DEADLINE * 1000 for ms in gone.values())
    codes = []
    for number, (client, request) in enumerate(crowd):
        if f"user{number:02}" in gone and 'on_unavailable = "reject"' not in daemon.file.read_text():
            assert client.silent(0.02)
        else:
            codes.append(request.reply(client.receive()).code)
    return codes


def slowed(daemon: Daemon, bound: int) -> list[int]:
    """Let a crowd meet the slow back end and hold everybody's time and what is spent against the bounds."""
    well = the_others_are_served(daemon)
    before = threads(daemon), descriptors(daemon)
    with a_crowd(daemon) as crowd:
        watch = Stopwatch(daemon.child.pid)
        assert the_others_are_served(daemon) < max(0.1, 5 * well)
        assert threads(daemon) <= before[0] + CONNECTIONS * daemon.workers  # each may need one, while it is opened
        assert descriptors(daemon) <= before[1] + bound * daemon.workers
        return settled_in_time(daemon, crowd, watch)


@pytest.mark.parametrize(
    ("mood", "unavailable", "security"),
    [("drip", "discard", "none"), ("mute", "reject", "none"), ("mute", "discard", "tls")],
)
def test_14_a_slow_directory_hurts_nobody_else(
    start: Start, directory: Directory, mood: str, unavailable: str, security: str
) -> None:
    head = HEAD.replace("[radius]", f'[radius]\non_unavailable = "{unavailable}"')
    with Beside(Relay(directory.port if security == "none" else directory.tls_port)) as relay:
        url = relay.server.url if security == "none" else relay.server.url.replace("ldap:", "ldaps:")
        daemon = start(ldap(directory, url), head=head)
        relay.server.mood = mood
        rested = threads(daemon), descriptors(daemon)
        codes = slowed(daemon, bound=2 * CONNECTIONS)
        assert codes == ([ACCESS_REJECT] * CROWD if unavailable == "reject" else [])
        until(lambda: not relay.server._tasks, what="the daemon's connections closed")
        until(lambda: threads(daemon) <= rested[0] + daemon.workers)
        until(
            lambda: descriptors(daemon) <= rested[1] + 3 * CONNECTIONS * daemon.workers
        )  # the other directory's are kept
        relay.server.mood = ""
        until(lambda: all_challenge(daemon), what="a challenge after the directory's recovery")
    once(daemon, "repository.down")
    once(daemon, "repository.up")


@pytest.mark.parametrize("at", ["banner", "EHLO", "MAIL", "RCPT", "DATA", "end"])
def test_14_a_slow_mail_server_hurts_nobody_else(start: Start, at: str) -> None:
    with Beside(Script()) as script:
        daemon = start(smtp("127.0.0.1", script.server.port))
        script.server.say(at, SILENCE)
        the_others_are_served(daemon)
        rested = threads(daemon), descriptors(daemon)
        codes = slowed(daemon, bound=3 * CONNECTIONS)
        # Where there is a connection the mails go on; where there is none, nobody is asked for a code.
        assert codes == [ACCESS_CHALLENGE] * (0 if at in {"banner", "EHLO"} else CROWD)
        assert script.server.connections <= 2 * CONNECTIONS * daemon.workers
        if at in {"DATA", "end"}:  # these get a minute: who gives up early mails twice
            script.stop()
        until(lambda: not script.server.open, what="the daemon's connections closed")
        until(lambda: threads(daemon) <= rested[0])
        until(
            lambda: descriptors(daemon) <= rested[1] + 2 * CONNECTIONS * daemon.workers
        )  # those to both directories are kept
        script.server.behave()
        script.start()
        until(lambda: challenged(daemon), what="a challenge after the mail server's recovery")


@pytest.mark.parametrize("dead", ["directory", "mail server"])
def test_14_a_dead_name_server_hurts_nobody_else(start: Start, tmp_path: Path, directory: Directory, dead: str) -> None:
    address = f"127.{20 + randbelow(200)}.{randbelow(256)}.{1 + randbelow(254)}"
    resolver = tmp_path / "resolv.conf"
    resolver.write_text(f"nameserver {address}\noptions timeout:4 attempts:1\n")
    name = "dead.example.com."
    with socket.socket(type=socket.SOCK_DGRAM) as deaf:
        deaf.bind((address, 53))
        more = ldap(directory, f"ldap://{name}") if dead == "directory" else smtp(name, 25)
        daemon = start(more, binds={"/etc/resolv.conf": resolver})
        rested = threads(daemon)
        assert slowed(daemon, bound=2 * CONNECTIONS) == []
        until(lambda: threads(daemon) <= rested, what="the threads that asked for a name gone")
    assert daemon.records("repository.down" if dead == "directory" else "sender.down")
