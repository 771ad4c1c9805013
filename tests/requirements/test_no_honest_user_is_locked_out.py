"""Requirements 13, 16 and 17: repetitions, a second node, Status-Server; each seen from outside."""

from __future__ import annotations

import time

import pytest

from aad.radius.protocol import constants
from aad.radius.protocol.constants import ACCESS_ACCEPT, ACCESS_CHALLENGE, ACCESS_REJECT
from tests.parts.alice import RIGHT, code, state
from tests.parts.corp import Make
from tests.parts.daemon import Daemon
from tests.parts.directory import Directory
from tests.parts.mailbox import Mailbox
from tests.parts.raw import Raw, Request, status_server
from tests.parts.stopwatch import Stopwatch
from tests.parts.waiting import until
from tests.requirements.beside import again, ask_status, kinds

KEPT = 29.5  # seconds; 30 are promised


def binds(directory: Directory, name: str) -> int:
    lines = directory.log().splitlines()
    return sum("BIND" in line and f'dn="uid={name},' in line and "method=128" in line for line in lines)


@pytest.mark.also("two workers, valkey")
@pytest.mark.parametrize("typed", [RIGHT, "wrong"])
def test_13_duplicates_get_the_stored_reply_whatever_the_port(
    daemon: Daemon, mailbox: Mailbox, directory: Directory, typed: str
) -> None:
    request, before = Request("alice", typed), binds(directory, "alice")
    with Raw(daemon.host, daemon.port) as one, Raw(daemon.host, daemon.port) as other:
        first = again(one, request)
        assert request.reply(first).code == (ACCESS_CHALLENGE if typed == RIGHT else ACCESS_REJECT)
        assert [again(client, request) for client in (one, other, other, one)] == [first] * 4
        # Four refusals would lock her out; one doesn't.
        assert one.ask("alice", RIGHT).code == ACCESS_CHALLENGE
    assert len(mailbox.messages) == 1
    assert binds(directory, "alice") - before == len(daemon.records("login.started")) == 2


@pytest.mark.also("two workers, valkey")
def test_13_duplicates_of_the_answer_are_accepted_again(daemon: Daemon, mailbox: Mailbox) -> None:
    with Raw(daemon.host, daemon.port) as one, Raw(daemon.host, daemon.port) as other:
        given = state(one.ask("alice", RIGHT))
        request = Request("alice", code(mailbox), given)
        first = again(one, request)
        assert request.reply(first).code == ACCESS_ACCEPT
        assert again(other, request) == again(one, request) == first
    assert len(daemon.records("login.accepted")) == 1


@pytest.mark.also("two workers, valkey")
def test_13_duplicates_get_silence_while_the_first_is_at_work(
    daemon: Daemon, mailbox: Mailbox, directory: Directory
) -> None:
    request, before = Request("alice", RIGHT), binds(directory, "alice")
    with Raw(daemon.host, daemon.port) as one, Raw(daemon.host, daemon.port) as other:
        directory.pause()
        one.send(request.octets)
        until(lambda: daemon.records("login.started"))
        one.send(request.octets)
        other.send(request.octets)
        assert one.silent(0.2)
        directory.resume()
        assert request.reply(other.receive()).code == ACCESS_CHALLENGE  # where it was asked for last
        assert one.silent(0.2)
        assert other.silent(0.2)
    assert len(mailbox.messages) == 1
    assert binds(directory, "alice") - before == len(daemon.records("login.started")) == 1


def test_13_duplicates_are_known_for_30_seconds(daemon: Daemon, mailbox: Mailbox) -> None:
    request = Request("alice", RIGHT)
    with Raw(daemon.host, daemon.port) as client, Raw(daemon.host, daemon.port, timeout=0.1) as busy:
        sent = time.monotonic()
        first = again(client, request)
        while (left := sent + KEPT - time.monotonic()) > 0:  # nothing can be awaited but the time itself
            ask_status(busy)
            busy.silent(min(left, 1.0))
        assert again(client, request) == first
    assert len(daemon.records("login.started")) == len(mailbox.messages) == 1


@pytest.mark.also("two workers, valkey")
def test_13_another_authenticator_on_the_same_identifier_is_a_new_request(daemon: Daemon, mailbox: Mailbox) -> None:
    with Raw(daemon.host, daemon.port) as client:
        requests = [Request("alice", RIGHT, identifier=7) for _ in range(3)]
        requests.append(Request("user01", "pw-01", identifier=7))
        replies = [request.reply(again(client, request)) for request in requests]
        assert {reply.code for reply in replies} == {ACCESS_CHALLENGE}
        assert len(daemon.records("login.started")) == 4
        assert len({state(reply) for reply in replies[:3]}) == 1
        assert state(replies[3]) != state(replies[0])
        assert [letter.recipients[0][:6] for letter in mailbox.messages] == ["alice@", "user01"]
        assert client.ask("alice", code(mailbox), state(replies[2])).code == ACCESS_ACCEPT  # the code is the same


def test_13_duplicates_with_a_bad_message_authenticator_do_not_touch_the_cache(
    daemon: Daemon, mailbox: Mailbox, directory: Directory
) -> None:
    request = Request("alice", RIGHT)
    at = 37  # the last octet of Message-Authenticator, which stands first
    forged = request.octets[:at] + bytes((request.octets[at] ^ 1,)) + request.octets[at + 1 :]
    with Raw(daemon.host, daemon.port) as client, Raw(daemon.host, daemon.port) as stranger:
        stranger.send(forged)
        assert stranger.silent(0.1)
        directory.pause()
        client.send(request.octets)
        until(lambda: daemon.records("login.started"))
        stranger.send(forged)
        ask_status(client)  # so the forged one has been read
        directory.resume()
        first = client.receive()
        assert request.reply(first).code == ACCESS_CHALLENGE
        stranger.send(forged)
        assert stranger.silent(0.2)
        assert again(client, request) == first
    assert len(daemon.records("login.started")) == len(mailbox.messages) == 1


def test_16_the_answer_at_a_node_without_the_login_is_a_clean_reject(make: Make, mailbox: Mailbox) -> None:
    one, two = make(), make()
    with Raw(one.host, one.port) as first, Raw(two.host, two.port) as second:
        given = state(first.ask("alice", RIGHT))
        typed = code(mailbox)
        for _ in range(4):
            reply = second.ask("alice", typed, given)
            assert reply.code == ACCESS_REJECT
            assert kinds(reply) == [constants.MESSAGE_AUTHENTICATOR, constants.REPLY_MESSAGE]
        assert second.ask("alice", "", given).code == ACCESS_REJECT
        assert len(mailbox.messages) == 1
        assert not two.records("login.started")
        assert first.ask("alice", typed, given).code == ACCESS_ACCEPT
        assert second.ask("alice", RIGHT).code == ACCESS_CHALLENGE  # nor is she locked out there


def test_17_status_server_is_accepted_at_once(daemon: Daemon, directory: Directory) -> None:
    directory.pause()
    took = []
    with Raw(daemon.host, daemon.port) as client:
        client.send(Request("alice", RIGHT).octets)
        for _ in range(5):
            watch = Stopwatch(daemon.child.pid)
            reply = ask_status(client, (constants.PROXY_STATE, b"\0\xff"), (constants.NAS_IDENTIFIER, b"probe"))
            took.append(watch.seconds)
            assert reply.code == ACCESS_ACCEPT
            assert kinds(reply) == [constants.MESSAGE_AUTHENTICATOR, constants.PROXY_STATE]
    assert min(took) < 0.1
    assert max(took) < 0.5
    directory.resume()


@pytest.mark.parametrize("required", ["true", "false"])
def test_17_status_server_with_a_bad_or_no_message_authenticator_gets_silence(make: Make, required: str) -> None:
    daemon = make(client=f"require_message_authenticator = {required}")
    good, _ = status_server()
    bare = good[:2] + (20).to_bytes(2, "big") + good[4:20]
    bad, _ = status_server(secret="not the secret of anybody")
    with Raw(daemon.host, daemon.port) as client:
        for datagram in (bare, bad, good[:-1] + bytes((good[-1] ^ 1,))):
            client.send(datagram)
        assert client.silent(0.3)
        assert ask_status(client).code == ACCESS_ACCEPT
