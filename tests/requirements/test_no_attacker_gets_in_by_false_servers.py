"""An attacker does not get in: requirement 11, what false directories and mail servers can try."""

from __future__ import annotations

import asyncio
from pathlib import Path
from subprocess import run

import pytest

from aad.radius.names import ACCESS_CHALLENGE, ACCESS_REJECT
from tests.login.conftest import ALICE, Make, repository, sender
from tests.login.test_radius import RIGHT
from tests.parts.authority import Authority, Certificate
from tests.parts.daemon import SECRET, Daemon
from tests.parts.directory import Directory
from tests.parts.mailbox import Mailbox
from tests.parts.raw import Raw, Request
from tests.parts.waiting import until
from tests.repositories import crooked
from tests.repositories.crooked import Liar, ber, result
from tests.senders.script import Script


def way(number: int, servers: str, mail: str) -> str:
    """Return the client 127.0.0.<number> with an event, a directory and a mail server of its own."""
    return f"""
[clients.client{number}]
networks = ["127.0.0.{number}"]
secret = "{SECRET}"
event = "event{number}"
[methods.otp{number}]
type = "email_otp"
senders = ["mail{number}"]
[chains.chain{number}]
methods = ["password", "otp{number}"]
[events.event{number}]
repositories = ["corp{number}"]
chains = ["chain{number}"]
""" + (servers + mail).replace("repositories.corp", f"repositories.corp{number}").replace(
        "senders.mail", f"senders.mail{number}"
    )


def starttls(directory: Directory) -> str:
    return repository(directory).replace(directory.ldaps_uri, directory.ldap_uri) + "starttls = true\n"


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
    [("8BITMIME", "220 go on"), ("STARTTLS", "454 4.7.0 not now"), ("STARTTLS", "220 go on"), ("STARTTLS", "502 no")],
    ids=["not offered", "refused", "no TLS behind it", "unknown"],
)
async def test_11_starttls_is_mandatory_for_mail(make: Make, authority: Authority, offered: str, answer: str) -> None:
    async with Script() as script:
        script.say("EHLO", f"250-script.example.com\r\n250-AUTH PLAIN LOGIN\r\n250 {offered}")
        script.say("STARTTLS", answer)
        daemon = make(way(11, "", sender(script.port, authority, "starttls")).replace('"corp11"', '"corp"'))
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
        daemon = make(way(11, parts, "").replace('"mail11"', '"mail"'))
        await asyncio.to_thread(unanswered, daemon)
    assert heard
    assert crooked.BIND not in dict(heard)
    octets = b"".join(received for _, received in heard)
    assert RIGHT.encode() not in octets
    assert directory.bind_password.encode() not in octets


@pytest.mark.parametrize("at", ["search", "continuation", "bind of the user", "bind of the service"])
async def test_11_referrals_are_not_followed(make: Make, directory: Directory, at: str) -> None:
    followed: list[bytes] = []
    entry = crooked.entry(ALICE.dn.encode())

    def follow(_: int, received: bytes) -> list[bytes]:
        followed.append(received)
        return []

    async with Liar(follow) as other:
        url = ber(0x04, f"{other.url}/{directory.base_dn}".encode())
        referral = ber(0xA3, url)

        def answers(tag: int, received: bytes) -> list[bytes]:
            if tag == crooked.BIND:
                whose = "bind of the user" if b"alice" in received else "bind of the service"
                return [result(crooked.BOUND, 10, b"", referral) if at == whose else result(crooked.BOUND, 0)]
            if at == "continuation":
                return [ber(crooked.REFERENCE, url), result(crooked.DONE, 0)]
            return [result(crooked.DONE, 10, b"", referral)] if at == "search" else [entry, result(crooked.DONE, 0)]

        async with Liar(answers) as liar:
            parts = repository(directory).replace(directory.ldaps_uri, liar.url)
            daemon = make(way(11, parts, "").replace('"mail11"', '"mail"'))
            if at == "continuation":
                with Raw(daemon.host, daemon.port, source="127.0.0.11") as client:
                    assert (await asyncio.to_thread(client.ask, "alice", RIGHT)).code == ACCESS_REJECT
            else:
                await asyncio.to_thread(unanswered, daemon)
    assert not followed
