"""A machine as a daemon sees it: its clocks can be stepped, its `random` can be foretold, it has foreign plugins."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

AT_START = """
import pathlib, random, time

random.seed(0)
wall, boot = time.time, time.clock_gettime


def stepped(name):
    file = pathlib.Path(__file__).with_name(name)
    return float(file.read_text()) if file.exists() else 0.0


def clock_gettime(clock):
    name = "wall" if clock == time.CLOCK_REALTIME else "boot" if clock == time.CLOCK_BOOTTIME else "other"
    return boot(clock) + stepped(name)


time.time = lambda: wall() + stepped("wall")
time.time_ns = lambda: int(time.time() * 1e9)
time.clock_gettime = clock_gettime
time.clock_gettime_ns = lambda clock: int(clock_gettime(clock) * 1e9)
"""
BREAKABLE = """
import pathlib

from aad.methods.email_otp import EmailOtp
from aad.methods.password import Password
from aad.repositories.ldap import Ldap
from aad.senders.smtp import Smtp
from aad.stores.sqlite import Sqlite

BROKEN = pathlib.Path(__file__).with_name("broken")


def breakable(kind, *steps):
    return type(kind.__name__, (kind,), {step: step_of(kind, step) for step in steps})


def step_of(kind, step):
    async def work(*arguments, **named):
        match BROKEN.read_text().split() if BROKEN.exists() else []:
            case [broken, "raises"] if broken == f"{kind.__name__}.{step}":
                raise KeyError("a step that went wrong")
            case [broken, "lies"] if broken == f"{kind.__name__}.{step}":
                return True
        return await getattr(kind, step)(*arguments, **named)
    return work


repositories = breakable(Ldap, "find")
senders = breakable(Smtp, "send")
email_otp = breakable(EmailOtp, "begin", "verify")
password = breakable(Password, "begin", "verify")
stores = breakable(Sqlite, "spend", "again", "recall", "change", "keep", "take", "write")
"""
ENTRY_POINTS = """
[aad.repositories]
breakable = breakable:repositories
[aad.senders]
breakable = breakable:senders
[aad.stores]
breakable = breakable:stores
[aad.methods]
breakable_password = breakable:password
breakable_email_otp = breakable:email_otp
"""


class Machine:
    """Its files stand first on the path of every Python that the test starts."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        (folder / "sitecustomize.py").write_text(AT_START)
        (folder / "breakable.py").write_text(BREAKABLE)
        info = folder / "breakable-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: breakable\nVersion: 1\n")
        (info / "entry_points.txt").write_text(ENTRY_POINTS)
        monkeypatch.setenv("PYTHONPATH", f"{folder}:{os.environ.get('PYTHONPATH', Path.cwd())}")

    def step(self, clock: str, seconds: float) -> None:
        """Let "wall" or "boot" be off by so much, also for daemons that run."""
        self._write(clock, str(seconds))

    def break_(self, step: str) -> None:
        """Let a step of the plugins named "breakable..." go wrong from now on: "Ldap.find raises", or "... lies"."""
        self._write("broken", step)

    def _write(self, name: str, text: str) -> None:
        new = self._folder / f"{name}.new"
        new.write_text(text)
        new.rename(self._folder / name)
