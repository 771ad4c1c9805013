"""A login told as a short story."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from aad.logs.entry import Entry, Wanted, entry
from aad.logs.login_story import Story, Telling, last, stories

START = datetime(2026, 11, 24, 9, 0, 1, tzinfo=UTC).timestamp()
PLAIN = Telling(colours=False, zone=UTC)


def record(seconds: float, event: str, message: str, login: str = "AB23CD", **fields: str) -> Entry:
    known = {"login": login, "user": "alice", "client": "gw", "login_event": "vpn"} if login else {}
    return Entry(START + seconds, 6, event, message, {**known, **fields})


LOGIN = [
    record(0.0, "login.started", "login of alice from gw begins", caller="192.0.2.7"),
    record(0.012, "password.accepted", "password of alice is right", ms="11.8"),
    record(0.2, "mail.sent", "mail to a***@e***.com taken by mail as 4Xy", recipient="a***@e***.com", queue_id="4Xy"),
    record(0.201, "challenge.sent", "alice is asked for a code"),
    record(21.4, "code.accepted", "code of alice is right"),
    record(21.4, "login.accepted", "alice from gw accepted"),
]


def test_a_login_is_told_with_its_times() -> None:
    (story,) = stories(LOGIN)
    assert isinstance(story, Story)
    assert "\n".join(PLAIN.story(story)) == (
        "2026-11-24 09:00:01  alice  gw  vpn  AB23CD  accepted after 21.4 s\n"
        "    +0.000 s  login of alice from gw begins  (caller=192.0.2.7)\n"
        "    +0.012 s  password of alice is right  (11.8 ms)\n"
        "    +0.200 s  mail to a***@e***.com taken by mail as 4Xy\n"
        "    +0.201 s  alice is asked for a code\n"
        "   +21.400 s  code of alice is right\n"
        "   +21.400 s  alice from gw accepted"
    )


def test_how_a_login_ended() -> None:
    def ended(*entries: Entry) -> str:
        return next(PLAIN.story(Story(list(entries)))).partition("AB23CD  ")[2]

    rejected = record(3, "login.rejected", "alice from gw rejected: wrong code", reason="wrong code")
    assert ended(*LOGIN[:4], rejected) == "rejected: wrong code after 3.0 s"
    late = record(9, "mail.sent", "mail to a***@e***.com taken by mail as 4Xy")
    assert ended(*LOGIN[:4], rejected, late) == "rejected: wrong code after 3.0 s"
    assert ended(*LOGIN[:4]) == "no answer yet"
    assert ended(*LOGIN[:2]) == "at work"
    unavailable = record(2, "login.unavailable", "alice from gw neither accepted nor rejected: x", reason="x")
    assert ended(LOGIN[0], unavailable) == "neither accepted nor rejected: x after 2.0 s"
    assert ended(LOGIN[0], unavailable, *LOGIN[4:]) == "accepted after 21.4 s"


def test_logins_stay_together_and_what_belongs_to_none_between_them() -> None:
    down = record(0.1, "repository.down", "repository corp is out of order: it is gone", login="", repository="corp")
    other = record(0.05, "login.started", "login of bob from gw begins", login="ZZ99ZZ")
    told = stories([LOGIN[0], other, down, *LOGIN[1:]])
    assert [len(one.entries) if isinstance(one, Story) else one.event for one in told] == [6, 1, "repository.down"]
    assert PLAIN.single(down) == "2026-11-24 09:00:01  repository corp is out of order: it is gone"


def test_the_same_reference_drawn_again_is_another_login() -> None:
    assert len(stories([*LOGIN, *LOGIN])) == 2


def test_the_last_logins_are_whole() -> None:
    before = [record(-9, "login.started", "", login="OLDEST"), record(0.1, "login.rejected", "", login="OLDEST")]
    other = record(0.05, "login.started", "login of bob from gw begins", login="ZZ99ZZ")
    entries = [before[0], LOGIN[0], other, before[1], *LOGIN[1:]]
    assert {one.login for one in last(reversed(entries), 1)} == {"ZZ99ZZ"}
    assert last(reversed(entries), 2) == [LOGIN[0], other, *LOGIN[1:]]
    assert last(reversed(entries), 9) == entries


def test_a_line_as_it_comes() -> None:
    assert PLAIN.line(LOGIN[1]) == "2026-11-24 09:00:01.012  AB23CD  password of alice is right  (11.8 ms)"
    stopped = record(0, "daemon.stopped", "aad has stopped", login="")
    assert PLAIN.line(stopped) == "2026-11-24 09:00:01.000  -       aad has stopped"


def test_colours_are_for_terminals() -> None:
    painted = Telling(colours=True, zone=UTC)
    lines = "\n".join(painted.story(Story(LOGIN)))
    assert "\x1b[32maccepted after 21.4 s\x1b[0m" in lines
    for code in ("0", "1", "2", "31", "32", "33"):
        lines = lines.replace(f"\x1b[{code}m", "")
    assert lines == "\n".join(PLAIN.story(Story(LOGIN)))
    warning = Entry(START, 3, "fault", "a fault of aad itself", {})
    assert "\x1b[31ma fault" in painted.single(warning)


def test_what_a_stranger_wrote_to_the_journal_moves_no_cursor() -> None:
    forged = entry({"priority": "x", "event": "login.accepted", "message": "\x1b[2Jall is well", "user": "a\nb"}, 1.0)
    assert forged.message == "\\x1b[2Jall is well"
    assert forged.fields["user"] == "a\\x0ab"
    assert forged.priority == 6


def test_json_has_the_fields_of_the_contract() -> None:
    assert json.loads(LOGIN[1].as_json()) == {
        "time": START + 0.012,
        "priority": 6,
        "event": "password.accepted",
        "message": "password of alice is right",
        "login": "AB23CD",
        "user": "alice",
        "client": "gw",
        "login_event": "vpn",
        "ms": "11.8",
    }


def test_what_is_wanted() -> None:
    assert Wanted().fits(LOGIN[0])
    assert Wanted(login="ab23cd", user="ALICE", client="gw", login_event="vpn").fits(LOGIN[0])
    assert not Wanted(login="AB23CE").fits(LOGIN[0])
    assert not Wanted(client="GW").fits(LOGIN[0])
    assert not Wanted(user="alice").fits(Entry(0.0, 6, "daemon.stopped", "aad has stopped"))
