"""An attacker does not get in: requirements 1, 3 and 11, what false directories and mail servers can try."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from subprocess import run

import pytest

from aad.radius.protocol.constants import ACCESS_CHALLENGE, ACCESS_REJECT
from tests.parts.alice import RIGHT
from tests.parts.authority import Authority, Certificate
from tests.parts.corp import ALICE, Make, repository, sender
from tests.parts.daemon import SECRET, Daemon
from tests.parts.directory import Directory
from tests.parts.mailbox import Mailbox
from tests.parts.raw import Raw, Request
from tests.parts.waiting import until
from tests.repositories.ldap import crooked
from tests.repositories.ldap.crooked import Liar, Relay, ber, result
from tests.senders.script import Script


def attribute(name: bytes, value: bytes) -> bytes:
    return ber(0x30, ber(0x04, name), ber(0x31, ber(0x04, value)))


ENTRY = ber(
    crooked.ENTRY,
    ber(0x04, ALICE.dn.encode()),
    ber(0x30, attribute(b"uid", b"alice"), attribute(b"mail", b"alice@example.com")),
)


def way(number: int, servers: str, mail: str) -> str:
    """Return the client 127.0.0.<number> with an event of its own, and its own directory and mail server, if given."""
    corp, post = f"corp{number}" if servers else "corp", f"mail{number}" if mail else "mail"
    return f"""
[clients.client{number}]
networks = ["127.0.0.{number}"]
secret = "{SECRET}"
event = "event{number}"
[methods.otp{number}]
type = "email_otp"
senders = ["{post}"]
[chains.chain{number}]
methods = ["password", "otp{number}"]
[events.event{number}]
repositories = ["{corp}"]
chains = ["chain{number}"]
""" + (servers + mail).replace("repositories.corp", f"repositories.corp{number}").replace(
        "senders.mail", f"senders.mail{number}"
    )


def at(directory: Directory, url: str) -> str:
    return repository(directory).replace(directory.ldaps_uri, url)


def starttls(directory: Directory) -> str:
    return at(directory, directory.ldap_uri) + "starttls = true\n"


def made(kind: str, folder: Path, authority: Authority) -> Certificate:
    if kind == "self-signed":
        files = Certificate(folder / "own.pem", folder / "own.key")
        words = f"openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -keyout {files.key_file}"
        words += f" -out {files.cert_file} -addext subjectAltName=DNS:localhost,IP:127.0.0.1"
        run(words.split(), check=True, capture_output=True)
        return files
    if kind == "another authority":
        return Authority(folder / "another").certificate(*Directory.names)
    if kind == "wrong name":
        return authority.certificate("elsewhere.example.com")
    return authority.certificate(*Directory.names, expired=kind == "expired")


async def test_01_an_empty_password_is_never_accepted_whatever_the_directory_says(
    make: Make, directory: Directory, mailbox: Mailbox
) -> None:
    """RFC 4513 5.1.2: a bind with a name and no password succeeds, as anonymous; here every bind does."""
    binds: list[bytes] = []

    def answers(tag: int, received: bytes) -> list[bytes]:
        if tag == crooked.BIND:
            binds.append(received)
            return [result(crooked.BOUND, 0)]
        return [ENTRY, result(crooked.DONE, 0)]

    async with Liar(answers) as liar:
        daemon = make(way(11, at(directory, liar.url), ""))
        with Raw(daemon.host, daemon.port, source="127.0.0.11") as client:
            for nothing in (b"", bytes(16), bytes(128)):
                assert (await asyncio.to_thread(client.ask, "alice", nothing)).code == ACCESS_REJECT
            assert all(ALICE.dn.encode() not in bind for bind in binds)
            assert not mailbox.messages
            assert (await asyncio.to_thread(client.ask, "alice", "anything")).code == ACCESS_CHALLENGE
            assert ALICE.dn.encode() in binds[-1]


MOODS = ("mute", "drip", "garbage", "close")
NONSENSE = (
    result(crooked.EXTENDED_DONE, 0),
    result(crooked.DONE, 0),
    result(crooked.BOUND, 99),
    result(crooked.BOUND, 80),
    result(crooked.BOUND, 1),
    ber(crooked.BOUND),
    b"\xff" * 40,
)


async def test_03_a_directory_that_breaks_off_lets_nobody_in(make: Make, directory: Directory) -> None:
    async with AsyncExitStack() as stack:
        relays = [await stack.enter_async_context(Relay(directory.port)) for _ in MOODS]
        for relay, mood in zip(relays, MOODS, strict=True):
            relay.mood = mood
        await nobody_gets_in(make, directory, [relay.url for relay in relays])


async def test_03_a_directory_that_talks_nonsense_lets_nobody_in(make: Make, directory: Directory) -> None:
    """It does so when alice is bound; whatever was asked before is answered well."""

    def lying(lie: bytes) -> Callable[[int, bytes], list[bytes]]:
        def answers(tag: int, received: bytes) -> list[bytes]:
            if tag == crooked.BIND:
                return [lie if b"alice" in received else result(crooked.BOUND, 0)]
            return [ENTRY, result(crooked.DONE, 0)]

        return answers

    async with AsyncExitStack() as stack:
        liars = [await stack.enter_async_context(Liar(lying(lie))) for lie in NONSENSE]
        await nobody_gets_in(make, directory, [liar.url for liar in liars])


async def nobody_gets_in(make: Make, directory: Directory, urls: list[str]) -> None:
    """Ask each server by a client of its own, all of one daemon."""
    parts = [at(directory, url) + 'timeout = "300ms"\n' for url in urls]
    daemon = make("".join(way(number, part, "") for number, part in enumerate(parts, 11)))
    for number, _ in enumerate(urls, 11):
        await asyncio.to_thread(unanswered, daemon, number)
    assert not daemon.records("challenge.sent", "login.accepted")


@pytest.mark.parametrize("kind", ["good", "self-signed", "another authority", "wrong name", "expired"])
def test_11_certificates_are_verified_chain_and_name(
    tmp_path: Path, make: Make, directory: Directory, mailbox: Mailbox, authority: Authority, kind: str
) -> None:
    certificate = made(kind, tmp_path, authority)
    (tmp_path / "false").mkdir()
    with (
        Directory(tmp_path / "false", authority, (ALICE,), certificate=certificate) as ldap,
        Mailbox(authority, "tls", "aad", "mail secret", certificate=certificate) as tls,
        Mailbox(authority, "starttls", "aad", "mail secret", certificate=certificate) as clear,
    ):
        good = repository(directory), sender(mailbox.port, authority)
        daemon = make(
            way(11, repository(ldap), good[1])
            + way(12, starttls(ldap), good[1])
            + way(13, good[0], sender(tls.port, authority))
            + way(14, good[0], sender(clear.port, authority, "starttls"))
        )
        for number in (11, 12, 13, 14):
            if kind == "good":
                with Raw(daemon.host, daemon.port, source=f"127.0.0.{number}") as client:
                    assert client.ask("alice", RIGHT).code == ACCESS_CHALLENGE
            else:
                unanswered(daemon, number)
        assert ("BIND" in ldap.log()) == (kind == "good")
        assert bool(tls.messages) == bool(clear.messages) == (kind == "good")
    outages = daemon.records("repository.down", "sender.down")
    assert len(outages) == (0 if kind == "good" else 4)
    assert all("certificate" in record["reason"] for record in outages)


@pytest.mark.parametrize(
    ("offered", "answer"),
    [("8BITMIME", "220 go on"), ("STARTTLS", "454 4.7.0 not now"), ("STARTTLS", "220 go on")],
    ids=["not offered", "refused", "no TLS behind it"],
)
async def test_11_starttls_is_mandatory_for_mail(make: Make, authority: Authority, offered: str, answer: str) -> None:
    async with Script() as script:
        script.say("EHLO", f"250-script.example.com\r\n250-AUTH PLAIN LOGIN\r\n250 {offered}")
        script.say("STARTTLS", answer)
        daemon = make(way(11, "", sender(script.port, authority, "starttls")))
        await asyncio.to_thread(unanswered, daemon)
        await script.until("EHLO")
    assert {line.split()[0] for line in script.heard} <= {"EHLO", "STARTTLS", "QUIT"}
    assert daemon.records("sender.down")


def unanswered(daemon: Daemon, number: int = 11) -> None:
    before = len(daemon.records("login.unavailable"))
    with Raw(daemon.host, daemon.port, source=f"127.0.0.{number}") as client:
        client.send(Request("alice", RIGHT).octets)
        until(lambda: len(daemon.records("login.unavailable")) > before)
        assert client.silent(0.05)


@pytest.mark.parametrize("refusal", [2, 52, 0], ids=["unsupported", "unavailable", "no TLS behind it"])
async def test_11_starttls_is_mandatory_for_ldap(make: Make, directory: Directory, refusal: int) -> None:
    heard: list[tuple[int, bytes]] = []

    def answers(tag: int, received: bytes) -> list[bytes]:
        heard.append((tag, received))
        return [result(crooked.EXTENDED_DONE, refusal)]

    async with Liar(answers) as liar:
        parts = starttls(directory).replace(directory.ldap_uri, liar.url)
        daemon = make(way(11, parts, ""))
        await asyncio.to_thread(unanswered, daemon)
    assert heard
    assert crooked.BIND not in dict(heard)
    octets = b"".join(received for _, received in heard)
    assert RIGHT.encode() not in octets
    assert directory.bind_password.encode() not in octets


@pytest.mark.parametrize("where", ["search", "continuation", "bind of the user", "bind of the service"])
async def test_11_referrals_are_not_followed(make: Make, directory: Directory, where: str) -> None:
    async with Relay(directory.port) as other:
        url = ber(0x04, f"{other.url}/{directory.base_dn}".encode())
        referral = ber(0xA3, url)

        def answers(tag: int, received: bytes) -> list[bytes]:
            if tag == crooked.BIND:
                whose = "bind of the user" if b"alice" in received else "bind of the service"
                return [result(crooked.BOUND, 10, b"", referral) if where == whose else result(crooked.BOUND, 0)]
            if where == "continuation":
                return [ber(crooked.REFERENCE, url), result(crooked.DONE, 0)]
            return [result(crooked.DONE, 10, b"", referral)] if where == "search" else [ENTRY, result(crooked.DONE, 0)]

        async with Liar(answers) as liar:
            parts = at(directory, liar.url)
            daemon = make(way(11, parts, ""))
            if where == "continuation":
                with Raw(daemon.host, daemon.port, source="127.0.0.11") as client:
                    assert (await asyncio.to_thread(client.ask, "alice", RIGHT)).code == ACCESS_REJECT
            else:
                await asyncio.to_thread(unanswered, daemon)
    assert not other.accepted
