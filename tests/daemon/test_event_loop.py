"""The daemon's event loop: tasks of plugins neither end it nor keep it from ending."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import asyncio
from aad.daemon import event_loop

async def clings():
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass

def leave(kind):
    raise kind(7)

async def leaves(kind):
    raise kind(8)

async def serving():
    running, kept = asyncio.get_running_loop(), []
    for kind in (SystemExit, KeyboardInterrupt):
        running.call_soon(leave, kind)
        await asyncio.sleep(0.01)
        kept.append(running.create_task(leaves(kind)))
        await asyncio.sleep(0.01)
    kept.append(running.create_task(clings()))
    await asyncio.sleep(0.01)
    print("served to its end")
    END

event_loop.ENDING = 0.1
event_loop.factory = FACTORY
event_loop.run(serving(), lambda error: print("escaped", type(error).__name__, *error.args))
"""
ESCAPED = "".join(f"escaped {name} {code}\n" for name in ("SystemExit", "KeyboardInterrupt") for code in (7, 8))


@pytest.mark.parametrize("factory", ["asyncio.new_event_loop", "event_loop.factory"])
@pytest.mark.parametrize(("end", "code"), [("return", 0), ("raise SystemExit(9)", 9)])
def test_what_escapes_is_told_and_the_daemon_serves_on(factory: str, end: str, code: int) -> None:
    program = PROGRAM.replace("FACTORY", factory).replace("END\n", f"{end}\n", 1)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == f"{ESCAPED}served to its end\n", done.stderr
    assert done.returncode == code


def test_what_ends_by_itself_is_waited_for() -> None:
    program = """
import asyncio
from aad.daemon import event_loop
async def tidy():
    try:
        await asyncio.sleep(3600)
    finally:
        await asyncio.sleep(0.05)
        print("tidied")
async def serving():
    task = asyncio.get_running_loop().create_task(tidy())
    await asyncio.sleep(0)
    return None
event_loop.run(serving())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "tidied\n", done.stderr
