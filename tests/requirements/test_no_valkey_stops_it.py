"""Requirement 40: whatever a Valkey server answers, nobody gets in by it; the daemon says so, and goes on after it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import product

import pytest

from aad.radius.protocol.constants import ACCESS_ACCEPT
from aad.radius.protocol.wire import Attribute
from tests.parts.alice import state
from tests.parts.daemon import HEAD, Daemon
from tests.parts.lies.liar import Liar
from tests.parts.lies.valkey import LIES
from tests.parts.raw import Raw, Request
from tests.parts.redis import Redis
from tests.parts.waiting import until
from tests.requirements.beside import all_challenge
from tests.requirements.events import Start
from tests.requirements.lied_to import unharmed

pytestmark = pytest.mark.usefixtures("unshared")

WITH_WORKERS = ["announces two thousand million values", "says nothing to all", "pushes without end"]
"""Those that are told to several processes too."""
AT_ONCE, PATIENCE = 6, 5.0
REJECTING = HEAD.replace("[radius]", '[radius]\non_unavailable = "reject"')


@pytest.fixture
def liar(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[Liar]:
    with Liar("valkey", redis.socket) as running:
        monkeypatch.setattr(Daemon, "valkey", f"valkey://127.0.0.1:{running.port}")
        yield running


def tried(daemon: Daemon, waiting: Attribute) -> None:
    """Let several users begin a login, and one answer a challenge with a wrong code: whatever comes is no accept."""
    requests = [Request(f"user{number:02}", f"pw-{number:02}") for number in range(AT_ONCE)]
    requests.append(Request(f"user{AT_ONCE:02}", "000000", waiting))
    with ExitStack() as stack:
        clients = [stack.enter_context(Raw(daemon.host, daemon.port, timeout=PATIENCE)) for _ in requests]
        for client, request in zip(clients, requests, strict=True):
            client.send(request.octets)
        for client, request in zip(clients, requests, strict=True):
            assert request.reply(client.receive()).code != ACCESS_ACCEPT


def told(daemon: Daemon, pattern: str) -> bool:
    """Say whether the log tells what the store did."""
    said = (each["reason"] for each in daemon.records("store.down", "login.unavailable"))
    return any(re.search(pattern, what) for what in said)


@pytest.mark.parametrize(
    ("name", "surrounding"), [*product(LIES, [""]), *product(WITH_WORKERS, ["two workers"])], indirect=["surrounding"]
)
def test_40_a_valkey_server_lies(name: str, start: Start, liar: Liar) -> None:
    daemon = start("", head=REJECTING)
    with Raw(daemon.host, daemon.port) as client:
        waiting = state(client.ask(f"user{AT_ONCE:02}", f"pw-{AT_ONCE:02}"))

    def act(lying: bool) -> None:  # noqa: FBT001
        tried(daemon, waiting)
        while lying and not told(daemon, LIES[name].told):
            tried(daemon, waiting)

    unharmed(daemon, liar, name, act, others=False)
    until(lambda: all_challenge(daemon), 15, "logins once it behaves")
    assert not daemon.records("login.accepted")
