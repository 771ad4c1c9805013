"""Records: one line each on stderr, one datagram each to the journal, whatever a stranger put into a field."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aad import log
from aad.log import EVENTS, Log, message_id

anything = st.text() | st.integers() | st.floats(allow_nan=False) | st.none()


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Listen where journald would."""
    place = tmp_path / "socket"
    monkeypatch.setattr(log, "JOURNAL", place)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(place))
        listener.settimeout(5)
        yield listener


def fields(datagram: bytes) -> dict[str, str]:
    return dict(line.split("=", 1) for line in datagram.decode().splitlines())


def test_the_journal_gets_the_fields_of_the_contract(journal: socket.socket) -> None:
    with closing(Log(to="journal")) as writer:
        writer.record("login.rejected", login="AB23CD", user="alice", client="gw", reason="wrong code", ms=1.26)
    assert fields(journal.recv(4096)) == {
        "MESSAGE": "alice from gw rejected: wrong code",
        "PRIORITY": "5",
        "SYSLOG_IDENTIFIER": "aad",
        "MESSAGE_ID": message_id("login.rejected"),
        "AAD_EVENT": "login.rejected",
        "AAD_LOGIN": "AB23CD",
        "AAD_USER": "alice",
        "AAD_CLIENT": "gw",
        "AAD_REASON": "wrong code",
        "AAD_MS": "1.3",
    }


def test_auto_is_the_journal_where_there_is_one(journal: socket.socket, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(Log()) as writer:
        writer.record("daemon.stopped")
    assert fields(journal.recv(4096))["AAD_EVENT"] == "daemon.stopped"
    assert not capsys.readouterr().err


def drained(journal: socket.socket) -> int:
    """Read what is there, and count it."""
    journal.setblocking(False)
    held = 0
    with contextlib.suppress(BlockingIOError):
        while journal.recv(4096):
            held += 1
    return held


def test_a_journal_that_does_not_read_stops_nobody(journal: socket.socket) -> None:
    with closing(Log(to="journal")) as writer:
        for _ in range(10_000):
            writer.record("daemon.stopped")
        held = drained(journal)
        assert 0 < held < 10_000
        writer.record("daemon.stopped")
    assert fields(journal.recv(4096))["AAD_EVENT"] == "daemon.stopped"
    assert fields(journal.recv(4096))["AAD_COUNT"] == str(10_000 - held)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from([*EVENTS, "plugin.event"]), user=anything, reason=anything)
def test_whatever_a_field_holds_it_is_one_line(
    capsys: pytest.CaptureFixture[str], name: str, user: object, reason: object
) -> None:
    capsys.readouterr()
    for layout in ("text", "json"):
        Log(to="stderr", level="debug", layout=layout).record(name, user=user, reason=reason)
    text, as_json = capsys.readouterr().err.rstrip("\n").split("\n")
    assert text.startswith(f"<{json.loads(as_json)['priority']}>{name}: ")
    assert text.isprintable()
    assert as_json.isprintable()


def test_less_is_written_at_a_higher_level(capsys: pytest.CaptureFixture[str]) -> None:
    writer = Log(to="stderr", level="warning")
    writer.record("login.accepted", user="alice", client="gw")
    writer.record("user.locked", user="alice", reason="3 failed logins in a row")
    assert capsys.readouterr().err == "<4>user.locked: alice is locked out: 3 failed logins in a row\n"


def test_every_event_has_a_message_id_of_its_own() -> None:
    assert len({message_id(name) for name in EVENTS}) == len(EVENTS)
