"""An account that its directory holds as disabled, locked or expired isn't let in by a chain that asks for no password.

Requirement 35, over RADIUS and HTTPS: a code of an app, a code by mail, a password of a file. The directory is slapd,
with the marks of OpenLDAP, 389, FreeIPA, eDirectory and Active Directory.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from aad.core.scrypt import hash_password
from aad.core.secret import Secret
from aad.radius.protocol import client_packets, constants
from aad.radius.protocol.constants import ACCESS_ACCEPT, ACCESS_CHALLENGE, ACCESS_REJECT
from tests.parts import warm
from tests.parts.authority import Authority
from tests.parts.corp import repository, sender
from tests.parts.daemon import SECRET, Daemon
from tests.parts.directory import Directory, Person
from tests.parts.mailbox import Mailbox, code_in
from tests.parts.ports import free_port
from tests.parts.raw import Raw
from tests.parts.states import BARRED, FINE, HIDDEN, SCHEMA, UNKNOWN, people
from tests.parts.website import Website, head

PASSWORD, TYPED = "correct horse", "battery staple"
SEED = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
CODES, FILE, CHOICE = "127.0.0.2", "127.0.0.3", "127.0.0.4"  # an app's code is asked for from everywhere else
REFUSED = {name: f"barred by the repository: {reason}" for name, (_, reason) in BARRED.items()} | {
    name: f"unknown whether the account is disabled: {reason}" for name, (_, reason) in UNKNOWN.items()
}
REST = """
[chains.app]
methods = ["totp"]
[chains.code]
methods = ["email_otp"]
[chains.file]
methods = ["file_password", "email_otp"]
[chains.weaker]
methods = ["file_password"]
[events.codes]
chains = ["code"]
[events.file]
chains = ["file", "weaker"]
[events.choice]
chains = ["app", "weaker"]
choose = true
[limits]
mails_per_user = "unlimited"
"""
CLIENT = """[clients.{name}]
networks = ["{address}"]
secret = "{secret}"
event = "{name}"
"""
CLIENTS = "".join(
    CLIENT.format(name=name, address=address, secret=SECRET)
    for name, address in (("codes", CODES), ("file", FILE), ("choice", CHOICE))
)


@dataclass(frozen=True)
class House:
    """A daemon, who asks it over HTTPS, and where its mails go."""

    daemon: Daemon
    website: Website
    mailbox: Mailbox


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Directory]:
    with Directory(tmp_path_factory.mktemp("states"), authority, people(PASSWORD), schema=SCHEMA) as running:
        yield running


@pytest.fixture
def house(tmp_path: Path, states: Directory, authority: Authority) -> Iterator[House]:
    folder = tmp_path / "aad"
    folder.mkdir()
    written = hash_password(Secret(TYPED), b"s" * 16)
    held = (*REFUSED, *FINE)
    kept(folder / "users.toml", "".join(f'[users.{name}]\npassword = "{written}"\n' for name in held))
    kept(folder / "seeds.csv", "".join(f"{name},{SEED}\n" for name in held))
    port = free_port()
    with Mailbox(authority, "tls", "aad", "mail secret") as mailbox:
        rest = REST + CLIENTS + repository(states) + sender(mailbox.port, authority)
        started = head(port, authority.certificate()).replace("[events.vpn]\n", '[events.vpn]\nchains = ["app"]\n')
        daemon = Daemon(folder, rest, head=started)
        assert f"{len(held)} enrolled" in aad(daemon, "totp", "import", str(folder / "seeds.csv"))
        with daemon:
            yield House(daemon, Website(port, authority), mailbox)
            assert not daemon.strays()


def kept(file: Path, text: str) -> None:
    file.touch(0o600)
    file.write_text(text)


def aad(daemon: Daemon, *words: str, right: int = 0) -> str:
    done = warm.aad(*words, "-c", daemon.file)
    assert done.returncode == right, done.stdout + done.stderr
    return done.stdout


def app() -> str:
    """Return what everybody's app shows now."""
    command = ["oathtool", "--totp", "--base32", SEED]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def asked(daemon: Daemon, name: str, typed: str, source: str = "127.0.0.1") -> client_packets.Reply:
    with Raw(daemon.host, daemon.port, source=source) as client:
        return client.ask(name, typed)


def said(reply: client_packets.Reply) -> tuple[int, list[tuple[int, bytes]]]:
    """Return a reply without what signs it."""
    return reply.code, [each for each in reply.attributes if each[0] != constants.MESSAGE_AUTHENTICATOR]


def reasons(daemon: Daemon, name: str) -> set[str]:
    return {record["reason"] for record in daemon.records("login.rejected") if record["user"] == name}


def test_35_a_right_code_lets_no_barred_account_in(house: House) -> None:
    wrong = said(asked(house.daemon, "nobody", app()))
    for name, reason in REFUSED.items():
        assert said(asked(house.daemon, name, app())) == wrong, name
        assert asked(house.daemon, name, "").code == ACCESS_REJECT, name
        assert reasons(house.daemon, name) == {reason}
    for name in FINE:
        assert asked(house.daemon, name, app()).code == ACCESS_ACCEPT, name
    assert len(house.daemon.records("login.accepted")) == len(FINE)


def test_35_nor_over_https(house: House) -> None:
    wrong = house.website.login("nobody", app()).body
    for name, reason in REFUSED.items():
        assert house.website.login(name, app()).body == wrong, name
        assert reasons(house.daemon, name) == {reason}
    for name in FINE:
        assert house.website.login(name, app()).result == "accepted", name


def test_35_nor_by_a_mail_and_none_is_sent(house: House) -> None:
    for name, reason in REFUSED.items():
        for source, typed in ((CODES, ""), (FILE, TYPED), (FILE, "a guess")):
            assert asked(house.daemon, name, typed, source).code == ACCESS_REJECT, name
        assert reasons(house.daemon, name) == {reason}
    for source, typed in ((CODES, ""), (FILE, TYPED)):
        with Raw(house.daemon.host, house.daemon.port, source=source) as client:
            challenge = client.ask("plain", typed)
            assert challenge.code == ACCESS_CHALLENGE
            count = 1 + (source == FILE)
            code = code_in(house.mailbox.wait("plain@example.com", count))
            state = (constants.STATE, challenge.first(constants.STATE) or b"")
            assert client.ask("plain", code, state).code == ACCESS_ACCEPT
    assert {letter.recipients for letter in house.mailbox.messages} == {("plain@example.com",)}


def test_35_nor_by_a_chain_that_the_user_chooses(house: House) -> None:
    for name, reason in REFUSED.items():
        for typed in ("", app(), TYPED, "2"):
            assert asked(house.daemon, name, typed, CHOICE).code == ACCESS_REJECT, name
        assert reasons(house.daemon, name) == {reason}
    assert asked(house.daemon, "plain", "", CHOICE).code == ACCESS_CHALLENGE


def test_35_nor_spelled_otherwise_and_to_be_barred_is_no_guess(house: House) -> None:
    for spelled in ("AD-Disabled", " ad-disabled", "ad-disabled ", "\uff41\uff44-disabled", "ad-d\u00adisabled"):
        assert asked(house.daemon, spelled, app()).code == ACCESS_REJECT
        assert house.website.login(spelled, app()).result != "accepted"
    for _ in range(5):
        asked(house.daemon, "389-disabled", app())
        asked(house.daemon, "garbage", "000000")
    assert reasons(house.daemon, "389-disabled") == {REFUSED["389-disabled"]}
    assert reasons(house.daemon, "garbage") == {REFUSED["garbage"]}
    assert not house.daemon.records("login.accepted", "user.locked")


def test_35_the_commands_say_so(house: House) -> None:
    said = aad(house.daemon, "explain", "ipa-expired", "--event", "vpn", right=1)
    assert "account: barred by the repository: account expired (krbPrincipalExpiration)\n" in said
    assert "chain app: asks the repository for no password, so ipa-expired is refused there\n" in said
    assert "account:" not in aad(house.daemon, "explain", "ipa-fine", "--event", "vpn")
    assert "account states seen (" in aad(house.daemon, "check", "--online")


def checked(folder: Path, authority: Authority, directory: Directory, more: str, *, right: int) -> str:
    """Return what `aad check --online` says of the repository."""
    with Mailbox(authority, "tls", "aad", "mail secret") as mailbox:
        rest = 'chains = ["code"]\n[chains.code]\nmethods = ["email_otp"]\n' + repository(directory) + more
        daemon = Daemon(folder, rest + sender(mailbox.port, authority))
        (line,) = [each for each in aad(daemon, "check", "--online", right=right).splitlines() if "corp" in each]
    return line


def test_35_a_directory_that_shows_no_marks_is_named(tmp_path: Path, authority: Authority) -> None:
    folder = tmp_path / "blind"
    users = [Person("alice", PASSWORD, extra={"nsAccountLock": "true"}), Person("bob", PASSWORD)]
    with Directory(folder, authority, users, schema=SCHEMA, access=HIDDEN) as blind:
        said = checked(tmp_path / "a", authority, blind, "", right=0)
        assert "but of 2 users cn=service,dc=example,dc=com sees no attribute that tells of disabled" in said
        said = checked(tmp_path / "b", authority, blind, 'directory = "openldap"\n', right=0)
        assert "but of 2 users cn=service,dc=example,dc=com sees no attribute that tells of disabled" in said
        more = 'directory = "active-directory"\nuser_filter = "(uid={name})"\n'
        said = checked(tmp_path / "c", authority, blind, more, right=1)
        assert "FAILED" in said
        assert "userAccountControl of every user is hidden from cn=service,dc=example,dc=com" in said
