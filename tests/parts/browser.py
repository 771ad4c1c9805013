"""Chromium, driven by Playwright: Debian's own, no download."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

from tests.parts.part import Part

CHROMIUM = "/usr/bin/chromium"
PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1280, "height": 860}


class Chromium(Part):
    """One browser; each test has contexts of its own, which share nothing.

    Only in tests without an event loop of their own: Playwright has one in this thread until it is stopped.
    """

    def __init__(self) -> None:
        """Start nothing yet."""
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None

    def start(self) -> None:
        """Start it, without a window."""
        self._playwright = sync_playwright().start()
        self._browser = self._playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )

    def stop(self) -> None:
        """End it."""
        if self._browser is not None:
            self._browser.close()
        if self._playwright is not None:
            self._playwright.stop()
        self._browser = self._playwright = None

    def context(
        self,
        url: str,
        *,
        scripts: bool = True,
        phone: bool = False,
        scheme: Literal["light", "dark"] = "light",
        language: str = "en",
    ) -> BrowserContext:
        """Return a visitor of `url`, with or without JavaScript; he takes any certificate."""
        assert self._browser is not None
        made = self._browser.new_context(
            base_url=url,
            ignore_https_errors=True,
            java_script_enabled=scripts,
            viewport=PHONE if phone else DESKTOP,  # type: ignore[arg-type]  # a TypedDict of these
            color_scheme=scheme,
            locale=language,
        )
        made.set_default_timeout(10_000)
        return made


def violations(page: Page, axe: Path) -> list[str]:
    """Return what axe-core finds on a page: each rule with the elements that break it."""
    page.evaluate(axe.read_text("utf-8"))  # not a script of the page, so its CSP has no say
    run = "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
    found: dict[str, Any] = page.evaluate(run)
    return [f"{each['id']}: {node['html']}" for each in found["violations"] for node in each["nodes"]]
