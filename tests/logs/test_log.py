"""Records: one line each on stderr, one datagram each to the journal, whatever a stranger put into a field."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aad.logs import journal_writer as native
from aad.logs.log import Log
from aad.logs.records import KINDS, message_id

anything = st.text() | st.integers() | st.floats(allow_nan=False) | st.none()


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Listen where journald would."""
    place = tmp_path / "socket"
    monkeypatch.setattr(native, "SOCKET", place)
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


def test_a_journal_that_does_not_read_stops_nobody(journal: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "FAREWELL", 0.0)
    with closing(Log(to="journal")) as writer:
        for _ in range(10_000):
            writer.record("daemon.stopped")
        assert writer.queued == native.MOST_RECORDS
        assert writer.dropped > 0
        journal.setblocking(False)
        known: dict[str, str] = {}
        while known.get("AAD_EVENT") != "records.dropped":
            writer.record("daemon.stopped")
            with contextlib.suppress(BlockingIOError):
                known = fields(journal.recv(4096))
        assert known["AAD_COUNT"] == str(writer.dropped)
        assert known["MESSAGE"] == f"{writer.dropped} records were lost: the journal did not read them"


def test_without_a_journal_auto_is_the_file_if_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(native, "SOCKET", tmp_path / "nowhere")
    with closing(Log(file=tmp_path / "aad.log", level="notice")) as writer:
        writer.record("login.rejected", user="alice", reason="wrong code")
        writer.record("login.accepted", user="alice")
        assert (writer.dropped, writer.queued) == (0, 0)
    (line,) = (tmp_path / "aad.log").read_text().splitlines()
    written = json.loads(line)
    assert written.pop("time") > 0
    message = "alice from - rejected: wrong code"
    assert written == {
        "priority": 5,
        "event": "login.rejected",
        "message": message,
        "user": "alice",
        "reason": "wrong code",
    }
    with closing(Log()) as writer:
        writer.record("daemon.stopped")
    assert capsys.readouterr().err == "<5>daemon.stopped: aad has stopped\n"


def test_a_disk_that_was_full_is_said(tmp_path: Path) -> None:
    full = Path("/dev/full")
    with closing(Log(to="file", file=full)) as writer:
        for _ in range(3):
            writer.record("daemon.stopped")
        assert writer.dropped == 3
        assert writer._file is not None
        writer._file._path = tmp_path / "aad.log"
        writer.reopen()
        writer.record("daemon.started")
        writer.record("daemon.stopped")
    names = [json.loads(line) for line in (tmp_path / "aad.log").read_text().splitlines()]
    assert [(one["event"], one.get("count")) for one in names] == [
        ("daemon.started", None),
        ("records.dropped", "3"),
        ("daemon.stopped", None),
    ]


def test_the_file_is_for_its_group_and_comes_anew_after_it_was_moved(tmp_path: Path) -> None:
    file = tmp_path / "aad.log"
    before = os.umask(0o077)
    try:
        writer = Log(to="file", file=file)
    finally:
        os.umask(before)
    with closing(writer):
        assert file.stat().st_mode & 0o777 == 0o640
        writer.record("daemon.started")
        file.rename(tmp_path / "aad.log.1")
        writer.record("daemon.stopped")
        writer.reopen()
        writer.record("configuration.loaded")
    for name, events in (
        ("aad.log.1", ["daemon.started", "daemon.stopped"]),
        ("aad.log", ["configuration.loaded"]),
    ):
        assert [json.loads(line)["event"] for line in (tmp_path / name).read_text().splitlines()] == events


def test_a_file_that_can_t_be_had_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=f"^the log {tmp_path}/none/aad.log can't be written: No such file or directory$"):
        Log(to="file", file=tmp_path / "none" / "aad.log")
    with closing(Log(to="file", file=tmp_path / "folder.log")) as writer:
        (tmp_path / "folder.log").unlink()
        (tmp_path / "folder.log").mkdir()
        with pytest.raises(OSError, match="can't be written: Is a directory"):
            writer.reopen()
        writer.record("daemon.stopped")  # into the old one
        assert writer.dropped == 0


def test_a_plugin_s_own_record_says_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    Log(to="stderr").record("token.{shown}", user="alice")
    assert capsys.readouterr().err == "<6>token.{shown}: token.{shown} (user=alice)\n"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from([*KINDS, "plugin.event"]), user=anything, reason=anything)
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
    assert len({kind.message_id for kind in KINDS.values()}) == len(KINDS)


def test_message_ids_stay_the_same_for_ever() -> None:
    assert message_id("login.started") == "e1807a42860b524aaf78689efeba4cba"
    assert KINDS["records.dropped"].message_id == "a807feb811875e6eb09c52e8a8ca2031"
