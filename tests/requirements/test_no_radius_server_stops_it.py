"""Requirement 40: whatever another RADIUS server answers about a password, nobody gets further by it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import product

import pytest

from tests.parts.daemon import HEAD, Daemon
from tests.parts.lies.radius import LIES, SHARED, RadiusLiar
from tests.parts.raw import Raw, Request
from tests.parts.waiting import until
from tests.requirements.beside import challenged
from tests.requirements.events import Start
from tests.requirements.lied_to import unharmed

pytestmark = pytest.mark.usefixtures("unshared")

WITH_WORKERS = ["an accept without Message-Authenticator", "thousands of large wrong accepts"]
"""Those that are told to several processes too."""
AT_ONCE = 6
RADIUS = HEAD.replace('methods = ["password", "email_otp"]', 'methods = ["radius", "email_otp"]').replace(
    "[radius]", '[radius]\non_unavailable = "reject"'
)
METHOD = """
[methods.radius]
servers = ["{name}"]
secret = "{secret}"
timeout = "300ms"
retries = 1
"""


@pytest.fixture
def liar() -> Iterator[RadiusLiar]:
    with RadiusLiar() as running:
        yield running


def challenges(daemon: Daemon) -> int:
    return len([each for each in daemon.records("challenge.sent") if each["login_event"] == "vpn"])


def tried(daemon: Daemon) -> None:
    """Let several users begin a login, and wait until each has an answer."""
    requests = [Request(f"user{number:02}", f"pw-{number:02}") for number in range(AT_ONCE)]
    with ExitStack() as stack:
        clients = [stack.enter_context(Raw(daemon.host, daemon.port)) for _ in requests]
        for client, request in zip(clients, requests, strict=True):
            client.send(request.octets)
        for client, request in zip(clients, requests, strict=True):
            request.reply(client.receive())


@pytest.mark.parametrize(
    ("name", "surrounding"), [*product(LIES, [""]), *product(WITH_WORKERS, ["two workers"])], indirect=["surrounding"]
)
def test_40_a_radius_server_lies(name: str, start: Start, liar: RadiusLiar) -> None:
    daemon = start(METHOD.format(name=liar.name, secret=SHARED.text()), head=RADIUS)

    def act(lying: bool) -> None:  # noqa: FBT001
        before = challenges(daemon)
        tried(daemon)
        assert challenges(daemon) == before + (0 if lying else AT_ONCE)

    unharmed(daemon, liar, name, act)
    if LIES[name].told:
        (down, *_) = daemon.records("server.down")
        assert down["server"] == liar.name
        assert re.search(LIES[name].told, down["reason"])
    until(lambda: challenged(daemon, "user09", "pw-09"), 15, "a login once it behaves")
