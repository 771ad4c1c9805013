"""Octets over the wire: several requests at once, in pieces, wrong ones; too many connections."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.authority import Authority
from tests.parts.daemon import Daemon
from tests.parts.ports import free_port
from tests.parts.waiting import until
from tests.parts.website import KEY, Website, head, made

GET = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
POST = (
    b"POST /v1/logins HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\n"
    % KEY.encode()
)
BODY = b'{"name": ""}'


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[tuple[Website, Daemon]]:
    port = free_port()
    with made(tmp_path_factory.mktemp("aad"), head(port, authority.certificate(), "connections = 10")) as daemon:
        yield Website(port, authority), daemon
        assert not daemon.strays()
        assert not daemon.records("fault")


def connected(website: Website) -> ssl.SSLSocket:
    plain = socket.create_connection(("127.0.0.1", website.port), timeout=15)
    return website.tls.wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=True)


def heard(connection: ssl.SSLSocket) -> bytes:
    """Return all until the other side ends."""
    octets = b""
    try:
        while read := connection.recv(65536):
            octets += read
    except OSError:
        pass
    connection.close()
    return octets


def statuses(octets: bytes) -> list[int]:
    return [int(part[:3]) for part in octets.split(b"HTTP/1.1 ")[1:]]


def last(request: bytes) -> bytes:
    return request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)


def test_requests_at_once_are_answered_in_order(served: tuple[Website, Daemon]) -> None:
    connection = connected(served[0])
    connection.sendall(GET + GET.replace(b"/health", b"/none") + last(GET.replace(b"GET", b"HEAD")))
    assert statuses(heard(connection)) == [200, 404, 200]


@pytest.mark.parametrize(
    ("octets", "found"),
    [
        (last(POST + b"Content-Length: 12\r\n\r\n") + BODY, [422]),
        (last(POST + b"Transfer-Encoding: chunked\r\n\r\n") + b"c\r\n" + BODY + b"\r\n0\r\n\r\n", [422]),
        (last(POST + b"Expect: 100-continue\r\nContent-Length: 12\r\n\r\n") + BODY, [422]),
        (POST.replace(b"HTTP/1.1", b"HTTP/1.0") + b"Content-Length: 12\r\n\r\n" + BODY, [422]),
        (last(POST + b"\r\n"), [400]),
        (last(GET + b"").replace(b"Host: x\r\n", b""), [400]),
        (b"\x16\x03\x01 nonsense\r\n\r\n", [400]),
        (b"GET /health HTTP/9.9\r\nHost: x\r\n\r\n", [400]),
        (POST + b"Content-Length: 12\r\nContent-Length: 13\r\n\r\n" + BODY, [400]),
        (POST + b"Content-Length: -1\r\n\r\n", [400]),
        (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", [400]),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n", [400]),
        (POST + b"X: a\r\n Y: folded\x00\r\n\r\n", [400]),
        (POST + b"Content-Length: 99999\r\n\r\n", [413]),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n18000\r\n" + b"x" * 0x18000 + b"\r\n", [413]),
        (b"GET /health HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 5000, [431]),
    ],
)
def test_what_comes_is_answered_once_and_well_formed(
    served: tuple[Website, Daemon], octets: bytes, found: list[int]
) -> None:
    connection = connected(served[0])
    connection.sendall(octets)
    connection.settimeout(15)
    said = heard(connection)
    assert statuses(said.replace(b"HTTP/1.1 100 \r\n\r\n", b"")) == found
    document = json.loads(said.rpartition(b"\r\n\r\n")[2])
    assert document["status"] == found[0]


def test_a_body_that_waits_to_be_wanted_is_told(served: tuple[Website, Daemon]) -> None:
    connection = connected(served[0])
    connection.sendall(last(POST + b"Expect: 100-continue\r\nContent-Length: 12\r\n\r\n"))
    assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
    connection.sendall(BODY)
    assert statuses(heard(connection)) == [422]


def test_octet_by_octet_is_fine(served: tuple[Website, Daemon]) -> None:
    connection = connected(served[0])
    for octet in last(GET):
        connection.send(bytes([octet]))
    assert statuses(heard(connection)) == [200]


def test_no_tls_is_no_answer(served: tuple[Website, Daemon]) -> None:
    with socket.create_connection(("127.0.0.1", served[0].port), timeout=15) as plain:
        plain.sendall(GET)
        assert b"HTTP" not in plain.recv(100)


def test_when_all_places_are_taken_the_oldest_idle_one_goes(served: tuple[Website, Daemon]) -> None:
    idle = [connected(served[0]) for _ in range(10)]
    silent = [socket.create_connection(("127.0.0.1", served[0].port)) for _ in range(30)]
    assert served[0].ask("GET", "/health").status == 200
    for each in idle:
        each.settimeout(10)
        assert heard(each) == b""
    for plain in silent:
        plain.close()


def test_nothing_of_a_connection_remains(served: tuple[Website, Daemon], tmp_path: Path) -> None:
    descriptors = Path(f"/proc/{served[1].child.pid}/fd")
    until(lambda: served[0].ask("GET", "/health").status == 200)
    before = len(list(descriptors.iterdir()))
    for number in range(60):
        if number % 2:
            connected(served[0]).close()
        else:
            socket.create_connection(("127.0.0.1", served[0].port)).close()
    until(lambda: len(list(descriptors.iterdir())) <= before)
