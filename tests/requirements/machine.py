"""A machine as a daemon sees it: its clocks can be stepped, its `random` can be foretold, it has foreign plugins."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

AT_START = """
import os, pathlib, random, time

random.seed(0)
os.register_at_fork(after_in_child=lambda: random.seed(0))  # after what `random` does itself
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
import asyncio, pathlib, time

from aad.methods.email_otp import EmailOtp
from aad.methods.password import Password
from aad.ports import Unavailable
from aad.repositories.ldap import Ldap
from aad.senders.smtp import Smtp
from aad.stores.sqlite import Sqlite

BROKEN = pathlib.Path(__file__).with_name("broken")


class Odd(BaseException):
    pass


def how(step):
    broken = BROKEN.read_text().split() if BROKEN.exists() else []
    return broken[1] if broken[:1] == [step] else ""


def misbehave(step):
    match how(step):
        case "raises":
            raise KeyError("a step that went wrong")
        case "exits":
            raise SystemExit(3)
        case "interrupts":
            raise KeyboardInterrupt
        case "cancels":
            raise asyncio.CancelledError
        case "ends":
            raise Odd
        case "blocks":
            time.sleep(0.7)


def end():
    raise SystemExit(4)


async def clinging():
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass


async def late(step):
    match how(step):
        case "sleeps":
            await asyncio.sleep(3600)
        case "clings":
            await asyncio.wait_for(asyncio.shield(asyncio.ensure_future(clinging())), 30)
        case "cancelled":
            asyncio.current_task().cancel()
            await asyncio.sleep(0)
        case "callback":
            asyncio.get_running_loop().call_soon(end)
        case "task":
            asyncio.get_running_loop().create_task(exiting())
        case "wordless":
            raise Unavailable(None)


async def exiting():
    raise SystemExit(5)


def breakable(kind, *steps):
    made = type(kind.__name__, (kind,), {step: step_of(kind, step) for step in steps})

    def init(self, *arguments):
        misbehave(f"{kind.__name__}.__init__")
        kind.__init__(self, *arguments)
        if how(f"{kind.__name__}.__aenter__"):
            made.__aenter__, made.__aexit__ = entered, left

    async def entered(self):
        misbehave(f"{kind.__name__}.__aenter__")
        if how(f"{kind.__name__}.__aenter__") == "lies":
            return None
        return self

    async def left(self, *_):
        pass

    made.__init__ = init
    return made


def step_of(kind, step):
    name = f"{kind.__name__}.{step}"

    async def work(*arguments, **named):
        misbehave(name)
        await late(name)
        match how(name):
            case "lies":
                return True
            case "nothing":
                return None if step != "find" else "nobody"
        return await getattr(kind, step)(*arguments, **named)
    return work


class Settings(Password.Settings):
    def faults(self):
        misbehave("Settings.faults")
        return ()


misbehave("import")
repositories = breakable(Ldap, "find")
senders = breakable(Smtp, "send")
email_otp = breakable(EmailOtp, "begin", "verify")
password = breakable(Password, "begin", "verify")
password.Settings = Settings
stores = breakable(
    Sqlite,
    *("increment", "logins_of", "get_expiring", "update_expiring", "put_login", "take_login", "put_expiring"),
)
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
        for name in ("wall", "boot", "broken"):
            (folder / name).unlink(missing_ok=True)
        monkeypatch.setenv("PYTHONPATH", f"{folder}:{os.environ.get('PYTHONPATH', Path.cwd())}")

    @staticmethod
    def furnish(folder: Path) -> None:
        """Write what a session's machines have in common: one folder, so that one warm process serves them all."""
        (folder / "sitecustomize.py").write_text(AT_START)
        (folder / "breakable.py").write_text(BREAKABLE)
        info = folder / "breakable-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: breakable\nVersion: 1\n")
        (info / "entry_points.txt").write_text(ENTRY_POINTS)

    def step(self, clock: str, seconds: float) -> None:
        """Let "wall" or "boot" be off by so much, also for daemons that run."""
        self._write(clock, str(seconds))

    def break_(self, step: str) -> None:
        """Let a step of the plugins named "breakable..." go wrong from now on: "Ldap.find raises", or "... lies".

        What else a step may do is in BREAKABLE; "import raises" and "Password.__init__ raises" are steps too.
        """
        self._write("broken", step)

    def _write(self, name: str, text: str) -> None:
        new = self._folder / f"{name}.new"
        new.write_text(text)
        new.rename(self._folder / name)
