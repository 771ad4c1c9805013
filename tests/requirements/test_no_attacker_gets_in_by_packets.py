"""An attacker does not get in: requirements 4 to 7 and 12, what packets and their attributes can try."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from aad.core.secret import Secret
from aad.radius.protocol import client_packets
from aad.radius.protocol.constants import ACCESS_ACCEPT, ACCESS_CHALLENGE, ACCESS_REJECT
from aad.radius.protocol.wire import microsoft_attribute, split
from tests.parts.alice import RIGHT, code, state
from tests.parts.authority import Authority
from tests.parts.corp import Make, repository, sender
from tests.parts.daemon import HEAD, SECRET, Daemon
from tests.parts.directory import Directory
from tests.parts.mailbox import Mailbox, code_in
from tests.parts.raw import Raw
from tests.parts.waiting import until
from tests.requirements import octets
from tests.requirements.octets import ACCEPT, CHALLENGE, PROXY_STATE, REJECT, SIGNATURE, STATUS, Datagram

ALICE = (octets.USER_NAME, b"alice")
UNSIGNED_CLIENT = "require_message_authenticator = false"
PROXY = (PROXY_STATE, b"a")
TWO_CLIENTS = f"""
[clients.other]
networks = ["127.0.0.9"]
secret = "{SECRET}"
event = "vpn"
"""


@pytest.fixture
def client(daemon: Daemon) -> Iterator[Raw]:
    with Raw(daemon.host, daemon.port) as raw:
        yield raw


def exchange(client: Raw, request: Datagram) -> bytes:
    """Return the reply, with both authenticators verified and Message-Authenticator first."""
    client.send(request.octets)
    reply = client.receive()
    request.verify(reply)
    return reply


def password(*around: octets.Attribute | None) -> Datagram:
    """Return a request with alice's right password where None stands."""
    authenticator = secrets.token_bytes(16)
    hidden = octets.hidden(RIGHT, authenticator)
    return Datagram(*(each or hidden for each in around), authenticator=authenticator)


def forged() -> Datagram:
    """Return a request whose Message-Authenticator is wrong in its last bit."""
    request = password(ALICE, None, SIGNATURE)
    request.octets = request.octets[:-1] + bytes((request.octets[-1] ^ 1,))
    return request


def discarded(daemon: Daemon, client: Raw, requests: list[Datagram], words: str) -> None:
    """Send requests that nobody answers; there is one record of them all."""
    before = len(daemon.records("request.discarded"))
    for request in requests:
        client.send(request.octets)
    exchange(client, Datagram(SIGNATURE, code=STATUS))  # the first reply there is; whoever was before has none
    records = until(lambda: daemon.records("request.discarded")[before:], what=words)  # maybe of another process
    assert len(records) == 1, words
    assert words in records[0]["reason"]


def test_04_message_authenticator_is_required(daemon: Daemon, client: Raw, mailbox: Mailbox) -> None:
    discarded(daemon, client, [password(ALICE, None), password(ALICE, None, PROXY)] * 3, "no Message-Authenticator")
    assert client.silent(0.1)
    assert not daemon.records("login.started")
    assert not mailbox.messages


def test_04_off_for_one_client_it_is_still_required_with_proxy_state(make: Make, mailbox: Mailbox) -> None:
    daemon = make(TWO_CLIENTS, client=UNSIGNED_CLIENT)
    with Raw(daemon.host, daemon.port) as client, Raw(daemon.host, daemon.port, source="127.0.0.9") as other:
        discarded(daemon, client, [password(ALICE, None, PROXY), password(PROXY, ALICE, None)], "Proxy-State without")
        discarded(daemon, client, [forged() for _ in range(3)], "wrong Message-Authenticator")
        discarded(daemon, client, [Datagram(ALICE, *_unsupported()["EAP"])], "EAP-Message without")
        discarded(daemon, other, [password(ALICE, None)], "no Message-Authenticator")
        assert not daemon.records("login.started")
        assert exchange(client, password(ALICE, None))[0] == CHALLENGE
        assert exchange(client, password(SIGNATURE, ALICE, None, PROXY))[0] == CHALLENGE


def test_04_a_wrong_message_authenticator_is_discarded(daemon: Daemon, client: Raw) -> None:
    discarded(daemon, client, [forged() for _ in range(5)], "wrong Message-Authenticator")
    lengths = [password((SIGNATURE[0], bytes(length)), ALICE, None) for length in (0, 1, 15, 17, 32)]
    discarded(daemon, client, lengths, "another length than 18")
    twice = [password(SIGNATURE, ALICE, None, SIGNATURE), password(SIGNATURE, SIGNATURE, ALICE, None)]
    discarded(daemon, client, twice, "two Message-Authenticators")
    assert client.silent(0.1)
    assert not daemon.records("login.started")


def test_04_the_place_of_message_authenticator_does_not_matter(client: Raw) -> None:
    for request in (
        password(SIGNATURE, ALICE, None, PROXY),
        password(ALICE, SIGNATURE, None, PROXY),
        password(PROXY, ALICE, None, SIGNATURE),
    ):
        assert exchange(client, request)[0] == CHALLENGE


def test_05_every_reply_begins_with_message_authenticator(client: Raw, mailbox: Mailbox) -> None:
    """`exchange` verifies it, and both authenticators."""
    started = password(PROXY, ALICE, None, SIGNATURE)
    challenge = exchange(client, started)
    given = state(client_packets.Reply(*split(challenge)))
    answered = octets.login(code(mailbox), given, PROXY)
    accept = exchange(client, answered)
    refused = octets.login("wrong", PROXY)
    reject = exchange(client, refused)
    assert [reply[0] for reply in (challenge, accept, reject)] == [CHALLENGE, ACCEPT, REJECT]
    for request, reply in ((started, challenge), (answered, accept), (refused, reject)):
        assert exchange(client, request) == reply  # out of the cache
    assert exchange(client, Datagram(SIGNATURE, PROXY, code=STATUS))[0] == ACCEPT


@pytest.mark.also("valkey", "two workers, valkey")
def test_06_a_code_works_once(tmp_path: Path, directory: Directory, mailbox: Mailbox, authority: Authority) -> None:
    """Fifty at once, over two processes that share a store."""
    parts = repository(directory) + sender(mailbox.port, authority)
    head = HEAD.replace("{folder}", str(tmp_path))
    with Daemon(tmp_path / "one", parts, head=head) as one, Daemon(tmp_path / "two", parts, head=head) as two:
        with Raw(one.host, one.port) as client:
            given = state(client.ask("alice", RIGHT))
        typed = code(mailbox)

        def answer(number: int) -> int:
            with Raw(one.host, (one, two)[number % 2].port) as client:
                return client.ask("alice", typed, given).code

        with ThreadPoolExecutor(50) as pool:
            codes = list(pool.map(answer, range(50)))
        assert sorted(codes) == [ACCESS_ACCEPT] + [ACCESS_REJECT] * 49
        assert len(one.records("login.accepted")) + len(two.records("login.accepted")) == 1


def test_07_a_code_belongs_to_its_state_user_and_client(make: Make, mailbox: Mailbox) -> None:
    daemon = make(TWO_CLIENTS)

    def begun(client: Raw, number: int) -> tuple[str, octets.Attribute, str]:
        name = f"user{number:02}"
        given = state(client.ask(name, f"pw-{number:02}"))
        return name, given, code_in(mailbox.wait(f"{name}@example.com"))

    with Raw(daemon.host, daemon.port) as client, Raw(daemon.host, daemon.port, source="127.0.0.9") as other:
        (one, ones, first), (two, twos, second) = begun(client, 1), begun(client, 2)
        assert client.ask(two, first, ones).code == ACCESS_REJECT  # another User-Name
        assert client.ask(one, first).code == ACCESS_REJECT  # no State
        if first != second:
            assert client.ask(two, first, twos).code == ACCESS_CHALLENGE  # the State of another login
        three, threes, third = begun(client, 3)
        assert other.ask(three, third, threes).code == ACCESS_REJECT  # another client
        four, older, fourth = begun(client, 4)
        newer = state(client.ask(four, "wrong", older))
        assert client.ask(four, fourth, older).code == ACCESS_REJECT
        assert client.ask(four, fourth, newer).code == ACCESS_ACCEPT
    assert [record["user"] for record in daemon.records("login.accepted")] == ["user04"]


def test_07_what_is_not_the_code_is_refused_and_counted(make: Make, mailbox: Mailbox) -> None:
    daemon = make('[methods.email_otp]\nattempts = 1\nresend_after = "0s"\n[lockout]\nattempts = 1\n')
    wrong: dict[str, Callable[[str, str], str]] = {
        "full width": lambda right, _: "".join(chr(0xFF10 + int(digit)) for digit in right),
        "5 digits": lambda right, _: right[:5],
        "5 digits behind": lambda right, _: right[1:],
        "7 digits": lambda right, _: right + "0",
        "7 digits, 0 before": lambda right, _: "0" + right,
        "a blank behind": lambda right, _: right + " ",
        "an old code": lambda _, old: old,
    }
    with Raw(daemon.host, daemon.port) as client:
        for number, (what, typed) in enumerate(wrong.items()):
            name, right, old = f"user{number:02}", "", ""
            while right == old:
                given = state(client.ask(name, f"pw-{number:02}"))
                count = len(mailbox.letters(f"{name}@example.com"))
                old, right = right, code_in(mailbox.wait(f"{name}@example.com", count))
            given = state(client.ask(name, f"pw-{number:02}"))
            old, right = right, code_in(mailbox.wait(f"{name}@example.com", count + 1))
            assert client.ask(name, typed(right, old), given).code == ACCESS_REJECT, what
            assert client.ask(name, right, given).code == ACCESS_REJECT, what
            assert daemon.records("user.locked")[number]["user"] == name, what
    assert not daemon.records("login.accepted")


def _unsupported() -> dict[str, list[octets.Attribute]]:
    challenge, typed = bytes(16), Secret(RIGHT)
    chap = client_packets.chap(typed, challenge, 1)
    mschap = [microsoft_attribute(11, bytes(8)), microsoft_attribute(1, bytes(50))]
    return {
        "CHAP": chap,
        "CHAP, malformed": [(octets.CHAP_PASSWORD, bytes(16))],
        "MS-CHAPv2": client_packets.mschapv2(typed, "alice", challenge, challenge, 1),
        "MS-CHAP": mschap,
        "EAP": [(octets.EAP_MESSAGE, b"\x02\x01\x00\x0a\x01alice")],
        "Authorize-Only": [(octets.SERVICE_TYPE, b"\x00\x00\x00\x11")],
        "nothing at all": [],
    }


def test_12_what_the_server_can_t_do_is_refused(client: Raw, daemon: Daemon, mailbox: Mailbox) -> None:
    for what, attributes in _unsupported().items():
        assert exchange(client, Datagram(SIGNATURE, ALICE, *attributes))[0] == REJECT, what
    reasons = [record["reason"] for record in daemon.records("login.rejected")]
    assert sum("CHAP or MS-CHAP instead" in reason for reason in reasons) == 2
    for what in ("CHAP", "CHAP, malformed", "MS-CHAPv2", "MS-CHAP", "Authorize-Only"):
        beside = _unsupported()[what]
        assert exchange(client, password(SIGNATURE, ALICE, None, *beside))[0] == REJECT, what
        assert exchange(client, password(SIGNATURE, ALICE, *beside, None))[0] == REJECT, what
    assert exchange(client, password(SIGNATURE, ALICE, None, None))[0] == REJECT
    assert not mailbox.messages
    assert not daemon.records("fault")
    assert exchange(client, password(SIGNATURE, ALICE, None))[0] == CHALLENGE  # nor is alice locked out by all that


def test_12_eap_beside_a_password_is_discarded(client: Raw, daemon: Daemon) -> None:
    given = _unsupported()
    (eap,) = given["EAP"]
    requests = [password(SIGNATURE, ALICE, None, eap), password(SIGNATURE, eap, ALICE, None)]
    requests += [Datagram(SIGNATURE, ALICE, eap, *given[what]) for what in ("CHAP", "MS-CHAPv2", "MS-CHAP")]
    discarded(daemon, client, requests, "EAP-Message beside a password")
    assert client.silent(0.1)
    assert not daemon.records("login.started", "login.rejected")
