"""Who changes what they are enrolled with proves something as strong as that, and the user is told by mail of it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyotp
import pytest

from tests.parts import warm
from tests.parts.authority import Certificate
from tests.parts.waiting import until
from tests.portal.conftest import PASSWORD, Place, certificate, serving
from tests.portal.visitor import SESSION, Seen, Visitor
from tests.requirements.machine import Machine

__all__ = ["certificate"]
APP, CODES = "/enrol?method=totp", "/codes?method=recovery_codes"
ADMINS = 'helpdesk_admins = ["bosses"]'


@pytest.fixture
def bare(machine: Machine, tmp_path: Path, certificate: Certificate) -> Iterator[Place]:
    """Return a portal that is signed in to by a password alone."""
    yield from serving(tmp_path / "aad", certificate, chain="bare", portal=ADMINS)


@pytest.fixture
def strong(machine: Machine, tmp_path: Path, certificate: Certificate) -> Iterator[Place]:
    """Return a portal that is signed in to by a password and a mail."""
    yield from serving(tmp_path / "aad", certificate, portal=ADMINS)


def signed_in(place: Place, name: str) -> Visitor:
    """Sign in by the password alone."""
    visitor = Visitor(place)
    assert visitor.begin(name).header("Location") == "/"
    return visitor


def aad(place: Place, *words: str, given: str = "") -> str:
    done = warm.aad(*words, "-c", place.daemon.file, given=given)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def enrolled(place: Place, name: str) -> pyotp.TOTP:
    """Enrol an app by command."""
    out = aad(place, "totp", "enroll", name, "--no-confirm", "--method", "totp")
    return pyotp.TOTP(re.findall(r"or typed: (\w+)", out)[0])


def paper(place: Place, name: str) -> list[str]:
    return re.findall(r"(?m)^\w{5}-\w{5}$", aad(place, "recovery", "make", name))


def app_of(page: Seen) -> pyotp.TOTP:
    """Return the app that has scanned the picture of a page."""
    return pyotp.TOTP(re.findall(r'class="key">([^<]+)<', page.text)[0].replace(" ", ""))


def made(page: Seen) -> list[str]:
    return re.findall(r"<li>(\w{5}-\w{5})</li>", page.text)


def at(app: pyotp.TOTP, steps: int = 0) -> str:
    return app.at(int(time.time()) + 30 * steps)


def proved(visitor: Visitor, page: Seen, code: str) -> Seen:
    return visitor.post("/prove", page.form("/prove") | {"code": code})


def by_mail(visitor: Visitor, page: Seen, name: str) -> Seen:
    """Prove it by the code that is mailed."""
    address = f"{name}@example.com"
    count = len(visitor.place.codes(address))
    asked = visitor.post("/prove/send", page.form("/prove/send"))
    return proved(visitor, asked, visitor.place.code(address, count + 1))


def told(place: Place, name: str, count: int = 1) -> str:
    """Return the latest notice, once there are so many."""
    found = until(lambda: place.notices(f"{name}@example.com")[count - 1 :], 90.0, "a notice")
    assert len(found) == 1
    assert found[-1].recipients == (f"{name}@example.com",)
    return found[-1].text


def test_42_a_password_alone_changes_nothing(bare: Place) -> None:
    enrolled(bare, "alice")
    alice = signed_in(bare, "alice")
    for path in (APP, CODES):
        page = alice.get(path)
        assert not re.search('class="key"|action="/codes"|action="/enrol"', page.text), path
        assert 'action="/prove"' in page.text
        assert proved(alice, page, "000000").status == 422
    bob = signed_in(bare, "bob")
    for path in (APP, CODES):  # nothing is enrolled, and the sign-in had no second proof: a mail
        page = bob.get(path)
        assert not re.search('class="key"|action="/codes"|action="/enrol"', page.text), path
        assert 'action="/prove/send"' in page.text
    nina = signed_in(bare, "nina")  # who has no address
    for path in (APP, CODES):
        page = nina.get(path)
        assert (page.status, "ask your helpdesk" in page.words, "555-0100" in page.words) == (403, True, True)


def test_42_what_was_enrolled_before_proves_one_change(bare: Place) -> None:
    app = enrolled(bare, "alice")
    alice = signed_in(bare, "alice")
    page = proved(alice, alice.get(CODES), at(app))
    form = page.form("/codes")
    codes = made(alice.post("/codes", form))
    assert len(codes) == 10
    assert not made(alice.post("/codes", form)), "once"
    assert 'action="/prove"' in alice.get(APP).text, "for this change alone"
    assert proved(alice, alice.get(APP), at(app)).status == 422, "and no code twice"
    page = alice.get(APP + "&by=recovery_codes")
    assert "recovery codes that you have" not in page.words
    assert proved(alice, page, codes[0]).status == 422, "it was made in this session"
    page = proved(alice, alice.get(APP), at(app, 1))
    new = app_of(page)
    assert alice.post("/enrol", page.form("/enrol") | {"code": at(new)}).header("Location") == "/?said=enrolled"
    assert alice.get(CODES).header("Location") == "/sign-in?again=1", "nothing of before is left"
    assert alice.get(APP).header("Location") == "/sign-in?again=1"
    again = signed_in(bare, "alice")
    assert 'class="key"' in proved(again, again.get(APP + "&by=recovery_codes"), codes[2]).text


def test_42_a_mailed_code_is_proof_where_there_is_none_yet(bare: Place) -> None:
    bob = signed_in(bare, "bob")
    page = by_mail(bob, bob.get(APP), "bob")
    app = app_of(page)
    assert bob.post("/enrol", page.form("/enrol") | {"code": at(app)}).header("Location") == "/?said=enrolled"
    page = bob.get(CODES)
    assert 'action="/prove/send"' in page.text, "what was set up in this session proves nothing in it"
    forged = bob.get("/codes?method=recovery_codes&by=totp")
    assert 'action="/prove"' not in forged.text
    codes = made(bob.post("/codes", by_mail(bob, page, "bob").form("/codes")))
    again = signed_in(bare, "bob")
    assert 'action="/prove"' in again.get(CODES).text, "a mail is not enough any more"
    assert proved(again, again.get(CODES + "&by=recovery_codes"), codes[0]).form("/codes")


def test_42_a_sign_in_with_a_second_proof_is_enough_only_where_there_is_nothing(strong: Place) -> None:
    alice = Visitor(strong)
    alice.sign_in("alice")
    assert len(made(alice.post("/codes", alice.get(CODES).form("/codes")))) == 10
    assert app_of(alice.get(APP))
    alice.sign_in("alice")
    for path in (APP, CODES):
        assert 'action="/prove"' in alice.get(path).text


def test_42_a_leave_ends_with_what_it_was_given_for(bare: Place) -> None:
    """Forms of before a reset, of another session, for another method, sealed before another change."""
    app, codes = enrolled(bare, "alice"), paper(bare, "alice")
    one, other = signed_in(bare, "alice"), signed_in(bare, "alice")
    page = proved(one, one.get(APP), at(app))
    form = page.form("/enrol") | {"code": at(app_of(page))}
    own = other.get("/").form("/sign-out")["csrf"]
    assert other.post("/enrol", form | {"csrf": own}).status == 403
    assert one.post("/codes", form).status == 403
    assert one.post("/prove", form).status == 403
    page = proved(other, other.get(APP + "&by=recovery_codes"), codes[0])
    stale = page.form("/enrol") | {"code": at(app_of(page))}
    form = proved(one, one.get(CODES + "&by=recovery_codes"), codes[1]).form("/codes")
    assert len(made(one.post("/codes", form))) == 10
    assert other.post("/enrol", stale).status == 409, "so much has changed since"
    make = "totp enroll alice --no-confirm --method totp"
    for command in ("totp remove alice", "recovery make alice", "recovery remove alice", make):
        visitor = signed_in(bare, "alice")
        aad(bare, *command.split())
        assert visitor.get("/").header("Location") == "/sign-in", command


def test_42_whom_an_administrator_has_removed_an_app_of_is_out(strong: Place) -> None:
    bob = Visitor(strong)
    bob.sign_in("bob")
    page = bob.get(APP)
    form = page.form("/enrol")
    assert bob.post("/enrol", form | {"code": at(app_of(page))}).header("Location") == "/?said=enrolled"
    aad(strong, "totp", "remove", "bob")
    assert bob.get(APP).header("Location") == "/sign-in"
    assert bob.post("/enrol", form | {"code": at(app_of(page))}).status == 303
    assert "bob" not in aad(strong, "totp", "list", "--method", "totp")


def test_42_one_code_is_leave_for_one_change(bare: Place) -> None:
    for name in (f"user{number:02}" for number in range(12)):
        enrolled(bare, name)
        code = {"code": paper(bare, name)[0]}
        visitor = signed_in(bare, name)
        app, codes = (visitor.get(f"{path}&by=recovery_codes").form("/prove") | code for path in (APP, CODES))
        given = visitor.post_at_once(("/prove", app), ("/prove", codes))
        if not ('class="key"' in given[0].text and 'action="/codes"' in given[1].text):
            continue  # one came first, and the code was used up
        confirmed = given[0].form("/enrol") | {"code": at(app_of(given[0]))}
        done = visitor.post_at_once(("/codes", given[1].form("/codes")), ("/enrol", confirmed))
        assert sorted(each.status in {200, 303} for each in done) == [False, True]
        return
    pytest.fail("the two forms never met")


def test_42_forty_at_once_are_one_change(bare: Place) -> None:
    app = enrolled(bare, "alice")
    alice = signed_in(bare, "alice")
    form = proved(alice, alice.get(CODES), at(app)).form("/codes")
    clones = [Visitor(bare, {SESSION: alice.cookies[SESSION]}) for _ in range(40)]
    with ThreadPoolExecutor(8) as pool:
        pages = list(pool.map(lambda each: each.post("/codes", form), clones))
    assert sum(bool(made(page)) for page in pages) == 1


def test_42_each_change_is_mailed_and_those_within_an_hour_together(bare: Place, machine: Machine) -> None:
    app = enrolled(bare, "alice")
    text = told(bare, "alice")
    assert "Authenticator app: set up, by an administrator" in text
    assert "change your password" in text
    assert "555-0100" in text
    alice = signed_in(bare, "alice")
    page = proved(alice, alice.get(APP), at(app))
    alice.post("/enrol", page.form("/enrol") | {"code": at(app_of(page))})
    codes = paper(bare, "alice")
    aad(bare, "totp", "remove", "alice")
    paper(bare, "bob")
    told(bare, "bob")  # a round later than hers
    assert len(bare.notices("alice@example.com")) == 1
    if bare.daemon.valkey:
        return  # nobody steps the clock of that server
    machine.step("boot", 3700)
    text = told(bare, "alice", 2)
    for line in (
        "Authenticator app: replaced; the one of before is good no longer, in the self-service portal, from 127.0.0.1",
        "Recovery codes: new ones were made; those of before are good no longer, by an administrator",
        "Authenticator app: removed, by an administrator",
    ):
        assert line in text
    assert codes[0] not in text
    until(lambda: len(bare.daemon.records("notice.sent")) == 3)


def test_42_a_notice_outlives_the_daemon_and_its_mail_server(bare: Place) -> None:
    bare.mailbox.stop()
    app = enrolled(bare, "alice")
    alice = signed_in(bare, "alice")
    assert made(alice.post("/codes", proved(alice, alice.get(CODES), at(app)).form("/codes")))
    # Killed amid a try at the mail server, the notice would wait until its claim runs out.
    until(lambda: bare.daemon.records("sender.down", "mail.failed", "mail.deferred"))
    bare.daemon.kill()
    bare.mailbox.start()
    bare.daemon.start()
    text = told(bare, "alice")
    assert "set up" in text
    assert "Recovery codes" in text


def test_42_an_import_mails_only_if_it_is_told_to(bare: Place, tmp_path: Path) -> None:
    file = tmp_path / "apps.csv"
    file.write_text(f"alice,{pyotp.random_base32()}\n")
    aad(bare, "totp", "import", str(file))
    file.write_text(f"bob,{pyotp.random_base32()}\n")
    aad(bare, "totp", "import", str(file), "--notify")
    told(bare, "bob")
    assert not bare.mailbox.letters("alice@example.com")


def test_42_no_budget_of_others_keeps_a_notice_back(bare: Place) -> None:
    text = bare.daemon.file.read_text().replace(
        'mails_per_user = "unlimited"',
        'mails_per_user = "1 per 1h"\nmails_per_client = "1 per 1h"\nmails_total = "1 per 1h"',
    )
    bare.daemon.file.write_text(text)
    bare.daemon.reload()
    assert bare.daemon.records("configuration.loaded")
    bob = signed_in(bare, "bob")
    bob.post("/prove/send", bob.get(CODES).form("/prove/send"))
    bare.code("bob@example.com")
    refused = bob.post("/test", bob.get("/").form("/test") | {"method": "email_otp"})
    assert "too many messages" in refused.words
    enrolled(bare, "bob")
    told(bare, "bob")


def test_42_who_can_not_be_told_is_a_record_and_on_the_helpdesk_s_page(bare: Place) -> None:
    enrolled(bare, "nina")
    records = until(lambda: bare.daemon.records("notice.undeliverable"), 30.0, "the record")
    assert [(each["user"], each["reason"]) for each in records] == [("nina", "no usable address")]
    hilda = signed_in(bare, "hilda")
    csrf = hilda.get("/helpdesk").form("/helpdesk")["csrf"]
    words = hilda.post("/helpdesk", {"csrf": csrf, "name": "nina"}).words
    assert "Authenticator app: set up, by an administrator" in words
    assert "no usable address" in words


def test_42_a_helper_is_asked_back_and_helps_no_helper(bare: Place, tmp_path: Path) -> None:
    users = bare.daemon.folder / "users.toml"
    text = users.read_text()
    entry = text[text.index("[users.hilda]") : text.index("[users.nina]")]
    henry, boss = (entry.replace("hilda", name) for name in ("henry", "boss"))
    users.write_text(f"{text}\n{henry}" + boss.replace('"helpdesk"', '"bosses"'))
    until(lambda: Visitor(bare).begin("boss", PASSWORD).status == 303, what="the new users")
    file = tmp_path / "apps.csv"
    file.write_text("".join(f"{name},{pyotp.random_base32()}\n" for name in ("alice", "hilda", "henry", "boss")))
    aad(bare, "totp", "import", str(file))

    def page(helper: Visitor, name: str) -> Seen:
        return helper.post("/helpdesk", {"csrf": helper.get("/helpdesk").form("/helpdesk")["csrf"], "name": name})

    def reset(helper: Visitor, seen: Seen) -> Seen:
        return helper.post("/helpdesk/reset", seen.form("/helpdesk/reset"))

    hilda, boss_ = signed_in(bare, "hilda"), signed_in(bare, "boss")
    state = re.findall(r'name="state" value="([^"]+)"', page(hilda, "alice").text)[0]
    asked = reset(hilda, page(hilda, "alice"))
    assert "alice is told by mail" in asked.words
    assert not bare.daemon.records("helpdesk.reset")
    assert "is reset" in hilda.post("/helpdesk/reset/now", asked.form("/helpdesk/reset/now")).words
    assert "Authenticator app: removed, by the helpdesk" in told(bare, "alice")
    for helper, name in ((hilda, "henry"), (hilda, "hilda"), (hilda, "boss"), (boss_, "boss")):
        seen = page(helper, name)
        assert "/helpdesk/reset" not in seen.text, name
        assert helper.post("/helpdesk/reset", {"csrf": seen.form("/sign-out")["csrf"], "state": state}).status in {
            403,
            404,
        }
    assert (
        "is reset"
        in boss_.post("/helpdesk/reset/now", reset(boss_, page(boss_, "henry")).form("/helpdesk/reset/now")).words
    )
    stale = page(hilda, "bob").form("/helpdesk/reset") if enrolled(bare, "bob") else {}
    text = users.read_text().replace('email = "bob@example.com"', 'email = "bob@example.com"\ngroups = ["helpdesk"]')
    users.write_text(text)
    until(lambda: "/helpdesk/reset" not in page(hilda, "bob").text, what="bob to be of the helpdesk")
    assert hilda.post("/helpdesk/reset", stale).status == 403, "a page of before that"
    assert hilda.post("/helpdesk/unlock", stale).status == 403
