"""The socket unit: a restart under load costs nobody his login, although no datagram is sent twice."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from aad.radius.protocol import constants
from aad.radius.protocol.client_packets import Reply
from aad.radius.protocol.constants import ACCESS_ACCEPT, ACCESS_CHALLENGE
from tests.parts.alice import state
from tests.parts.mailbox import code_in
from tests.parts.raw import Raw, Request
from tests.parts.waiting import until
from tests.requirements.beside import ask_status
from tests.systemd.conftest import PASSWORD, Home

CLIENTS = 8
RESTARTS = 5
USERS = [f"user{number:03}" for number in range(600)]


class Load:
    """NASes at which one user after another logs in; each request is sent up to `tries` times, `patience` s apart."""

    def __init__(self, home: Home, tries: int, patience: float) -> None:
        self._home = home
        self._tries = tries
        self._patience = patience
        self._users = iter(USERS)
        self._lock = threading.Lock()
        self.ended = threading.Event()
        self.counts: Counter[str] = Counter()
        self.failed: list[str] = []

    def run(self) -> None:
        """Log in until it is ended, then finish the last one."""
        while not self.ended.is_set():
            with self._lock:
                user = next(self._users)
            with self._home.client(self._patience) as client:
                what = self._login(client, user)
            with self._lock:
                self.counts["tried"] += 1
                if what:
                    self.failed.append(f"{user}: {what}")

    def _login(self, client: Raw, user: str) -> str:
        """Return what went wrong."""
        reply = self._ask(client, Request(user, PASSWORD))
        if reply is None or reply.code != ACCESS_CHALLENGE:
            return f"no challenge: {reply}"
        typed = code_in(self._home.mailbox.wait(f"{user}@example.com"))
        reply = self._ask(client, Request(user, typed, state(reply)))
        return "" if reply is not None and reply.code == ACCESS_ACCEPT else f"not accepted: {reply}"

    def _ask(self, client: Raw, request: Request) -> Reply | None:
        for number in range(self._tries):
            if number:
                self.counts["repeated"] += 1
            client.send(request.octets)
            try:
                return request.reply(client.receive())
            except TimeoutError:
                continue
        return None


def under_load(home: Home, tries: int, patience: float) -> Load:
    """Restart several times while users log in; return what became of them."""
    load = Load(home, tries, patience)
    with ThreadPoolExecutor(CLIENTS) as pool:
        running = [pool.submit(load.run) for _ in range(CLIENTS)]
        try:
            for _ in range(RESTARTS):
                before = load.counts["tried"]
                until(lambda: load.counts["tried"] >= before + 2 * CLIENTS, 60, "logins between two restarts")  # noqa: B023
                home.systemctl("restart", "aad")
        finally:
            load.ended.set()
        for each in running:
            each.result()
    return load


@pytest.mark.parametrize(("tries", "patience"), [(1, 20.0), (3, 2.0)], ids=["sent once", "sent up to 3 times"])
def test_no_login_fails_when_it_is_restarted_under_load(home: Home, tries: int, patience: float) -> None:
    home.users(*USERS)
    home.systemctl("start", "aad.socket")
    home.begin()
    before = home.main_pid()
    load = under_load(home, tries, patience)
    print(f"{RESTARTS} restarts: {dict(load.counts)}, failed: {load.failed}")  # noqa: T201 - to be seen by: pytest -rP
    assert not load.failed
    assert load.counts["tried"] >= RESTARTS * 2 * CLIENTS
    assert home.main_pid() != before
    assert home.said().count("(handed over by systemd)") == RESTARTS + 1
    assert "Traceback" not in home.said()


def test_what_arrives_while_nothing_runs_waits(home: Home) -> None:
    """The first datagram starts it, and gets its reply from the address it was sent to."""
    home.systemctl("start", "aad.socket")
    assert home.show("aad", "ActiveState") == "inactive"
    with home.client(20) as client, home.network(), Raw("::1", 1812, timeout=20) as other:
        assert ask_status(client).code == ACCESS_ACCEPT
        assert client.replied_from == "127.0.0.1"
        assert ask_status(other).code == ACCESS_ACCEPT
        home.systemctl("stop", "aad")
        with Raw("127.0.0.77", 1812, timeout=20) as third:
            assert third.ask("alice", PASSWORD).first(constants.STATE)
            assert third.replied_from == "127.0.0.77"


def test_a_misconfigured_daemon_is_not_started_for_ever(home: Home) -> None:
    home.configure("[nonsense]\n")
    home.drop_in("[Socket]\nTriggerLimitBurst=4\n", "aad.socket")  # not 20: the machine may be busy
    home.systemctl("start", "aad.socket")
    with home.client() as client:
        client.send(Request("alice", PASSWORD).octets)
        home.becomes("aad.socket", "failed", 100)
    assert home.show("aad.socket", "Result") == "trigger-limit-hit"
    home.configure()
    home.systemctl("start", "aad.socket", "aad.service")
    with home.client() as client:
        assert client.ask("alice", PASSWORD).code == ACCESS_CHALLENGE
    assert "(handed over by systemd)" in home.said()
