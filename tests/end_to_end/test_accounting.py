"""Sessions, as real NASes account for them, found under the login they belong to."""

from __future__ import annotations

from pathlib import Path

import pytest

from aad.radius.protocol import client_packets, constants
from aad.radius.protocol.constants import ACCESS_ACCEPT, ACCESS_CHALLENGE, ACCESS_REJECT
from tests.parts.accounting import ALICE, SESSION, START, STOP, accounting_request, answers, number
from tests.parts.corp import Make
from tests.parts.daemon import HEAD, SECRET, Daemon
from tests.parts.freeradius import FreeradiusProxy
from tests.parts.mailbox import Mailbox, code_in
from tests.parts.ports import free_port
from tests.parts.radclient import Radclient
from tests.parts.raw import Raw
from tests.parts.warm import aad

RIGHT = "correct horse"
Accounting = tuple[Daemon, int]


@pytest.fixture
def accounting(make: Make) -> Accounting:
    """Return a daemon that accounts, and the port where it does."""
    port = free_port("udp")
    listen = f'accounting_listen = ["127.0.0.1:{port}"]'
    return make(head=HEAD.replace("reject_delay", f"{listen}\nreject_delay")), port


def accepted(daemon: Daemon, mailbox: Mailbox) -> client_packets.Reply:
    with Raw(daemon.host, daemon.port) as client:
        asked = client.ask("alice", RIGHT)
        assert asked.code == ACCESS_CHALLENGE
        assert not asked.every(constants.CLASS)
        state = asked.first(constants.STATE)
        assert state is not None
        reply = client.ask("alice", code_in(mailbox.wait("alice@example.com")), (constants.STATE, state))
    assert reply.code == ACCESS_ACCEPT
    return reply


def test_a_session_has_the_reference_of_its_login(accounting: Accounting, mailbox: Mailbox) -> None:
    daemon, port = accounting
    (mark,) = accepted(daemon, mailbox).every(constants.CLASS)
    (login,) = daemon.records("login.accepted")
    same = ['User-Name = "alice"', 'Acct-Session-Id = "5EA1"', f"Class = 0x{mark.hex()}"]
    with Radclient(daemon.host, port, SECRET) as nas:
        for status, *rest in (
            ("Start", "Framed-IP-Address = 10.8.0.6", 'Calling-Station-Id = "198.51.100.7"'),
            ("Interim-Update", "Acct-Session-Time = 60", "Acct-Input-Octets = 1000"),
            ("Stop", "Acct-Session-Time = 90", "Acct-Output-Gigawords = 1", "Acct-Output-Octets = 1"),
        ):
            reply = nas.send("acct", [f"Acct-Status-Type = {status}", *same, *rest, "Proxy-State = 0x0102"])
            assert reply.code == "Accounting-Response", reply.raw
            assert reply.attributes == {"Proxy-State": ["0x0102"]}
    sessions = daemon.records("session.started", "session.updated", "session.stopped")
    assert [record["event"] for record in sessions] == ["session.started", "session.updated", "session.stopped"]
    assert {(record["login"], record["session"], record["client"]) for record in sessions} == {
        (login["login"], "5EA1", "gateway")
    }
    assert sessions[0]["address"] == "10.8.0.6"
    assert sessions[2]["octets_out"] == str(2**32 + 1)
    log = daemon.folder / "daemon-1.log"
    told = aad("log", "-c", daemon.file, "--file", log, "--login", login["login"]).stdout.splitlines()
    assert "accepted after" in told[0]
    assert "session of alice at gateway begins  (session=5EA1, address=10.8.0.6" in told[-3]
    assert "session of alice at gateway ends after 90 s" in told[-1]


def test_a_reject_has_no_class(accounting: Accounting) -> None:
    daemon, _ = accounting
    with Raw(daemon.host, daemon.port) as client:
        reply = client.ask("alice", "wrong")
    assert reply.code == ACCESS_REJECT
    assert {kind for kind, _ in reply.attributes} == {constants.MESSAGE_AUTHENTICATOR, constants.REPLY_MESSAGE}


def test_without_accounting_there_is_no_class(daemon: Daemon, mailbox: Mailbox) -> None:
    assert not accepted(daemon, mailbox).every(constants.CLASS)


def test_a_nas_that_starts_and_goes_down(accounting: Accounting) -> None:
    daemon, port = accounting
    with Radclient(daemon.host, port, SECRET) as nas:
        for status in ("Accounting-On", "Accounting-Off"):
            given = [f"Acct-Status-Type = {status}", 'NAS-Identifier = "gw-1"', "Acct-Session-Id = 0"]
            assert nas.send("acct", given).code == "Accounting-Response"
        assert nas.send("status", []).code == "Accounting-Response"
    assert [(record["event"], record["nas"]) for record in daemon.records("nas.on", "nas.off")] == [
        ("nas.on", "gw-1"),
        ("nas.off", "gw-1"),
    ]


def test_a_wrong_secret_gets_no_answer_and_is_said(accounting: Accounting) -> None:
    daemon, port = accounting
    with Radclient(daemon.host, port, "another secret than ours", timeout=0.5) as nas:
        assert not nas.send("acct", ["Acct-Status-Type = Start", 'User-Name = "alice"']).code
    (discarded,) = daemon.records("request.discarded")
    assert "wrong Request Authenticator" in discarded["reason"]
    assert not daemon.records("session.started")


def test_a_nas_that_asks_again_as_openvpn_auth_radius_does(accounting: Accounting) -> None:
    """Same identifier, each time from a new port; without an answer it drops the user whom we let in."""
    daemon, port = accounting
    framed = (
        (constants.SERVICE_TYPE, bytes((0, 0, 0, 5))),
        (7, bytes((0, 0, 0, 1))),
        (constants.NAS_PORT, bytes((0, 0, 0, 1))),
    )
    request = accounting_request(ALICE, *framed, START, SESSION, identifier=3)
    responses = []
    for _ in range(3):
        with Raw(daemon.host, port) as nas:
            nas.send(request)
            responses.append(nas.receive())
            assert nas.replied_from == daemon.host
    assert answers(responses[0], request)
    assert responses[0] == responses[1] == responses[2]
    assert len(daemon.records("session.started")) == 1
    stop = accounting_request(ALICE, *framed, STOP, SESSION, number(constants.ACCT_SESSION_TIME, 5), identifier=3)
    with Raw(daemon.host, port) as nas:
        nas.send(stop)
        assert answers(nas.receive(), stop)


def test_freeradius_passes_reports_on(accounting: Accounting, tmp_path: Path) -> None:
    daemon, port = accounting
    folder = tmp_path / "proxy"
    with (
        FreeradiusProxy(
            folder, daemon.host, daemon.port, SECRET, "a secret of the proxy", accounting_port=port
        ) as proxy,
        Radclient(proxy.host, proxy.accounting_port, "a secret of the proxy") as nas,
    ):
        for status in ("Start", "Stop"):
            given = [f"Acct-Status-Type = {status}", 'User-Name = "bob"', 'Acct-Session-Id = "7"']
            reply = nas.send("acct", given)
            assert reply.code == "Accounting-Response", reply.raw + proxy.log()
    assert [record["user"] for record in daemon.records("session.started", "session.stopped")] == ["bob", "bob"]


def test_a_reload_exchanges_the_clients_of_accounting_too(accounting: Accounting) -> None:
    daemon, port = accounting
    text = daemon.file.read_text()
    daemon.file.write_text(text.replace(SECRET, "a secret that is new here", 1))
    daemon.reload()
    for secret, code in ((SECRET, ""), ("a secret that is new here", "Accounting-Response")):
        with Radclient(daemon.host, port, secret, timeout=0.5) as nas:
            assert nas.send("acct", ["Acct-Status-Type = Start", 'User-Name = "alice"']).code == code
