"""Requirement 46 as systemd sees it: a plugin that can't be used is a reload refused, and a start that ends with 78."""

from __future__ import annotations

import os

from tests.parts.waiting import until
from tests.systemd.conftest import Home, challenged

PLUGIN = """\
from dataclasses import dataclass
from pathlib import Path

from aad.core.outcome import Success


def broken(step):
    if Path("/etc/aad/broken").read_text() == step:
        raise SystemExit(f"{step} went wrong")


broken("import")


@dataclass(frozen=True, kw_only=True)
class Settings:
    pass


@dataclass(frozen=True)
class Memo:
    pass


class Pin:
    Settings, Memo, proves = Settings, Memo, "pin"

    def __init__(self, settings, wiring):
        broken("__init__")

    async def __aenter__(self):
        broken("__aenter__")
        return self

    async def __aexit__(self, *error):
        raise SystemExit("it can't be left either")

    async def begin(self, login, answer, now, deadline):
        return Success()

    async def verify(self, login, memo, answer, now, deadline):
        return Success()
"""
PIN = """\
[methods.pin]
[chains.more]
methods = ["password", "pin", "email_otp"]
"""


def bring(home: Home) -> None:
    """Install the package as the daemon's Python would have it."""
    info = "/usr/lib/aad/pin-1.dist-info"
    home.write("/usr/lib/aad/pin.py", PLUGIN)
    home.write(f"{info}/METADATA", "Metadata-Version: 2.1\nName: aad-pin\nVersion: 1\n")
    home.write(f"{info}/entry_points.txt", "[aad.methods]\npin = pin:Pin\n")


def refused(home: Home) -> int:
    """Count the lines of the log that say a reload was refused."""
    return sum("configuration refused" in str(record.get("MESSAGE")) for record in home.journal("-u", "aad"))


def test_46_a_reload_is_refused_and_the_daemon_is_ready_again(home: Home) -> None:
    bring(home)
    home.begin()
    before = home.main_pid()
    home.configure(PIN)
    for number, step in enumerate(("import", "__init__", "__aenter__"), 1):
        home.write("/etc/aad/broken", step)
        home.systemctl("reload", "aad")
        until(lambda number=number: refused(home) == number, what=step)  # type: ignore[misc]
        until(lambda: "the last reload was refused" in home.show("aad", "StatusText"))
        home.becomes("aad", "active")
        assert home.main_pid() == before
        with home.client() as client:
            assert challenged(home, client)
    home.write("/etc/aad/broken", "nothing")
    for _ in range(2):  # the second time one is left, which raises
        home.systemctl("reload", "aad")
        until(lambda: "the last reload" not in home.show("aad", "StatusText"))
        home.becomes("aad", "active")
        with home.client() as client:
            assert challenged(home, client)
    assert home.main_pid() == before
    assert "Traceback" not in home.said()
    home.systemctl("stop", "aad")
    assert home.show("aad", "Result") == "success"


def test_46_a_start_ends_with_78_and_is_not_tried_again(home: Home) -> None:
    bring(home)
    home.configure(PIN)
    for step in ("import", "__init__", "__aenter__"):
        home.write("/etc/aad/broken", step)
        assert home.done("systemctl", "start", "aad").returncode
        home.becomes("aad", "failed")
        assert home.show("aad", "ExecMainStatus") == str(os.EX_CONFIG), step
        assert home.show("aad", "NRestarts") == "0"
        assert "methods.pin" in home.said()
    home.write("/etc/aad/broken", "nothing")
    home.begin()
    with home.client() as client:
        assert challenged(home, client)
