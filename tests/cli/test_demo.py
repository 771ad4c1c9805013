"""The demo is what a stranger sees first."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pexpect

DEMO = [sys.executable, "-m", "aad", "demo"]


def test_auto_plays_both_sides() -> None:
    done = subprocess.run([*DEMO, "--auto"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    story = (
        "-> Access-Request",
        "<- Access-Challenge",
        "a***@e***.com",
        "Mail to alice@",
        "<- Access-Accept",
        "login.accepted",
    )
    places = [done.stdout.index(word) for word in story]
    assert places == sorted(places)
    assert not done.stderr


def test_on_a_terminal_a_wrong_code_is_asked_again() -> None:
    with pexpect.spawn(DEMO[0], DEMO[1:], encoding="utf-8", timeout=20, env={**os.environ, "TERM": "dumb"}) as terminal:
        terminal.expect("User name: ")
        terminal.sendline("alice")
        terminal.expect("Password: ")
        terminal.sendline("correct horse")
        terminal.expect(r"\|\s+([0-9]{6})\r")
        assert terminal.match
        code = terminal.match[1]
        terminal.expect(r"\(ref \w+\): ")
        terminal.sendline("wrong")
        terminal.expect(r"\(ref \w+\): ")
        assert "Wrong code" in terminal.before
        terminal.sendline(code)
        terminal.expect("<- Access-Accept")
        terminal.expect(pexpect.EOF)
    assert terminal.exitstatus == 0


def test_serve_prints_lines_that_radclient_understands() -> None:
    with pexpect.spawn(DEMO[0], [*DEMO[1:], "--serve"], encoding="utf-8", timeout=20) as terminal:
        terminal.expect(r"  (echo [^\r]*)\r")
        assert terminal.match
        line: str = terminal.match[1]
        path = f"{os.environ['PATH']}:/usr/bin"
        done = subprocess.run(line, shell=True, capture_output=True, text=True, env={"PATH": path}, check=False)
        assert re.search("Received Access-Challenge.*State = 0x", done.stdout, re.DOTALL), done.stdout + done.stderr
        terminal.expect("Mail to alice@example.com")
        terminal.sendintr()
        terminal.expect(pexpect.EOF)
