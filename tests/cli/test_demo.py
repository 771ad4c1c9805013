"""The demo is what a stranger sees first."""

from __future__ import annotations

import http.client
import os
import re
import ssl
import subprocess
import sys
from urllib.parse import urlencode
from urllib.request import urlopen

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


def test_the_portal_is_served_with_its_mails_on_a_page() -> None:
    untrusted = ssl.create_default_context()
    untrusted.check_hostname, untrusted.verify_mode = False, ssl.CERT_NONE
    with pexpect.spawn(DEMO[0], [*DEMO[1:], "--portal"], encoding="utf-8", timeout=20) as terminal:
        terminal.expect(r"The portal: https://127.0.0.1:(\d+)/")
        assert terminal.match
        portal = http.client.HTTPSConnection("127.0.0.1", int(terminal.match[1]), context=untrusted, timeout=10)
        terminal.expect(r"The mails:  (http\S+)")
        mails = terminal.match[1]
        terminal.expect("Sign in as alice, or as helen of the helpdesk; the password is 'correct horse'")
        portal.request("GET", "/sign-in")
        page = portal.getresponse()
        cookie, text = str(page.getheader("Set-Cookie")).partition(";")[0], page.read().decode()
        token = re.search('name="csrf" value="([^"]+)"', text)
        assert token
        fields = urlencode({"csrf": token[1], "name": "alice", "password": "correct horse"})
        headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
        portal.request("POST", "/sign-in", fields, headers)
        assert "a***@e***.com" in portal.getresponse().read().decode()
        portal.close()
        terminal.expect("A mail to alice@example.com")
        with urlopen(mails, timeout=10) as inbox:
            assert re.search(r"<pre>.*\b\d{6}\b.*</pre>", inbox.read().decode(), re.DOTALL)
        terminal.sendintr()
        terminal.expect(pexpect.EOF)
