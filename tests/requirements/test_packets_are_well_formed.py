"""Requirements 20 to 23: what goes back to a client, octet by octet, and from where."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from aad.radius.protocol import client_packets, constants
from aad.radius.protocol.constants import ACCESS_ACCEPT, ACCESS_CHALLENGE, ACCESS_REJECT
from aad.radius.protocol.wire import Attribute, split
from tests.parts.alice import RIGHT, code, state
from tests.parts.corp import Make
from tests.parts.daemon import HEAD, SECRET, Daemon
from tests.parts.freeradius import FreeradiusProxy
from tests.parts.mailbox import Mailbox
from tests.parts.radclient import Radclient
from tests.parts.raw import Raw, Request
from tests.requirements.beside import ask_status, kinds

LARGEST = 4096
PROXY_STATES = [b"one", b"\0\xff\0", b"one", b"z" * 253, b"Z"]
UNKNOWN_TYPE, EXTENDED = 200, 245
LONG = {"two octets": "é", "three octets": "€", "four octets": "🔑", "mixed": "a€é🔑", "ASCII": "x"}
NOBODY = """
repositories = ["none"]
[repositories.none]
type = "file"
path = "{folder}/users"
[senders.mail]
host = "127.0.0.1"
sender_email = "noreply@example.com"
"""


def interleaved() -> list[Attribute]:
    """Return the Proxy-States with other attributes between them."""
    return [
        each for value in PROXY_STATES for each in ((constants.PROXY_STATE, value), (constants.NAS_IDENTIFIER, b"x"))
    ]


def test_20_proxy_state_comes_back_unmodified_and_in_order(daemon: Daemon, mailbox: Mailbox) -> None:
    def twice(request: Request, expected: int) -> client_packets.Reply:
        client.send(request.octets)
        first = client.receive()
        client.send(request.octets)
        assert client.receive() == first
        reply = request.reply(first)
        assert reply.code == expected
        assert reply.every(constants.PROXY_STATE) == PROXY_STATES
        assert kinds(reply)[0] == constants.MESSAGE_AUTHENTICATOR
        return reply

    with Raw(daemon.host, daemon.port) as client:
        challenge = twice(Request("alice", RIGHT, *interleaved()), ACCESS_CHALLENGE)
        twice(Request("alice", "00000", *interleaved(), state(challenge)), ACCESS_CHALLENGE)
        twice(Request("alice", "wrong", *interleaved()), ACCESS_REJECT)
        again = client.ask("alice", RIGHT)
        twice(Request("alice", code(mailbox), *interleaved(), state(again)), ACCESS_ACCEPT)
        assert ask_status(client, *interleaved()).every(constants.PROXY_STATE) == PROXY_STATES


def test_20_proxy_state_comes_back_through_a_proxy(tmp_path: Path, daemon: Daemon, mailbox: Mailbox) -> None:
    given = ["0x00ff0102", "0x6f6e65", "0x00"]
    with (
        FreeradiusProxy(tmp_path / "proxy", daemon.host, daemon.port, SECRET, "a secret of the proxy") as proxy,
        Radclient(proxy.host, proxy.port, "a secret of the proxy") as radclient,
    ):
        lines = [f"Proxy-State = {value}" for value in given]
        sent = ['User-Name = "alice"', f'User-Password = "{RIGHT}"', *lines]
        challenge = radclient.send("auth", sent)
        assert challenge.code == "Access-Challenge"
        assert challenge.attributes["Proxy-State"] == given
        wrong = radclient.send("auth", ['User-Name = "alice"', 'User-Password = "wrong"', *lines])
        assert (wrong.code, wrong.attributes["Proxy-State"]) == ("Access-Reject", given)
        sent[1] = f'User-Password = "{code(mailbox)}"'
        accept = radclient.send("auth", [*sent, f"State = {challenge.attributes['State'][0]}"])
        assert (accept.code, accept.attributes["Proxy-State"]) == ("Access-Accept", given)


def test_21_padding_is_ignored(daemon: Daemon, mailbox: Mailbox) -> None:
    with Raw(daemon.host, daemon.port) as client:
        request, replies = Request("alice", RIGHT), []
        for padding in (b"\0", b"\x01\x02" * 50, b"", secrets.token_bytes(4200)):
            client.send(request.octets + padding)
            replies.append(client.receive())
        assert request.reply(replies[0]).code == ACCESS_CHALLENGE
        assert len(set(replies)) == 1  # it isn't part of the request, so they are duplicates
    assert len(mailbox.messages) == 1


def filled(request: Request, size: int) -> bytes:
    """Return the request with last attributes that make it `size` octets long."""
    attributes = [each for each in split(request.octets)[3] if each[0] != constants.MESSAGE_AUTHENTICATOR]
    while (missing := size - len(request.signed(attributes))) > 0:
        attributes.append((UNKNOWN_TYPE, bytes(min(253, missing - 2) - (2 if 255 < missing < 258 else 0))))
    return request.signed(attributes)


@pytest.mark.parametrize("size", [LARGEST - 1, LARGEST])
def test_21_a_packet_of_4096_octets_is_fine(daemon: Daemon, mailbox: Mailbox, size: int) -> None:
    with Raw(daemon.host, daemon.port) as client:
        request = Request("alice", RIGHT)
        octets = filled(request, size)
        assert len(octets) == size
        client.send(octets)
        assert request.reply(client.receive()).code == ACCESS_CHALLENGE
        client.send(octets + b"padding")
        assert request.reply(client.receive()).code == ACCESS_CHALLENGE


def test_21_unknown_attributes_are_ignored(daemon: Daemon, mailbox: Mailbox) -> None:
    odd = [
        (kind, octets)
        for kind in (UNKNOWN_TYPE, EXTENDED, 255, 26)
        for octets in (b"", b"\0", secrets.token_bytes(253))
    ]
    microsoft = [
        (constants.VENDOR_SPECIFIC, (311).to_bytes(4, "big") + inside) for inside in (b"\xfe\x03x", b"\x01\xff")
    ]
    with Raw(daemon.host, daemon.port) as client:
        reply = client.ask("alice", RIGHT, *odd, *microsoft)
        assert reply.code == ACCESS_CHALLENGE
        assert client.ask("alice", code(mailbox), *odd, state(reply)).code == ACCESS_ACCEPT


def test_21_more_than_200_attributes_are_discarded(daemon: Daemon, mailbox: Mailbox) -> None:
    before = 3  # User-Name, User-Password, Message-Authenticator
    with Raw(daemon.host, daemon.port) as client:
        client.send(Request("alice", RIGHT, *[(UNKNOWN_TYPE, b"")] * (201 - before)).octets)
        assert client.silent(0.3)
        assert client.ask("alice", RIGHT, *[(UNKNOWN_TYPE, b"")] * (200 - before)).code == ACCESS_CHALLENGE
    assert len(daemon.records("request.discarded")) == len(daemon.records("login.started")) == 1


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_22_a_challenge_has_one_state_and_one_short_text(make: Make, mailbox: Mailbox, text: str) -> None:
    prompt = f"{text * 300}{{recipient}}"
    daemon = make(f'[methods.email_otp]\nprompt = "ab{prompt}"\nwrong_prompt = "cd{prompt}"\n')
    with Raw(daemon.host, daemon.port) as client:
        first = client.ask("alice", RIGHT)
        second = client.ask("alice", "00000", state(first))
    for reply, start in ((first, "ab"), (second, "cd")):
        assert reply.code == ACCESS_CHALLENGE
        assert kinds(reply).count(constants.STATE) == kinds(reply).count(constants.REPLY_MESSAGE) == 1
        assert 16 <= len(state(reply)[1]) <= 64
        shown = reply.first(constants.REPLY_MESSAGE) or b""
        assert 247 <= len(shown) <= 250
        assert (start + prompt).startswith(shown.decode())  # whole characters


def test_22_a_state_is_random_in_16_octets_at_least(daemon: Daemon, mailbox: Mailbox) -> None:
    with Raw(daemon.host, daemon.port) as client:
        states = [state(client.ask(f"user{number:02}", f"pw-{number:02}"))[1] for number in range(16)]
    decoded = [base64.urlsafe_b64decode(each) for each in states]
    # Where 16 random octets stand, all the same is as likely as 2 to the power of -120.
    assert sum(len(set(column)) > 8 for column in zip(*decoded, strict=True)) >= 16


def test_22_a_reject_holds_nothing_but_its_text(daemon: Daemon, mailbox: Mailbox) -> None:
    proxied = (constants.PROXY_STATE, b"p")
    chap = [
        (constants.CHAP_PASSWORD, bytes(17)),
        (constants.CHAP_CHALLENGE, bytes(16)),
        (constants.USER_NAME, b"alice"),
    ]
    with Raw(daemon.host, daemon.port) as client:
        given = state(client.ask("alice", RIGHT))
        tries = [Request("nobody", "x", proxied), Request("alice", "wrong", proxied), Request("alice", "", proxied)]
        tries += [Request("carol", "no address", proxied), Request("alice", "1", (constants.STATE, b"x" * 32), proxied)]
        tries += [Request("user01", code(mailbox), given, proxied), Request("twin", "first", proxied)]
        datagrams = [request.octets for request in tries]
        tries.append(Request("alice", ""))
        datagrams.append(tries[-1].signed([*chap, proxied]))
        for request, datagram in zip(tries, datagrams, strict=True):
            client.send(datagram)
            reply = request.reply(client.receive())
            assert reply.code == ACCESS_REJECT
            assert kinds(reply) == [constants.MESSAGE_AUTHENTICATOR, constants.REPLY_MESSAGE, constants.PROXY_STATE]


@pytest.fixture
def nobody(tmp_path: Path) -> Iterator[list[Daemon]]:
    """Daemons without users: whoever asks is refused."""
    (tmp_path / "users").touch(mode=0o600)
    running: list[Daemon] = []
    yield running
    for daemon in running:
        daemon.stop()
        assert not daemon.strays()


IPV4 = ["127.0.0.1", "127.0.0.2", "127.9.8.7"]


@pytest.mark.parametrize(
    ("listen", "asked"),
    [
        ('"0.0.0.0:{port}"', IPV4),
        ('"[::]:{port}"', [*IPV4, "::1"]),
        ('"0.0.0.0:{port}", "[::]:{port}"', [*IPV4, "::1"]),
        ('"127.0.0.2:{port}", "127.9.8.7:{port}", "[::1]:{port}"', [*IPV4[1:], "::1"]),
    ],
    ids=["IPv4", "mapped", "both", "each"],
)
def test_23_a_reply_leaves_from_the_address_that_was_asked(
    nobody: list[Daemon], tmp_path: Path, listen: str, asked: list[str]
) -> None:
    head = HEAD.replace('"{host}:{port}"', listen)
    nobody.append(daemon := Daemon(tmp_path / "aad", NOBODY.format(folder=tmp_path), head=head))
    daemon.start()
    for address in asked:
        with Raw(address, daemon.port) as client:
            request = Request("nobody", "x")
            for _ in range(2):  # the second time from memory
                client.send(request.octets)
                assert request.reply(client.receive()).code == ACCESS_REJECT
                assert client.replied_from == address
            assert ask_status(client).code == ACCESS_ACCEPT
            assert client.replied_from == address


def test_23_clients_may_be_networks_and_the_longest_prefix_wins(nobody: list[Daemon], tmp_path: Path) -> None:
    head = HEAD.replace("{host}", "[::]").replace('"127.0.0.0/8", "::1"', '"127.1.0.0/16"')
    rest = NOBODY.format(folder=tmp_path) + "".join(
        f'[clients.{name}]\nnetworks = ["{network}"]\nsecret = "the secret of {name}"\nevent = "vpn"\n'
        for name, network in (("floor", "127.1.2.0/24"), ("desk", "127.1.2.3"), ("six", "::/64"))
    )
    nobody.append(daemon := Daemon(tmp_path / "aad", rest, head=head))
    daemon.start()

    def known(source: str, secret: str, patience: float = 0.3) -> bool:
        host = "::1" if ":" in source else "127.0.0.1"
        with Raw(host, daemon.port, source=source, timeout=patience) as client:
            request = Request("nobody", "x", secret=secret)
            client.send(request.octets)
            try:
                return request.reply(client.receive()).code == ACCESS_REJECT
            except TimeoutError:
                return False

    owners = {"127.1.9.9": SECRET, "127.1.2.9": "the secret of floor", "127.1.2.3": "the secret of desk"}
    owners["::1"] = "the secret of six"
    for source, secret in owners.items():
        assert known(source, secret, 10)
        assert not known(source, "the secret of floor" if secret == SECRET else SECRET)
    assert not known("127.2.0.1", SECRET)
    assert {record["client"] for record in daemon.records("login.rejected")} == {"gateway", "floor", "desk", "six"}
