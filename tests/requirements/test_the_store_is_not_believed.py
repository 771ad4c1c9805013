"""Who can write to the store can't make themselves anybody: requirement 38, over the file of the store and over RADIUS.

Each attack writes into the store around the daemon, as somebody would who got hold of its file, or of the server.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aad.radius.protocol import constants
from aad.radius.protocol.constants import ACCESS_ACCEPT, ACCESS_CHALLENGE, ACCESS_REJECT
from tests.parts.authority import Authority
from tests.parts.daemon import Daemon
from tests.parts.ports import free_port
from tests.parts.raw import Raw
from tests.parts.redis import Redis
from tests.parts.waiting import until
from tests.parts.warm import aad
from tests.portal.conftest import PASSWORD, Place, serving
from tests.portal.visitor import SESSION, Visitor
from tests.requirements.beside import once, only
from tests.requirements.machine import Machine
from tests.requirements.rows import Row, Rows, rows_of

SESSIONS, MARKS = "portal session", "portal sessions' mark"
UNKNOWN = "unknown, expired or used State"
CHANGES = {
    "the user": (b'"bob"', b'"alice"'),
    "the name that was typed": (b'"name": "bob"', b'"name": "alice"'),
    "the repository's name of the user": (b'"handle": "bob"', b'"handle": "alice"'),
    "the chain": (b'["password", "email_otp"]', b'["email_otp", "email_otp"]'),
    "the position": (b'"position": 1', b'"position": 0'),
    "the tries that are left": (b'"attempts": 3', b'"attempts": 999'),
    "the end": (b'"expires": ', b'"expires": 9'),
    "where the code goes": (b"bob@example.com", b"eve@example.com"),
    "the groups": (b'"groups": []', b'"groups": ["admins"]'),
    "the event": (b'"event": "vpn"', b'"event": "portal"'),
    "nothing but a blank": (b'"wrong": false,', b'"wrong": false ,'),
}
ODD = {
    "empty": b"",
    "one octet": b"\x01",
    "an object": b"{}",
    "null": b"null",
    "deep": b"[" * 100_000,
    "random": bytes(range(256)),
    "zeros": bytes(200),
    "huge": b"\x01" + bytes(500_000),  # as large as an answer of Valkey may be; beyond that it is an outage
}
"""What a store may hold. A SQLite file may hold it as text, too, and numbers."""


@pytest.fixture
def place(tmp_path: Path, authority: Authority, machine: Machine) -> Iterator[Place]:
    """Return a daemon with RADIUS and the portal, on the test's machine."""
    yield from serving(tmp_path / "aad", authority.certificate())


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Redis | None:
    """Return the server that keeps the daemon's state; None: a file does."""
    return request.getfixturevalue("redis") if Daemon.valkey else None


@pytest.fixture
def rows(place: Place, server: Redis | None) -> Rows:
    return rows_of(place.daemon, server)


def code(place: Place, name: str, count: int = 1) -> str:
    return place.code(f"{name}@example.com", count)


def begin(place: Place, name: str) -> tuple[bytes, str]:
    """Begin a login, and return its State and its code."""
    count = len(place.mailbox.letters(f"{name}@example.com"))
    with Raw(place.daemon.host, place.daemon.port) as client:
        reply = client.ask(name, PASSWORD)
    assert reply.code == ACCESS_CHALLENGE
    return reply.first(constants.STATE) or b"", code(place, name, count + 1)


def answer(place: Place, name: str, typed: str, ticket: bytes) -> int:
    with Raw(place.daemon.host, place.daemon.port) as client:
        return client.ask(name, typed, (constants.STATE, ticket)).code


def refused(place: Place, name: str, typed: str, ticket: bytes, what: str = "") -> None:
    """Hold that an answer is refused as an unknown State is: in the same octets, and for the same reason.

    `what`: the change that it is about.
    """
    before = len(place.daemon.records("login.rejected"))
    with Raw(place.daemon.host, place.daemon.port) as client:
        replies = [client.ask(name, typed, (constants.STATE, each)) for each in (ticket, secrets.token_bytes(32))]
    assert [reply.code for reply in replies] == [ACCESS_REJECT] * 2, what
    first, second = (
        [each for each in reply.attributes if each[0] != constants.MESSAGE_AUTHENTICATOR] for reply in replies
    )
    assert first == second
    records = until(
        lambda: place.daemon.records("login.rejected")[before + 1 :] and place.daemon.records("login.rejected")
    )
    assert [record["reason"] for record in records[before:]] == [UNKNOWN] * 2, what


def row(rows: Rows, ticket: bytes) -> Row:
    (found,) = (each for each in rows.logins() if each.ticket == ticket)
    return found


def hashed(visitor: Visitor) -> str:
    """Return what a session is kept under."""
    return hashlib.sha256(visitor.cookies[SESSION].encode()).hexdigest()


def signed_out(visitor: Visitor, what: str = "") -> None:
    """Hold that this browser has no session. `what`: the change that it is about."""
    seen = Visitor(visitor.place, dict(visitor.cookies)).get("/")
    assert (seen.status, seen.header("Location")) == (303, "/sign-in"), what


@pytest.mark.also("valkey")
def test_38_a_login_under_another_ticket_is_none(place: Place, rows: Rows) -> None:
    hers, mail = begin(place, "alice")
    his, typed = begin(place, "bob")
    copied = row(rows, his)
    for ticket in (b"A" * 32, b"chosen by whoever can write here", *(secrets.token_bytes(32) for _ in range(5))):
        rows.put(copied.but(ticket=ticket))
        refused(place, "bob", typed, ticket)
    kept = row(rows, hers)
    rows.put(copied.but(ticket=hers, holder=kept.holder))
    refused(place, "bob", typed, hers)
    rows.put(kept)
    assert answer(place, "bob", typed, his) == ACCESS_ACCEPT
    assert answer(place, "alice", mail, hers) == ACCESS_ACCEPT


@pytest.mark.also("valkey")
def test_38_a_login_that_was_changed_is_none(place: Place, rows: Rows) -> None:
    beside, mail = begin(place, "alice")
    his, typed = begin(place, "bob")
    kept = row(rows, his)
    for what, change in CHANGES.items():
        changed = kept.saying(*change)
        name = "alice" if b"alice" in changed.login else "bob"
        for ticket in (his, b"B" * 32):
            rows.put(changed.but(ticket=ticket))
            refused(place, name, typed, ticket, what)
    assert answer(place, "alice", mail, beside) == ACCESS_ACCEPT
    assert len(place.daemon.records("login.accepted")) == 1
    rows.put(kept)
    assert answer(place, "bob", typed, his) == ACCESS_ACCEPT


@pytest.mark.also("valkey")
def test_38_no_octet_of_a_login_may_be_another(place: Place, rows: Rows) -> None:
    his, typed = begin(place, "bob")
    kept = row(rows, his)
    for at in (*range(0, 60, 7), len(kept.login) // 2, len(kept.login) - 1):
        octets = bytearray(kept.login)
        octets[at] ^= 1
        rows.put(kept.but(login=bytes(octets)))
        refused(place, "bob", typed, his)
    rows.put(kept)
    assert answer(place, "bob", typed, his) == ACCESS_ACCEPT


@pytest.mark.also("valkey")
def test_38_a_login_planted_for_another_user_is_not_gone_on_with(place: Place, rows: Rows) -> None:
    """Else whoever planted it would know State and code of the login that the user begins."""
    known, typed = begin(place, "bob")
    hers, _ = begin(place, "alice")
    planted = row(rows, known).saying(b'"bob"', b'"alice"').but(ticket=b"P" * 32, holder=row(rows, hers).holder)
    fresh = re.sub(rb'"fresh_until": [\d.]+', b'"fresh_until": 1e12', planted.login)
    rows.put(planted.but(login=fresh))
    ticket, mail = begin(place, "alice")
    assert ticket != b"P" * 32
    refused(place, "alice", typed, b"P" * 32)
    assert answer(place, "alice", mail, ticket) == ACCESS_ACCEPT


@pytest.mark.also("valkey")
def test_38_an_end_that_the_store_was_told_is_not_the_end(place: Place, rows: Rows, machine: Machine) -> None:
    his, typed = begin(place, "bob")
    visitor = Visitor(place)
    visitor.sign_in("alice")
    rows.put(row(rows, his).but(expires=1e12))
    for kind in (SESSIONS, MARKS):
        for name, value in rows.passing(kind).items():
            rows.hold(kind, name, value)
    machine.step("boot", 120 + 60 + 1)
    refused(place, "bob", typed, his)
    assert visitor.get("/").status == 200  # each of them ends by its own time
    machine.step("boot", 120 + 60 + 1 + 901)
    signed_out(visitor)
    ticket, mail = begin(place, "bob")
    assert answer(place, "bob", mail, ticket) == ACCESS_ACCEPT


@pytest.mark.also("valkey")
def test_38_an_expired_login_is_told_from_none_for_a_minute(place: Place, rows: Rows, machine: Machine) -> None:
    ticket, typed = begin(place, "bob")
    machine.step("boot", 120 + 30)
    assert answer(place, "bob", typed, ticket) == ACCESS_REJECT
    assert until(lambda: place.daemon.records("login.rejected"))[0]["reason"] == "answered too late"


def test_38_a_login_of_before_the_machine_was_started_anew_is_none(
    place: Place, rows: Rows, machine: Machine, server: Redis | None
) -> None:
    """The clock of a file begins anew with the machine, which ends what waited: whoever puts it back gains nothing."""
    if server is not None:
        pytest.skip("a server's clock goes on")
    his, typed = begin(place, "bob")
    machine.step("boot", -500)
    rows.put(row(rows, his))
    refused(place, "bob", typed, his)
    ticket, typed = begin(place, "bob")
    assert answer(place, "bob", typed, ticket) == ACCESS_ACCEPT


@pytest.mark.also("valkey")
def test_38_a_session_under_another_token_is_none(place: Place, rows: Rows) -> None:
    bob, attacker = Visitor(place), Visitor(place, {SESSION: "A" * 44})
    bob.sign_in("bob")
    rows.hold(SESSIONS, hashed(attacker), rows.passing(SESSIONS)[hashed(bob)])
    signed_out(attacker)
    assert "bob" in bob.get("/").words


@pytest.mark.also("valkey")
def test_38_a_session_that_was_changed_is_none(place: Place, rows: Rows) -> None:
    bob, beside = Visitor(place), Visitor(place)
    bob.sign_in("bob")
    beside.sign_in("alice")
    kept = rows.passing(SESSIONS)[hashed(bob)]
    # The mark of whom it then claims to be, so that nothing but its signature is wrong.
    rows.hold(MARKS, "local\0hilda", rows.passing(MARKS)["local\0bob"])
    for what, (old, new) in {
        "the user": (rb'"bob"', b'"hilda"'),
        "its times": (rb"\d+\.\d+, \d+\.\d+", b"1.0, 1e12"),
        "when the user signed in": (rb"\d+\.\d+, ", b"1e5, "),
        "the repository": (rb'"local"', b'"other"'),
        "nothing but a blank": (rb"\]$", b" ]"),
    }.items():
        changed = re.sub(old, new, kept)
        assert changed != kept, what
        rows.hold(SESSIONS, hashed(bob), changed)
        signed_out(bob, what)
    assert "alice" in beside.get("/").words
    rows.hold(SESSIONS, hashed(bob), kept)
    assert "bob" in bob.get("/").words


@pytest.mark.also("valkey")
def test_38_a_session_without_its_mark_is_none(place: Place, rows: Rows) -> None:
    bob = Visitor(place)
    bob.sign_in("bob")
    name, mark = "local\0bob", rows.passing(MARKS)["local\0bob"]
    for value in (None, mark[:-1], mark[-8:], b"", rows.passing(SESSIONS)[hashed(bob)]):
        rows.hold(MARKS, name, value)
        signed_out(bob)
    again = Visitor(place)
    again.sign_in("bob")  # over what is no mark
    assert "bob" in again.get("/").words
    signed_out(bob)


@pytest.mark.also("valkey")
def test_38_what_was_signed_for_one_purpose_is_nothing_for_another(place: Place, rows: Rows) -> None:
    bob, attacker = Visitor(place), Visitor(place, {SESSION: "A" * 44})
    bob.sign_in("bob")
    his, typed = begin(place, "bob")
    login, session = row(rows, his), rows.passing(SESSIONS)[hashed(bob)]
    for value in (login.login, rows.passing(MARKS)["local\0bob"]):
        rows.hold(SESSIONS, hashed(attacker), value)
        signed_out(attacker)
    rows.put(login.but(ticket=hashed(bob).encode(), login=session))
    refused(place, "bob", typed, hashed(bob).encode())
    assert answer(place, "bob", typed, his) == ACCESS_ACCEPT


@pytest.mark.also("valkey")
def test_38_whatever_the_store_holds_nothing_crashes(place: Place, rows: Rows) -> None:
    hers, mail = begin(place, "alice")
    alice, bob = Visitor(place), Visitor(place)
    alice.sign_in("alice")
    bob.sign_in("bob")
    his, typed = begin(place, "bob")
    kept, session, mark = row(rows, his), rows.passing(SESSIONS)[hashed(bob)], rows.passing(MARKS)["local\0bob"]
    values: list[Any] = [*ODD.values(), *(kept.login[:cut] for cut in (1, 33, 48, 49, 50, -1)), kept.login + b" "]
    if not rows.octets_only:
        values += ["text", kept.login.decode("latin-1"), 7, 1.5]
    for value in values:
        rows.put(kept.but(login=value))
        refused(place, "bob", typed, his)
        rows.put(kept.but(login=value))  # the latest of its owner, who begins again
        ticket, code = begin(place, "bob")
        assert answer(place, "bob", code, ticket) == ACCESS_ACCEPT
        for kind, name, right in ((SESSIONS, hashed(bob), session), (MARKS, "local\0bob", mark)):
            rows.hold(kind, name, value)
            signed_out(bob)
            rows.hold(kind, name, right)
        rows.hold("history", "bob", value)
        assert "bob" in bob.get("/").words
    assert answer(place, "alice", mail, hers) == ACCESS_ACCEPT
    assert "alice" in alice.get("/").words


@pytest.mark.also("valkey")
def test_38_what_a_store_calls_a_user_moves_no_cursor_of_root(place: Place, rows: Rows) -> None:
    name = "al\x1b[2Jice\n  mallory"
    for kept in (b'{"count": 1, "since": 0}', b"no row", b"\xff", b"[]", b'{"count": -1}'):
        rows.hold("row", f"codes\0local\0{name}", kept)
        for odd in ("", "codes", "codes\0local", "codes\0local\0bob\0more", "other\0local\0bob"):
            rows.hold("row", odd, kept)
        done = aad("locked", "--all", "-c", place.daemon.file)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("al\\x1b[2Jice\\x0a  mallory (local)  ")
        assert len(done.stdout.splitlines()) == 1


def other_node(place: Place, folder: Path) -> Daemon:
    """Return a node over the same store that has another key."""
    node = Daemon(folder, "")
    text = place.daemon.file.read_text()
    text = text.replace(f":{place.daemon.port}", f":{node.port}").replace(f":{place.port}", f":{free_port()}")
    text = re.sub(r'(?m)^key = \{ file = ".*/installation.key" \}\n', "", text)
    node.file.write_text(text.replace("[store]\n", '[store]\nkey = "the key of another installation"\n'))
    shutil.copy(place.daemon.folder / "users.toml", folder)
    return node


@pytest.mark.also("valkey")
def test_38_a_node_with_another_key_refuses_and_says_so_once(place: Place, rows: Rows, tmp_path: Path) -> None:
    with other_node(place, tmp_path / "other") as node:
        port = int(re.findall(r'listen = \["127.0.0.1:(\d+)"\]', node.file.read_text())[-1])
        there = Place(node, f"https://localhost:{port}", place.mailbox, place.certificate, port)
        for name in ("alice", "bob", "dora"):
            ticket, typed = begin(place, name)
            refused(there, name, typed, ticket)
        visitor = Visitor(place)
        visitor.sign_in("alice")
        signed_out(Visitor(there, dict(visitor.cookies)))
        assert "alice" in visitor.get("/").words
        once(node, "store.foreign")
        reason = node.records("store.foreign")[0]["reason"]
        assert (
            reason
            == "a waiting login is signed with another installation's key: is [store] key the same at every node?"
        )
        for each in (place, there):
            ticket, typed = begin(each, "user01")
            assert answer(each, "user01", typed, ticket) == ACCESS_ACCEPT
        assert not place.daemon.records("store.foreign")
        assert not node.strays()
        assert not node.records("fault")


@pytest.mark.also("valkey")
def test_38_what_strangers_bring_is_unknown_and_no_outage(place: Place, rows: Rows) -> None:
    begin(place, "bob")
    with Raw(place.daemon.host, place.daemon.port) as client:
        for _ in range(100):
            assert client.ask("bob", "123456", (constants.STATE, secrets.token_bytes(32))).code == ACCESS_REJECT
    for _ in range(20):
        signed_out(Visitor(place, {SESSION: secrets.token_urlsafe(32)}))
    assert not place.daemon.records("store.foreign")


@pytest.mark.also("valkey")
def test_38_what_an_older_version_kept_ends_once_and_is_said(place: Place, rows: Rows) -> None:
    bob = Visitor(place)
    bob.sign_in("bob")
    for name in ("alice", "bob"):
        ticket, typed = begin(place, name)
        kept = row(rows, ticket)
        rows.put(kept.but(login=kept.login[kept.login.index(b'{"login"') :]))
        refused(place, name, typed, ticket)
    session = rows.passing(SESSIONS)[hashed(bob)]
    rows.hold(SESSIONS, hashed(bob), session[session.index(b'["bob"') :])
    signed_out(bob)
    until(lambda: place.daemon.records("store.foreign"))
    if place.daemon.workers == 1:
        record = only(place.daemon.records("store.foreign"))
        assert record["reason"].startswith("a waiting login is not signed: ")
    ticket, typed = begin(place, "alice")
    assert answer(place, "alice", typed, ticket) == ACCESS_ACCEPT
    bob.sign_in("bob")
    assert "bob" in bob.get("/").words
