"""What a RADIUS client may rely on, seen from outside, on the real daemon."""

from __future__ import annotations

import os
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from aad.radius.protocol import constants
from aad.radius.protocol.constants import ACCESS_ACCEPT, ACCESS_CHALLENGE, ACCESS_REJECT
from tests.parts.alice import RIGHT, code, state
from tests.parts.authority import Authority
from tests.parts.corp import Make, repository, sender
from tests.parts.daemon import HEAD, SECRET, Daemon
from tests.parts.directory import Directory
from tests.parts.freeradius import FreeradiusProxy
from tests.parts.mailbox import Mailbox
from tests.parts.radclient import Radclient
from tests.parts.raw import Raw, Request
from tests.parts.waiting import until


def test_what_a_challenge_holds(daemon: Daemon, mailbox: Mailbox) -> None:
    with Raw(daemon.host, daemon.port) as client:
        reply = client.ask("alice", RIGHT, (constants.PROXY_STATE, b"one"), (constants.PROXY_STATE, b"two"))
    kinds = [kind for kind, _ in reply.attributes]
    assert kinds[0] == constants.MESSAGE_AUTHENTICATOR
    assert (
        kinds.count(constants.STATE)
        == kinds.count(constants.REPLY_MESSAGE)
        == kinds.count(constants.SESSION_TIMEOUT)
        == 1
    )
    assert 16 <= len(state(reply)[1]) <= 64
    assert int.from_bytes(reply.first(constants.SESSION_TIMEOUT) or b"") in range(110, 121)
    assert reply.every(constants.PROXY_STATE) == [b"one", b"two"]


def test_the_same_octets_get_the_same_reply_from_any_port(daemon: Daemon, mailbox: Mailbox) -> None:
    request = Request("alice", RIGHT)
    with Raw(daemon.host, daemon.port) as one, Raw(daemon.host, daemon.port) as other:
        replies = []
        for client in (one, one, other):
            client.send(request.octets)
            replies.append(client.receive())
    assert replies[0] == replies[1] == replies[2]
    assert len(mailbox.messages) == 1
    assert len(daemon.records("login.started")) == 1


def test_a_repetition_while_the_directory_is_slow_is_dropped(
    daemon: Daemon, mailbox: Mailbox, directory: Directory
) -> None:
    request = Request("alice", RIGHT)
    with Raw(daemon.host, daemon.port) as client, Raw(daemon.host, daemon.port) as other:
        directory.pause()
        client.send(request.octets)
        until(lambda: daemon.records("login.started"))
        other.send(request.octets)
        directory.resume()
        request.reply(other.receive())  # where it was asked for last
        assert client.silent(0.2)
    assert len(mailbox.messages) == 1


def test_a_new_authenticator_while_the_directory_is_slow_is_one_login(
    daemon: Daemon, mailbox: Mailbox, directory: Directory
) -> None:
    requests = [Request("alice", RIGHT, identifier=7) for _ in range(3)]
    clients = [Raw(daemon.host, daemon.port) for _ in requests]
    directory.pause()
    for client, request in zip(clients, requests, strict=True):
        client.send(request.octets)
    until(lambda: daemon.records("login.started"))
    directory.resume()
    replies = [request.reply(client.receive()) for client, request in zip(clients, requests, strict=True)]
    assert {reply.code for reply in replies} == {ACCESS_CHALLENGE}
    assert len({state(reply) for reply in replies}) == 1
    assert clients[2].ask("alice", code(mailbox), state(replies[2])).code == ACCESS_ACCEPT
    assert len(mailbox.messages) == 1
    assert len(daemon.records("login.accepted")) == 1
    for client in clients:
        client.stop()


def test_begun_again_the_login_is_the_same(daemon: Daemon, mailbox: Mailbox) -> None:
    with Raw(daemon.host, daemon.port) as client:
        replies = [client.ask("alice", RIGHT) for _ in range(3)]
        assert len({state(reply) for reply in replies}) == 1
        assert client.ask("alice", code(mailbox), state(replies[0])).code == ACCESS_ACCEPT
    assert len(mailbox.messages) == 1


def test_fifty_right_answers_at_once_are_one_accept(daemon: Daemon, mailbox: Mailbox) -> None:
    with Raw(daemon.host, daemon.port) as client:
        given = state(client.ask("alice", RIGHT))
    typed = code(mailbox)

    def answer(_: int) -> int:
        with Raw(daemon.host, daemon.port) as client:
            return client.ask("alice", typed, given).code

    with ThreadPoolExecutor(50) as pool:
        codes = list(pool.map(answer, range(50)))
    assert codes.count(ACCESS_ACCEPT) == 1
    assert codes.count(ACCESS_REJECT) == 49


def test_after_kill_9_the_answer_is_accepted_once(daemon: Daemon, mailbox: Mailbox) -> None:
    with Raw(daemon.host, daemon.port) as client:
        given, typed = state(client.ask("alice", RIGHT)), code(mailbox)
        daemon.kill()
        daemon.start()
        assert client.ask("alice", typed, given).code == ACCESS_ACCEPT
        assert client.ask("alice", typed, given).code == ACCESS_REJECT


@pytest.mark.parametrize("states", [[b""], [b"x" * 32], [b"a" * 32, b"b" * 32]], ids=["empty", "unknown", "doubled"])
def test_a_state_that_is_none_is_refused(daemon: Daemon, mailbox: Mailbox, states: list[bytes]) -> None:
    with Raw(daemon.host, daemon.port) as client:
        assert client.ask("alice", RIGHT, *((constants.STATE, each) for each in states)).code == ACCESS_REJECT
    assert not mailbox.messages


def test_refusals_are_all_the_same(daemon: Daemon, mailbox: Mailbox) -> None:
    tries = [
        ("nobody", "x"),
        ("alice", "wrong"),
        ("alice", ""),
        ("carol", "no address"),
        ("twin", "first"),
        ("", RIGHT),
    ]
    with Raw(daemon.host, daemon.port) as client:
        replies = [client.ask(*each) for each in tries]
    assert {reply.code for reply in replies} == {ACCESS_REJECT}
    assert {tuple(reply.attributes[1:]) for reply in replies} == {((constants.REPLY_MESSAGE, b"Login failed."),)}
    reasons = [record["reason"] for record in daemon.records("login.rejected")]
    assert len(set(reasons)) == len(tries)
    assert not mailbox.messages


@pytest.mark.parametrize("typed", [b"cor\xffrect horse", b"correct horse\0x", b"\xef\xbd\x83orrect horse", b"x" * 128])
def test_a_password_is_its_octets(daemon: Daemon, typed: bytes) -> None:
    with Raw(daemon.host, daemon.port) as client:
        assert client.ask("alice", typed).code == ACCESS_REJECT
    assert daemon.records("login.rejected")[0]["reason"] == "wrong password"


def test_of_several_addresses_the_first_that_is_one(daemon: Daemon, mailbox: Mailbox) -> None:
    with Raw(daemon.host, daemon.port) as client:
        assert client.ask("bob", "battery staple").code == ACCESS_CHALLENGE
    assert mailbox.wait("bob@example.com").recipients == ("bob@example.com",)


def test_status_server(daemon: Daemon) -> None:
    with Radclient(daemon.host, daemon.port, SECRET) as radclient:
        assert radclient.send("status", []).code == "Access-Accept"


def test_without_message_authenticator_the_log_says_what_to_do(daemon: Daemon) -> None:
    with Radclient(daemon.host, daemon.port, SECRET, message_authenticator=False, timeout=0.5, retries=2) as radclient:
        assert not radclient.login("alice", RIGHT, lambda _: "").accepted
    (record,) = daemon.records("request.discarded")
    assert "no Message-Authenticator" in record["reason"]
    assert "require_message_authenticator = false" in record["reason"]
    assert record["client"] == "gateway"


def test_a_wrong_secret_gets_silence_and_one_record(daemon: Daemon) -> None:
    with Raw(daemon.host, daemon.port) as client:
        for _ in range(10):
            client.send(Request("alice", RIGHT, secret="not the secret of anybody").octets)
        assert client.silent(0.3)
    assert len(daemon.records("request.discarded")) == 1


@pytest.mark.parametrize(("listen", "asked"), [("0.0.0.0", "127.0.0.7"), ("[::]", "::1"), ("[::]", "127.0.0.7")])
def test_a_reply_leaves_from_the_address_that_was_asked(
    tmp_path: Path, directory: Directory, mailbox: Mailbox, authority: Authority, listen: str, asked: str
) -> None:
    head = HEAD.replace("{host}", listen)
    daemon = Daemon(tmp_path / "aad", repository(directory) + sender(mailbox.port, authority), head=head)
    with daemon, Raw(asked, daemon.port) as client:
        assert client.ask("alice", RIGHT).code == ACCESS_CHALLENGE
        assert client.replied_from == asked


def test_two_daemons_don_t_share_a_port(daemon: Daemon) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as second:
        second.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        with pytest.raises(OSError, match="in use"):
            second.bind((daemon.host, daemon.port))


@pytest.mark.parametrize("window", [1, 20])
def test_freeradius_as_a_proxy(
    tmp_path: Path, daemon: Daemon, mailbox: Mailbox, directory: Directory, window: int
) -> None:
    folder = tmp_path / "proxy"
    folder.mkdir()
    with (
        FreeradiusProxy(folder, daemon.host, daemon.port, SECRET, "a secret of the proxy", window) as proxy,
        Radclient(proxy.host, proxy.port, "a secret of the proxy") as radclient,
    ):
        result = radclient.login("alice", RIGHT, lambda _: code(mailbox))
        assert result.accepted, result.transcript
        assert "a***@e***.com" in result.prompts[0]
        assert not radclient.login("alice", "wrong", lambda _: "").accepted
        reply = radclient.send(
            "auth", ['User-Name = "bob"', 'User-Password = "battery staple"', "Proxy-State = 0x010200ff"]
        )
        assert reply.code == "Access-Challenge"
        assert reply.attributes["Proxy-State"] == ["0x010200ff"]
        assert {"State", "Reply-Message", "Session-Timeout"} <= set(reply.attributes)
    assert len(mailbox.messages) == 2


def test_the_corpus(daemon: Daemon) -> None:
    """Whatever others made, the daemon stays alive and says nothing out of turn."""
    if "AAD_CORPUS" not in os.environ:
        pytest.skip("AAD_CORPUS names no corpus")
    with Raw(daemon.host, daemon.port) as client:
        for file in sorted(Path(os.environ["AAD_CORPUS"]).rglob("*.bin")):
            client.send(file.read_bytes())
        assert client.ask("alice", RIGHT).code == ACCESS_CHALLENGE
    assert not daemon.records("fault")


def test_a_login_over_an_unsigned_client(make: Make, mailbox: Mailbox) -> None:
    daemon = make(client="require_message_authenticator = false")
    with Radclient(daemon.host, daemon.port, SECRET, message_authenticator=False) as radclient:
        assert radclient.login("alice", RIGHT, lambda _: code(mailbox)).accepted
        reply = radclient.send("auth", ['User-Name = "alice"', f'User-Password = "{RIGHT}"', "Proxy-State = 0x00"])
        assert not reply.code  # CVE-2024-3596
