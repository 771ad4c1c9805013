"""The portal in a browser: with JavaScript and without, on a phone and on a desk, light and dark, read by axe-core."""

from __future__ import annotations

import importlib.util
import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest
from playwright.sync_api import Page

from tests.parts.authority import Certificate
from tests.parts.browser import Chromium, violations
from tests.parts.radclient import Radclient
from tests.parts.waiting import until
from tests.portal.conftest import PASSWORD, Place, serving

NAMES = (f"user{number:02}" for number in itertools.count(40))
PACKAGE = importlib.util.find_spec("axe_playwright_python")
assert PACKAGE is not None
assert PACKAGE.origin is not None
AXE = Path(PACKAGE.origin).with_name("axe.min.js")
BOTH = pytest.mark.parametrize("scripts", [True, False], ids=["JavaScript", "none"])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, certificate: Certificate) -> Iterator[Place]:
    yield from serving(tmp_path_factory.mktemp("aad"), certificate)


@pytest.fixture
def name() -> str:
    return next(NAMES)


@pytest.fixture
def page(request: pytest.FixtureRequest, chromium: Chromium, place: Place) -> Iterator[Page]:
    """Return a page of the kind that the test's parameters say."""
    known = getattr(request.node, "callspec", None)
    given = {key: known.params[key] for key in ("scripts", "phone", "scheme") if known and key in known.params}
    context = chromium.context(place.url, **given)
    yield context.new_page()
    context.close()


def press(page: Page, button: str) -> None:
    page.get_by_role("button", name=button, exact=True).click()


def sign_in(page: Page, place: Place, name: str) -> None:
    recipient = f"{name}@example.com"
    count = len(place.codes(recipient))
    page.goto("/")
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    press(page, "Sign in")
    page.get_by_label("Code", exact=True).fill(place.code(recipient, count + 1))
    press(page, "Continue")
    page.get_by_role("heading", name="My account").wait_for()


def radius(place: Place) -> Radclient:
    return Radclient(place.daemon.host, place.daemon.port, place.daemon.secret)


def said(page: Page) -> str:
    return page.get_by_role("status").inner_text()


@BOTH
def test_a_user_tests_his_mail(page: Page, place: Place, name: str, *, scripts: bool) -> None:
    sign_in(page, place, name)
    press(page, "Test: Code by e-mail")
    assert page.title().startswith("Test: Code by e-mail")
    page.get_by_label("Code", exact=True).fill("0000000")
    press(page, "Continue")
    assert page.title().startswith("Error: ")
    assert page.get_by_label("Code", exact=True).get_attribute("aria-invalid") == "true"
    press(page, "Send the code again")
    assert "on its way again" in said(page)
    page.get_by_label("Code", exact=True).fill(place.code(f"{name}@example.com", 3))
    press(page, "Continue")
    assert said(page) == "It works: Code by e-mail."


@BOTH
def test_a_user_enrols_his_app_and_logs_in_over_radius_with_it(
    page: Page, place: Place, name: str, *, scripts: bool
) -> None:
    sign_in(page, place, name)
    page.get_by_role("link", name="Set up: Authenticator app").click()
    assert page.get_by_role("img", name="QR code").bounding_box()
    app = pyotp.TOTP(page.locator(".key").inner_text().replace(" ", ""))
    page.get_by_label("Code", exact=True).fill("12 34")
    press(page, "Continue")
    assert "not right" in page.get_by_role("alert").inner_text()
    assert page.locator(".key").inner_text().replace(" ", "") == app.secret
    page.get_by_label("Code", exact=True).fill(app.now())
    press(page, "Continue")
    assert "is set up" in said(page)
    assert radius(place).login(name, PASSWORD, lambda _: app.at(int(time.time()) + 30)).accepted
    press(page, "Sign out")
    sign_in(page, place, name)
    page.get_by_role("link", name="Replace: Authenticator app").click()
    page.get_by_label("Code", exact=True).fill("123456")
    press(page, "Continue")
    assert "not right" in page.get_by_role("alert").inner_text()
    assert not page.locator(".key").count()


@BOTH
def test_a_user_makes_recovery_codes_and_logs_in_over_radius_with_one(
    page: Page, place: Place, name: str, *, scripts: bool
) -> None:
    sign_in(page, place, name)
    page.get_by_role("link", name="Make codes").click()
    press(page, "Make codes")
    first, *others = page.locator(".codes li").all_inner_texts()
    assert len(others) == 9
    page.get_by_role("link", name="Done").click()
    assert "10 codes left" in page.locator("main").inner_text()
    assert radius(place).login(name, PASSWORD, lambda _: first).accepted
    assert not radius(place).login(name, PASSWORD, lambda _: first).accepted
    page.reload()
    assert "9 codes left" in page.locator("main").inner_text()


@BOTH
def test_the_helpdesk_sees_why_somebody_is_not_let_in_and_unlocks_him(
    page: Page, place: Place, name: str, *, scripts: bool
) -> None:
    for number in range(4):
        radius(place).login(name, f"wrong {number}", lambda _: "")
    sign_in(page, place, "hilda")
    page.get_by_role("link", name="Helpdesk").click()

    def found() -> bool:
        page.get_by_role("link", name="Helpdesk").click()
        page.get_by_label("User name").fill(name)
        press(page, "Find")
        return "wrong password" in page.locator("main").inner_text()

    until(found, what="the reason")
    assert "Wrong passwords in a row: 3" in page.locator("main").inner_text()
    assert "locked out by wrong passwords" in page.locator("dl").inner_text()
    press(page, "Unlock")
    assert said(page) == f"{name} is unlocked."
    (record,) = [each for each in place.daemon.records("helpdesk.unlocked") if each["user"] == name]
    assert record["by"] == "hilda"
    address = f"{name}@example.com"
    assert radius(place).login(name, PASSWORD, lambda _: place.code(address)).accepted


@BOTH
def test_a_user_signs_out(page: Page, place: Place, name: str, *, scripts: bool) -> None:
    sign_in(page, place, name)
    press(page, "Sign out")
    page.goto("/")
    page.wait_for_url("**/sign-in")
    page.go_back()
    assert name not in page.content(), "the browser keeps no page"


def test_it_speaks_the_browser_s_language_then_the_user_s(chromium: Chromium, place: Place) -> None:
    context = chromium.context(place.url, language="fr-CH")
    page = context.new_page()
    page.goto("/")
    assert page.locator("html").get_attribute("lang") == "fr"
    assert page.get_by_role("heading", name="Se connecter").count() == 1
    page.fill("#name", "dora")
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    page.fill("#code", place.code("dora@example.com"))
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Mein Konto").wait_for()
    assert page.locator("html").get_attribute("lang") == "de"
    context.close()


def test_a_keyboard_is_enough(page: Page, place: Place, name: str) -> None:
    page.goto("/sign-in")
    page.wait_for_function("document.activeElement.id == 'name'")  # the browser focuses when it gets to it
    page.keyboard.type(name)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector("#code")
    page.wait_for_function("document.activeElement.id == 'code'")
    page.keyboard.type(place.code(f"{name}@example.com"))
    page.keyboard.press("Enter")
    page.wait_for_selector("#methods")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/#content")  # the first thing to reach skips what is the same on every page


@pytest.mark.parametrize(("scheme", "phone"), [("light", False), ("dark", True)])
def test_axe_finds_nothing_on_any_page(  # noqa: PLR0915 - one after the other
    page: Page, place: Place, name: str, tmp_path: Path, *, scheme: str, phone: bool
) -> None:
    seen: list[str] = []

    def look(what: str) -> None:
        page.screenshot(path=tmp_path / f"{len(seen)}-{what}.png", full_page=True)
        assert violations(page, AXE) == [], what
        wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, f"{what} is to be scrolled sideways"
        seen.append(what)

    page.goto("/nowhere")
    look("no such page")
    page.goto("/sign-in")
    look("sign-in")
    press(page, "Sign in")
    look("sign-in with mistakes")
    sign_in(page, place, name)
    look("home, nothing set up")
    press(page, "Test: Code by e-mail")
    look("test")
    press(page, "Continue")
    look("test with a mistake")
    page.goto("/")
    page.get_by_role("link", name="Make codes").click()
    press(page, "Make codes")
    press(page, "Sign out")
    sign_in(page, place, "hilda")
    if not page.get_by_role("link", name="Replace: Authenticator app").count():
        page.get_by_role("link", name="Set up: Authenticator app").click()
        look("enrol")
        page.get_by_label("Code", exact=True).fill(pyotp.TOTP(page.locator(".key").inner_text().replace(" ", "")).now())
        press(page, "Continue")
        look("home after enrolling")
    page.get_by_role("link", name="Replace: Authenticator app").click()
    look("proof")
    page.goto("/")
    page.get_by_role("link", name="codes").click()
    look("codes, before")
    page.locator("main button").click()
    look("codes")
    page.get_by_role("link", name="Helpdesk").click()
    look("find")
    press(page, "Find")
    look("find with a mistake")
    for _ in range(3):
        radius(place).login(name, "wrong", lambda _: "")
    page.get_by_label("User name").fill(name)
    press(page, "Find")
    look("person, locked")
    press(page, "Unlock")
    look("person, unlocked")
    press(page, "Reset: Recovery codes")
    look("reset, asked back")
    page.goto("/sign-in?again=1")
    look("sign-in, again")


def test_axe_finds_nothing_where_a_proof_is_asked_for(
    chromium: Chromium, tmp_path: Path, certificate: Certificate
) -> None:
    for bare in serving(tmp_path / "aad", certificate, chain="bare"):
        context = chromium.context(bare.url)
        page = context.new_page()
        for name, sending in (("alice", True), ("nina", False)):
            page.goto("/sign-in?again=1")
            page.get_by_label("User name").fill(name)
            page.get_by_label("Password").fill(PASSWORD)
            press(page, "Sign in")
            page.get_by_role("link", name="Make codes").click()
            assert violations(page, AXE) == []
            assert bool(page.get_by_role("button", name="Send the code").count()) is sending
            if sending:
                press(page, "Send the code")
                assert violations(page, AXE) == []
                page.get_by_label("Code", exact=True).fill(bare.code("alice@example.com"))
                press(page, "Continue")
                assert page.get_by_role("button", name="Make codes").count()
                assert violations(page, AXE) == []
        context.close()


def test_axe_would_find_something(page: Page, place: Place) -> None:
    page.goto("/sign-in")
    page.evaluate("document.querySelector('label').remove(); document.documentElement.removeAttribute('lang')")
    assert {each.partition(":")[0] for each in violations(page, AXE)} >= {"label", "html-has-lang"}
