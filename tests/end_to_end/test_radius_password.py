"""The password checked by another RADIUS server: a FreeRADIUS, and another aad."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aad.core.scrypt import hash_password
from aad.core.secret import Secret
from aad.radius.protocol.constants import ACCESS_ACCEPT, ACCESS_CHALLENGE, ACCESS_REJECT, REPLY_MESSAGE
from tests.parts.alice import state
from tests.parts.daemon import HEAD, Daemon
from tests.parts.freeradius_home import FreeradiusHome
from tests.parts.oracle import Oracle, silent
from tests.parts.raw import Raw, Request
from tests.parts.waiting import until
from tests.parts.warm import aad

BARE = HEAD.replace('[chains.both]\nmethods = ["password", "email_otp"]\n', "")
SHARED = "the secret of two servers"
THERE, HERE = "the password there", "the password here"
USER = '[users.{name}]\npassword = "{hash}"\n'
REST = """
[repositories.local]
type = "file"
[methods.radius]
servers = {servers}
secret = "{secret}"
[chains.one]
methods = {methods}
"""


def asking(folder: Path, *servers: str, secret: str = SHARED, methods: str = '["radius"]') -> Daemon:
    """Return a daemon, not started, whose users have another password there."""
    rest = REST.format(servers=str(list(servers)).replace("'", '"'), secret=secret, methods=methods)
    return knowing(Daemon(folder / "asking", rest, head=BARE), HERE, "alice", "asked")


def knowing(daemon: Daemon, password: str, *names: str) -> Daemon:
    users = daemon.folder / "users.toml"
    users.touch(mode=0o600)
    hashed = hash_password(Secret(password), bytes(16))
    users.write_text("".join(USER.format(name=name, hash=hashed) for name in names))
    return daemon


@pytest.fixture
def home(tmp_path: Path) -> Iterator[FreeradiusHome]:
    with FreeradiusHome(tmp_path / "home", SHARED, {"alice": THERE, "mallory": THERE}) as running:
        yield running


def place(server: FreeradiusHome | Daemon) -> str:
    return f"{server.host}:{server.port}"


def test_freeradius_says_whether_the_password_is_right(tmp_path: Path, home: FreeradiusHome) -> None:
    with asking(tmp_path, place(home)) as daemon, Raw(daemon.host, daemon.port) as client:
        assert client.ask("alice", THERE).code == ACCESS_ACCEPT
        assert client.ask("alice", HERE).code == ACCESS_REJECT
        assert client.ask("alice", "").code == ACCESS_REJECT
        assert client.ask("mallory", THERE).code == ACCESS_REJECT  # in no repository of ours
        assert client.ask("asked", THERE).code == ACCESS_REJECT
        reasons = [each["reason"] for each in daemon.records("login.rejected")]
        assert not daemon.strays()
    assert reasons == [
        "wrong password",
        "empty password",
        "unknown user",
        "the other RADIUS server wants more than a password",
    ]


def test_as_a_later_method_it_asks(tmp_path: Path, home: FreeradiusHome) -> None:
    with (
        asking(tmp_path, place(home), methods='["password", "radius"]') as daemon,
        Raw(daemon.host, daemon.port) as client,
    ):
        asked = client.ask("alice", HERE)
        assert (asked.code, asked.first(REPLY_MESSAGE)) == (ACCESS_CHALLENGE, b"Password: ")
        assert client.ask("alice", THERE, state(asked)).code == ACCESS_ACCEPT


def test_guesses_lock_out_and_outages_do_not(tmp_path: Path, home: FreeradiusHome) -> None:
    with asking(tmp_path, place(home)) as daemon, Raw(daemon.host, daemon.port) as client:
        home.stop()
        for _ in range(4):
            client.send(Request("alice", THERE).octets)
        until(lambda: len(daemon.records("login.unavailable")) >= 1)
        home.start()
        until(lambda: _accepted(client), what="an accept after the server's return")
        (down,), (up,) = daemon.records("server.down"), daemon.records("server.up")
        assert down["server"] == up["server"] == place(home)
        for number in range(3):
            assert client.ask("alice", f"guess {number}").code == ACCESS_REJECT
        assert client.ask("alice", THERE).code == ACCESS_REJECT
        assert daemon.records("login.rejected")[-1]["reason"] == "locked out by wrong passwords"
        assert not daemon.strays()


def _accepted(client: Raw) -> bool:
    request = Request("alice", THERE)
    client.send(request.octets)
    return not client.silent(0.2)


def test_the_second_server_is_asked_where_the_first_is_silent(tmp_path: Path, home: FreeradiusHome) -> None:
    with (
        Oracle(silent) as first,
        asking(tmp_path, first.name, place(home)) as daemon,
        Raw(daemon.host, daemon.port) as client,
    ):
        assert client.ask("alice", THERE).code == ACCESS_ACCEPT  # within the client's 2.5 s
        assert client.ask("alice", THERE).code == ACCESS_ACCEPT
        assert [each["server"] for each in daemon.records("server.down")] == [first.name]


def test_another_secret_is_silence_and_words(tmp_path: Path, home: FreeradiusHome) -> None:
    with (
        asking(tmp_path, place(home), secret="quite another secret") as daemon,
        Raw(daemon.host, daemon.port) as client,
    ):
        client.send(Request("alice", THERE).octets)
        until(lambda: daemon.records("login.unavailable"))
        assert client.silent(0.2)
        (record,) = daemon.records("login.unavailable")
        assert record["reason"] == f"{place(home)}: no valid reply in time, as from one with another secret"


def test_another_aad_is_asked(tmp_path: Path) -> None:
    rest = '[repositories.local]\ntype = "file"\n[chains.one]\nmethods = ["password"]\n'
    other = knowing(Daemon(tmp_path / "other", rest, head=BARE), THERE, "alice")
    with (
        other,
        asking(tmp_path, place(other), secret=Daemon.secret) as daemon,
        Raw(daemon.host, daemon.port) as client,
    ):
        assert client.ask("alice", THERE).code == ACCESS_ACCEPT
        assert client.ask("alice", HERE).code == ACCESS_REJECT
        assert other.records("login.accepted")[0]["user"] == "alice"
        other.configure(rest.replace('["password"]', '["password", "password"]'))
        other.reload()
        assert client.ask("alice", THERE).code == ACCESS_REJECT
        assert daemon.records("login.rejected")[-1]["reason"] == "the other RADIUS server wants more than a password"
        assert not daemon.strays()
        assert not other.strays()


def test_a_file_checks_the_password_of_another_repository_s_user(tmp_path: Path) -> None:
    rest = '[repositories.local]\ntype = "file"\n[methods.file_password]\npath = "passwords.toml"\n'
    rest += '[chains.one]\nmethods = ["file_password"]\n'
    made = knowing(Daemon(tmp_path / "aad", rest, head=BARE), HERE, "alice", "bob")
    passwords = made.folder / "passwords.toml"
    passwords.touch(mode=0o600)
    passwords.write_text(USER.format(name="ALICE", hash=hash_password(Secret(THERE), bytes(16))))
    with made as daemon, Raw(daemon.host, daemon.port) as client:
        assert client.ask("alice", THERE).code == ACCESS_ACCEPT
        assert client.ask("alice", HERE).code == ACCESS_REJECT
        assert client.ask("bob", HERE).code == ACCESS_REJECT
        passwords.write_text(passwords.read_text() + "disabled = true\n")
        until(lambda: client.ask("alice", THERE).code == ACCESS_REJECT, what="alice is disabled")
        reasons = [each["reason"] for each in daemon.records("login.rejected")]
        assert not daemon.strays()
    assert reasons == ["wrong password", "no password in the file", "account disabled"]
    passwords.write_text("nonsense")
    assert "methods.file_password.path: " in aad("check", "-c", made.file).stderr


def test_what_is_wrong_with_its_keys_is_said(tmp_path: Path) -> None:
    daemon = asking(tmp_path, "radius:port", secret="")
    said = aad("check", "-c", daemon.file).stderr
    assert "methods.radius.servers[0]: radius:port should be HOST or HOST:PORT" in said
    assert "methods.radius.secret: should not be empty" in said
    assert "can be guessed" in aad("check", "-c", asking(tmp_path, "radius", secret="short").file).stderr
