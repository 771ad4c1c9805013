"""A session whose user is disabled meanwhile ends, and no new one begins."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.authority import Authority, Certificate
from tests.parts.corp import repository
from tests.parts.daemon import Daemon
from tests.parts.directory import Directory, Person
from tests.parts.mailbox import Mailbox
from tests.parts.ports import free_port
from tests.parts.states import SCHEMA
from tests.parts.waiting import until
from tests.portal.conftest import PASSWORD, Place, configuration
from tests.portal.visitor import SESSION, Visitor


def disable(place: Place, name: str) -> None:
    """Write the users file anew, with one user disabled."""
    file = place.daemon.folder / "users.toml"
    new = file.with_name("users.new")
    new.touch(0o600)
    new.write_text(file.read_text().replace(f"[users.{name}]\n", f"[users.{name}]\ndisabled = true\n"))
    new.rename(file)


def test_a_session_ends_with_its_users_account(place: Place) -> None:
    alice, bob = Visitor(place), Visitor(place)
    alice.sign_in("alice")
    bob.sign_in("bob")
    cookie = alice.cookies[SESSION]
    assert alice.get("/").status == 200
    disable(place, "alice")
    until(lambda: alice.get("/").status == 303, what="the users file to be read anew")  # once a second
    assert alice.get("/").header("Location") == "/sign-in"
    assert SESSION not in alice.cookies
    alice.cookies[SESSION] = cookie  # who keeps it has nothing
    assert alice.get("/").status == 303
    assert bob.get("/").status == 200
    (record,) = place.daemon.records("portal.ended")
    assert (record["user"], record["client"]) == ("alice", "portal")
    assert record["reason"] == "barred by the repository: account disabled"
    begun = alice.begin("alice")
    assert begun.status == 403
    wrong = bob.begin("bob", "a guess")
    assert begun.words.replace("alice", "bob") == wrong.words


def test_a_form_of_a_disabled_user_does_nothing(place: Place) -> None:
    alice = Visitor(place)
    page = alice.sign_in("alice")
    fields = page.form("/test") | {"method": "email_otp"}
    disable(place, "alice")
    watched = Visitor(place)
    until(lambda: watched.begin("alice").status == 403, what="the users file to be read anew")
    mails = len(place.mailbox.letters("alice@example.com"))
    sent = alice.post("/test", fields)
    assert (sent.status, sent.header("Location")) == (303, "/sign-in")
    assert len(place.mailbox.letters("alice@example.com")) == mails


def test_the_helpdesk_still_finds_a_disabled_user(place: Place) -> None:
    helper = Visitor(place)
    helper.sign_in("hilda")
    disable(place, "bob")
    until(lambda: Visitor(place).begin("bob").status == 403)
    form = helper.get("/helpdesk").form("/helpdesk") | {"name": "bob"}
    # Logins are remembered a moment after they were.
    until(lambda: "account disabled" in helper.post("/helpdesk", form).words, what="the refusal on bob's page")


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Directory]:
    """Return a directory whose service account may disable users."""
    (tmp_path / "ca").mkdir()
    people = [Person(name, PASSWORD, mail=(f"{name}@example.com",)) for name in ("alice", "bob")]
    access = f'access to attrs=nsAccountLock by dn.exact="{Directory.bind_dn}" write by * none'
    authority, folder = Authority(tmp_path / "ca"), tmp_path / "directory"
    with Directory(folder, authority, people, schema=SCHEMA, access=access) as running:
        yield running


@pytest.fixture
def elsewhere(tmp_path: Path, directory: Directory, certificate: Certificate) -> Iterator[Place]:
    """Return a portal whose users live in a directory; every chain asks it for the password."""
    port = free_port()
    with Mailbox() as mailbox:
        rest = configuration(certificate, port, mailbox.port) + repository(directory)
        rest = rest.replace("[events.portal]\n", '[events.portal]\nrepositories = ["corp"]\n')
        rest = rest.replace('"Helpdesk"', '"cn=helpdesk"')
        rest = rest.replace('[repositories.local]\ntype = "file"\npath = "users.toml"\n', "")
        with Daemon(tmp_path / "aad", rest) as daemon:
            yield Place(daemon, f"https://localhost:{port}", mailbox, certificate, port)
            assert not daemon.strays()
            assert not daemon.records("fault")


def test_it_ends_with_an_account_of_a_directory_too(elsewhere: Place, directory: Directory) -> None:
    alice, bob = Visitor(elsewhere), Visitor(elsewhere)
    alice.sign_in("alice")
    bob.sign_in("bob")
    assert (alice.get("/").status, bob.get("/").status) == (200, 200)
    change = f"dn: {Person('alice', '').dn}\nchangetype: modify\nadd: nsAccountLock\nnsAccountLock: true\n"
    who = ["-x", "-H", directory.ldap_uri, "-D", directory.bind_dn, "-w", directory.bind_password]
    subprocess.run(["ldapmodify", *who], input=change, text=True, check=True, capture_output=True)
    assert (alice.get("/").status, bob.get("/").status) == (303, 200)
    (record,) = elsewhere.daemon.records("portal.ended")
    assert (record["user"], record["reason"]) == ("alice", "barred by the repository: account disabled (nsAccountLock)")
