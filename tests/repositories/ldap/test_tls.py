"""TLS to the directory: verified, chain and name, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from aad.core.outcome import Failure, Reason, Success
from aad.ports import Unavailable
from tests.parts.authority import Authority
from tests.parts.directory import Directory, Person
from tests.repositories.conftest import ldap, login
from tests.repositories.ldap.crooked import BIND, EXTENDED_DONE, Liar, result

ALICE = (Person("alice", "correct horse"),)


async def test_ldaps(directory: Directory) -> None:
    async with ldap(directory, directory.ldaps_uri) as repository:
        assert await login(repository, "alice", "correct horse") == Success()
        assert await login(repository, "alice", "wrong") == Failure(Reason.WRONG_PASSWORD)


async def test_an_address_can_be_verified_too(directory: Directory) -> None:
    async with ldap(directory, f"ldaps://127.0.0.1:{directory.tls_port}") as repository:
        assert await login(repository, "alice", "correct horse") == Success()


async def test_starttls_where_nothing_else_is_allowed(tmp_path: Path, authority: Authority) -> None:
    with Directory(tmp_path, authority, ALICE, require_tls=True) as directory:
        async with ldap(directory, starttls=True) as repository:
            assert await login(repository, "alice", "correct horse") == Success()
        async with ldap(directory) as repository:
            with pytest.raises(Unavailable, match="it demands TLS, so use ldaps:// or starttls = true"):
                await login(repository, "alice", "correct horse")


@pytest.mark.parametrize("starttls", [False, True])
async def test_another_authority_is_not_trusted(directory: Directory, tmp_path: Path, *, starttls: bool) -> None:
    url = directory.ldap_uri if starttls else directory.ldaps_uri
    stranger = Authority(tmp_path)
    async with ldap(directory, url, ca_file=stranger.ca_file, starttls=starttls) as repository:
        with pytest.raises(Unavailable, match="certificate verify failed"):
            await login(repository, "alice", "correct horse")


async def test_without_ca_file_the_systems_authorities_count(directory: Directory) -> None:
    async with ldap(directory, directory.ldaps_uri, ca_file=None) as repository:
        with pytest.raises(Unavailable, match="certificate verify failed"):
            await login(repository, "alice", "correct horse")


@pytest.mark.parametrize("starttls", [False, True])
@pytest.mark.parametrize(
    ("name", "expired", "words"),
    [("elsewhere.example.com", False, "Hostname mismatch"), ("localhost", True, "certificate has expired")],
)
async def test_a_certificate_must_fit(
    tmp_path: Path, authority: Authority, name: str, words: str, *, expired: bool, starttls: bool
) -> None:
    certificate = authority.certificate(name, expired=expired)
    with Directory(tmp_path, authority, ALICE, certificate=certificate) as directory:
        url = directory.ldap_uri if starttls else directory.ldaps_uri
        async with ldap(directory, url, starttls=starttls) as repository:
            with pytest.raises(Unavailable, match=words):
                await login(repository, "alice", "correct horse")
        assert "BIND" not in directory.log()


async def test_a_server_without_starttls_hears_no_password(directory: Directory) -> None:
    heard = []

    def answers(tag: int, octets: bytes) -> list[bytes]:
        heard.append((tag, octets))
        return [result(EXTENDED_DONE, 2, b"unsupported extended operation")]

    async with Liar(answers) as liar, ldap(directory, liar.url, starttls=True) as repository:
        with pytest.raises(Unavailable, match=r"TLS did not begin: protocolError \(2: unsupported"):
            await login(repository, "alice", "correct horse")
    assert BIND not in dict(heard)
    assert b"horse" not in b"".join(octets for _, octets in heard)


async def test_a_server_that_speaks_no_tls(directory: Directory) -> None:
    async with ldap(directory, f"ldaps://localhost:{directory.port}", timeout=0.5) as repository:
        with pytest.raises(Unavailable):
            await login(repository, "alice", "correct horse")


async def test_a_ca_file_that_is_gone(directory: Directory, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"gone\.pem can't be used"):
        await ldap(directory, directory.ldaps_uri, ca_file=tmp_path / "gone.pem").__aenter__()
