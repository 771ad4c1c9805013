"""What a portal keeps: sessions, forms, headers; and what a stranger learns."""

from __future__ import annotations

import itertools
import json
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from aad.core import authenticated
from aad.core.secret import Secret
from aad.portal.sessions import KIND
from tests.parts.authority import Certificate
from tests.parts.waiting import until
from tests.portal.conftest import PASSWORD, Place, serving
from tests.portal.visitor import SESSION, VISITOR, Visitor

NAMES = (f"user{number:02}" for number in itertools.count())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, certificate: Certificate) -> Iterator[Place]:
    """One portal for all tests here: each has users of its own."""
    yield from serving(tmp_path_factory.mktemp("aad"), certificate)


@pytest.fixture
def name() -> str:
    """Return the name of a user whom no other test knows."""
    return next(NAMES)


@pytest.fixture
def alice(place: Place, name: str) -> Visitor:
    """Return somebody who is signed in."""
    visitor = Visitor(place)
    visitor.sign_in(name)
    return visitor


def told(place: Place, record: str, name: str) -> list[dict[str, Any]]:
    return [each for each in place.daemon.records(record) if each["user"] == name]


def age(place: Place, name: str, seconds: float) -> None:
    """Make the sessions of a user older: he signed in, and was last here, so much earlier."""
    installation = Secret((place.daemon.folder / "installation.key").read_bytes())
    key = authenticated.derived(installation, KIND)
    with closing(sqlite3.connect(place.daemon.folder / "state.db", isolation_level=None)) as connection:
        rows = connection.execute("SELECT name, value FROM passing WHERE kind = ?", (KIND,)).fetchall()
        read = [(token, authenticated.verified(key, token.encode(), value)) for token, value in rows]
        found = [
            (token, kept, json.loads(kept.content))
            for token, kept in read
            if kept and f'"{name}"'.encode() in kept.content
        ]
        assert found
        for token, kept, (user, repository, began, seen, *more) in found:
            older = json.dumps([user, repository, began - seconds, seen - seconds, *more]).encode()
            signed = authenticated.sign(key, token.encode(), older, since=kept.since, until=kept.until)
            connection.execute("UPDATE passing SET value = ? WHERE name = ?", (signed, token))


@pytest.mark.parametrize("path", ["/sign-in", "/", "/nowhere", "/helpdesk", "//evil.example/"])
def test_every_page_has_the_headers_that_keep_a_browser_safe(place: Place, path: str) -> None:
    seen = Visitor(place).get(path)
    assert seen.header("Cache-Control") == "no-store"
    assert seen.header("Referrer-Policy") == "no-referrer"
    assert seen.header("X-Content-Type-Options") == "nosniff"
    assert seen.header("Strict-Transport-Security").startswith("max-age=31536000")
    policy = dict(each.strip().partition(" ")[::2] for each in seen.header("Content-Security-Policy").split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in str(policy)
    assert "script-src" not in policy
    if seen.text:
        assert policy["style-src"] == policy["form-action"] == "'self'"
        assert not re.search(r"<script|<style|\sstyle=|\son\w+=", seen.text)


def test_cookies_are_for_us_alone(place: Place, name: str) -> None:
    visitor = Visitor(place)
    (first,) = visitor.get("/sign-in").set_cookies
    fields = visitor.begin(name).form("/sign-in/code") | {"code": place.code(f"{name}@example.com")}
    session, gone = visitor.post("/sign-in/code", fields).set_cookies
    for cookie, called in ((first, VISITOR), (session, SESSION), (gone, VISITOR)):
        assert cookie.startswith(f"{called}=")
        assert {"Secure", "HttpOnly", "SameSite=Strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}
        assert "Domain" not in cookie
    assert "Max-Age" not in session, "it ends with the browser"
    assert VISITOR not in visitor.cookies


def test_the_stylesheet_is_kept_and_there_is_no_script(place: Place, name: str) -> None:
    page = Visitor(place).get("/sign-in").text
    found = re.search(r'href="(/portal\.[0-9a-f]{12}\.css)"', page)
    assert found
    style = Visitor(place).get(found[1])
    assert (style.status, style.header("Content-Type")) == (200, "text/css; charset=utf-8")
    assert "immutable" in style.header("Cache-Control")
    assert "url(" not in style.text
    assert len(page.encode()) + len(style.text.encode()) < 20_000


def test_a_session_that_a_browser_brings_is_never_taken_up(place: Place, name: str) -> None:
    """Session fixation: what an attacker put there is no session, before and after somebody signs in with it."""
    visitor = Visitor(place, {SESSION: "A" * 44})
    visitor.sign_in(name)
    assert visitor.cookies[SESSION] != "A" * 44
    assert Visitor(place, {SESSION: "A" * 44}).get("/").status == 303


def test_signing_in_again_ends_the_session_of_before(alice: Visitor, name: str) -> None:
    before = alice.cookies[SESSION]
    alice.sign_in(name)
    assert alice.cookies[SESSION] != before
    assert Visitor(alice.place, {SESSION: before}).get("/").status == 303
    assert alice.get("/").status == 200


def test_signing_out_ends_the_session_at_the_server(alice: Visitor, name: str) -> None:
    token = alice.cookies[SESSION]
    out = alice.post("/sign-out", alice.get("/").form("/sign-out"))
    assert (out.status, out.header("Location")) == (303, "/sign-in")
    assert SESSION not in alice.cookies
    assert Visitor(alice.place, {SESSION: token}).get("/").header("Location") == "/sign-in"
    (record,) = told(alice.place, "portal.left", name)
    assert record["client"] == "portal"


def test_a_session_is_kept_as_a_hash_and_outlives_a_restart(alice: Visitor, name: str) -> None:
    token = alice.cookies[SESSION].encode()
    alice.place.daemon.kill()
    kept = b"".join(file.read_bytes() for file in alice.place.daemon.folder.glob("state.db*"))
    assert token not in kept
    alice.place.daemon.start()
    assert name in alice.get("/").words


def test_sessions_end_by_themselves(alice: Visitor, name: str) -> None:
    age(alice.place, name, 901)  # idle = 15 min
    assert alice.get("/").header("Location") == "/sign-in"


def test_enrolling_needs_a_fresh_sign_in(alice: Visitor, name: str) -> None:
    page = alice.get("/codes?method=recovery_codes")
    assert page.status == 200
    age(alice.place, name, 601)  # fresh = 10 min
    assert alice.get("/").status == 200
    for seen in (
        alice.get("/codes?method=recovery_codes"),
        alice.get("/enrol?method=totp"),
        alice.post("/codes", page.form("/codes")),
    ):
        assert seen.header("Location") == "/sign-in?again=1"
    assert "fresh sign-in" in alice.get("/sign-in?again=1").words
    assert alice.get("/sign-in").header("Location") == "/"
    alice.sign_in(name)
    assert alice.get("/codes?method=recovery_codes").status == 200


def test_who_is_gone_from_his_repository_is_gone_here(alice: Visitor, name: str) -> None:
    file = alice.place.daemon.folder / "users.toml"
    text = file.read_text()
    file.write_text(text.replace(f"[users.{name}]", "[users.another]"))
    until(lambda: alice.get("/").status == 303, what="his session to end")
    file.write_text(text)


FORMS = ["/sign-out", "/test", "/test/code", "/enrol", "/prove", "/prove/send", "/codes"]


@pytest.mark.parametrize("csrf", [None, "", "wrong", "another's"])
def test_a_form_without_our_token_does_nothing(place: Place, alice: Visitor, name: str, csrf: str | None) -> None:
    if csrf == "another's":
        csrf = Visitor(place).sign_in("bob").form("/sign-out")["csrf"]
    mails = len(place.mailbox.messages)
    for path in FORMS:
        seen = alice.post(path, {"method": "email_otp"} | ({} if csrf is None else {"csrf": csrf}))
        assert seen.status == 403, path
    assert len(place.mailbox.messages) == mails
    assert alice.get("/").status == 200, "still signed in"
    assert len(told(place, "portal.refused", name)) == len(FORMS)


@pytest.mark.parametrize("path", FORMS)
def test_a_form_without_a_session_leads_to_the_sign_in(place: Place, path: str) -> None:
    assert Visitor(place).post(path, {}).header("Location") == "/sign-in"


def test_somebody_else_cannot_sign_a_browser_in(place: Place, name: str) -> None:
    """Login CSRF: the form's token belongs to one browser, and so does the code's page."""
    mallory, victim = Visitor(place), Visitor(place)
    fields = mallory.get("/sign-in").form("/sign-in") | {"name": name, "password": PASSWORD}
    assert Visitor(place).post("/sign-in", fields).status == 403
    victim.get("/sign-in")
    assert victim.post("/sign-in", fields).status == 403
    assert not place.mailbox.letters(f"{name}@example.com")
    begun = mallory.begin(name).form("/sign-in/code")
    own = victim.get("/sign-in").form("/sign-in")["csrf"]
    seen = victim.post("/sign-in/code", begun | {"csrf": own, "code": place.code(f"{name}@example.com")})
    assert seen.status == 403
    assert SESSION not in victim.cookies
    fields = begun | {"code": place.code(f"{name}@example.com")}
    assert mallory.post("/sign-in/code", fields).header("Location") == "/"


def test_a_code_page_answered_twice_signs_in_once(place: Place, name: str) -> None:
    visitor = Visitor(place)
    fields = visitor.begin(name).form("/sign-in/code") | {"code": place.code(f"{name}@example.com")}
    cookies = dict(visitor.cookies)
    assert visitor.post("/sign-in/code", fields).status == 303
    again = Visitor(place, cookies).post("/sign-in/code", fields)
    assert again.status == 403
    assert not [each for each in again.set_cookies if SESSION in each]


def test_a_form_that_makes_something_works_once(alice: Visitor, name: str) -> None:
    fields = alice.get("/codes?method=recovery_codes").form("/codes")
    first = alice.post("/codes", fields)
    assert len(re.findall(r"<li>\w{5}-\w{5}</li>", first.text)) == 10
    second = alice.post("/codes", fields)
    assert second.status == 409
    assert "sent before" in second.words
    assert len(told(alice.place, "user.enrolled", name)) == 1


@pytest.mark.parametrize("state", ["", "x", "%00", "A" * 400])
def test_what_no_page_of_ours_had_sealed_is_refused(place: Place, alice: Visitor, name: str, state: str) -> None:
    csrf = alice.get("/").form("/sign-out")["csrf"]
    for path in ("/test/code", "/enrol", "/prove", "/prove/send", "/codes"):
        assert alice.post(path, {"csrf": csrf, "state": state, "code": "123456"}).status == 403, path
    assert not told(place, "user.enrolled", name)


def test_a_sealed_state_is_good_for_its_form_alone(place: Place, alice: Visitor, name: str) -> None:
    fields = alice.get("/enrol?method=totp").form("/enrol")
    assert alice.post("/codes", fields).status == 403
    assert alice.post("/prove", fields | {"code": "123456"}).status == 403
    bob = Visitor(place)
    bob.sign_in("bob")
    csrf = bob.get("/").form("/sign-out")["csrf"]
    assert bob.post("/enrol", fields | {"csrf": csrf, "code": "123456"}).status == 403


def test_a_name_that_nobody_could_have_is_a_record_too(place: Place) -> None:
    assert Visitor(place).begin("odd\x01fellow").status == 403
    (record,) = told(place, "login.rejected", "odd\N{REPLACEMENT CHARACTER}fellow")
    assert (record["client"], record["reason"]) == ("portal", "a name that nobody could have")


def test_a_stranger_learns_nothing_from_a_refusal(place: Place, name: str) -> None:
    """Unknown, wrong, locked, without an address, odd: the same words, and none sooner than the delay."""
    seen = []
    for typed, password in (
        ("mallory", "x"),
        (name, "x"),
        ("nina", PASSWORD),  # has no address
        ("a\N{ZERO WIDTH SPACE}\x01b", "x"),
        *((name, f"x{number}") for number in range(3)),
        (name, PASSWORD),  # locked by now
    ):
        began = time.monotonic()
        page = Visitor(place).begin(typed, password)
        assert time.monotonic() - began >= 0.05  # reject_delay
        seen.append((page.status, page.words, re.sub(r'value="[^"]*"', "", page.text)))
    assert len(set(seen)) == 1
    assert told(place, "user.locked", name)


def test_a_lockout_by_the_portal_is_that_of_the_event(place: Place, name: str) -> None:
    for number in range(3):
        Visitor(place).begin(name, f"wrong {number}")
    (record,) = told(place, "user.locked", name)
    assert (record["client"], record["login_event"]) == ("portal", "portal")


def test_no_ticket_and_no_name_stands_in_a_url(place: Place, name: str) -> None:
    visitor = Visitor(place)
    page = visitor.begin(name)
    for seen in (page, visitor.sign_in(name)):
        for url in re.findall(r'(?:href|action)="([^"]*)"', seen.text):
            assert url.startswith(("/", "#"))
            assert not url.startswith("//")
            assert name not in url
            assert "ticket" not in url


def test_nothing_that_is_asked_for_leads_elsewhere(alice: Visitor, name: str) -> None:
    for path in ("/?next=//evil.example", "/sign-in?then=https://evil.example", "/sign-in?again=https://evil.example"):
        location = alice.get(path).header("Location")
        assert location in {"", "/"}


def test_only_the_helpdesk_helps(place: Place, alice: Visitor, name: str) -> None:
    csrf = alice.get("/").form("/sign-out")["csrf"]
    assert "Helpdesk" not in alice.get("/").words
    assert alice.get("/helpdesk").status == 403
    for path in ("/helpdesk", "/helpdesk/unlock", "/helpdesk/reset", "/helpdesk/reset/now"):
        assert alice.post(path, {"csrf": csrf, "name": "bob", "method": "totp"}).status == 403, path
    assert len(told(place, "portal.refused", name)) == 5


def test_a_helper_resets_others_with_a_record_and_never_himself(place: Place, alice: Visitor, name: str) -> None:
    alice.post("/codes", alice.get("/codes?method=recovery_codes").form("/codes"))
    hilda = Visitor(place)
    csrf = hilda.sign_in("hilda").form("/sign-out")["csrf"]
    hilda.post("/codes", hilda.get("/codes?method=recovery_codes").form("/codes"))
    own = hilda.post("/helpdesk", {"csrf": csrf, "name": "hilda"})
    assert 'action="/helpdesk/reset"' not in own.text
    state = re.findall(r'name="state" value="([^"]+)"', hilda.post("/helpdesk", {"csrf": csrf, "name": name}).text)
    fields = {"csrf": csrf, "state": state[0], "method": "recovery_codes"}
    asked = hilda.post("/helpdesk/reset", fields)
    assert "will be removed" in asked.words
    assert not told(place, "helpdesk.reset", name)
    assert alice.get("/").status == 200
    assert "is reset" in hilda.post("/helpdesk/reset/now", asked.form("/helpdesk/reset/now")).words
    assert "sent before" in hilda.post("/helpdesk/reset/now", asked.form("/helpdesk/reset/now")).words
    assert "was not set up any more" in hilda.post("/helpdesk/reset", fields).words
    (record,) = told(place, "helpdesk.reset", name)
    assert (record["by"], record["method"]) == ("hilda", "recovery_codes")
    assert [record["by"] for record in told(place, "helpdesk.looked", name)] == ["hilda"]
    assert alice.get("/").status == 303, "her sessions have ended"
    age(place, "hilda", 601)
    assert hilda.post("/helpdesk/reset", fields).header("Location") == "/sign-in?again=1"


def test_his_last_logins_are_shown_to_him_without_a_reason_and_to_the_helpdesk_with_it(place: Place, name: str) -> None:
    Visitor(place).begin(name, "wrong")
    bob, hilda = Visitor(place), Visitor(place)
    bob.sign_in(name)
    page = until(lambda: next((words for words in [bob.get("/").words] if "Refused" in words), ""), what="his history")
    assert "wrong password" not in page
    csrf = hilda.sign_in("hilda").form("/sign-out")["csrf"]
    assert "wrong password" in hilda.post("/helpdesk", {"csrf": csrf, "name": name}).words


def test_a_directory_that_is_gone_is_said_and_nobody_is_let_in(tmp_path: Path, certificate: Certificate) -> None:
    for place in serving(tmp_path / "aad", certificate):
        toml = place.daemon.file.read_text().replace('"Helpdesk"', '"cn=helpdesk"')
        gone = 'type = "ldap"\nservers = ["ldap://127.0.0.1:1"]\nstarttls = false\nbind_dn = "cn=a"\n'
        gone += 'bind_password = "b"\nbase_dn = "dc=c"'
        place.daemon.file.write_text(toml.replace('type = "file"\npath = "users.toml"', gone))
        place.daemon.reload()
        assert place.daemon.records("configuration.loaded")
        seen = Visitor(place).begin("alice")
        assert seen.status == 503
        assert "cannot be checked at the moment" in seen.words
