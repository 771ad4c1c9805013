"""conf/clients/website.py, as a browser sees it, with its recipe's key in aad.toml."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from tests.parts import recipes
from tests.parts.authority import Authority
from tests.parts.child import Child
from tests.parts.corp import Make
from tests.parts.daemon import Daemon
from tests.parts.mailbox import Mailbox, code_in
from tests.parts.ports import free_port, listening
from tests.parts.recipes import FOLDER
from tests.parts.warm import aad

SERVE = """
import sys
from wsgiref.simple_server import make_server
sys.path.insert(0, sys.argv[1])
from website import application
make_server("127.0.0.1", int(sys.argv[2]), application).serve_forever()
"""


@pytest.fixture
def started(make: Make, authority: Authority, tmp_path: Path) -> Iterator[tuple[Daemon, str]]:
    """Return the daemon, and the address of the website."""
    certificate, port, web = authority.certificate(), free_port(), free_port()
    made = aad("make-key", "website", "--event", "vpn").stdout
    (key,) = re.findall("^aad_.{43}$", made, re.MULTILINE)
    (hashed,) = re.findall('^hash = "(.*)"$', made, re.MULTILINE)
    block = recipes.aad_block("website").replace("0" * 64, hashed).replace("192.0.2.10", "127.0.0.1")
    block = block.replace("/etc/aad/tls/fullchain.pem", str(certificate.cert_file))
    block = block.replace("/etc/aad/tls/key.pem", str(certificate.key_file))
    daemon = make(block.replace("[https]", f'[https]\nlisten = ["127.0.0.1:{port}"]', 1))
    (tmp_path / "key").write_text(key)
    environment = {
        "AAD_SERVER": f"localhost:{port}",
        "AAD_KEY_FILE": tmp_path / "key",
        "AAD_CA_FILE": authority.ca_file,
    }
    command = ["env", *(f"{name}={value}" for name, value in environment.items())]
    child = Child([*command, sys.executable, "-c", SERVE, str(FOLDER), str(web)], tmp_path / "website.log")
    with child:
        child.ready(lambda: listening(web))
        yield daemon, f"http://127.0.0.1:{web}/"


def page(address: str, **typed: str) -> str:
    with urlopen(address, urlencode(typed).encode() if typed else None, timeout=20) as response:
        text: str = response.read().decode()
        return text


def test_a_user_logs_in(started: tuple[Daemon, str], mailbox: Mailbox) -> None:
    daemon, address = started
    assert "name=password" in page(address)
    assert "Login failed." in page(address, name="alice", password="wrong")
    asked = page(address, name="Alice", password="correct horse")
    assert "a***@e***.com" in asked
    (login,) = re.findall("name=login type=hidden value='([^']+)'", asked)
    code = code_in(mailbox.wait("alice@example.com"))
    assert "Welcome, alice." in page(address, login=login, answer=code)
    assert "Login failed." in page(address, login=login, answer=code)
    assert daemon.records("login.started")[0]["caller"] == "127.0.0.1"


def test_a_website_says_so_when_aad_is_away(started: tuple[Daemon, str]) -> None:
    daemon, address = started
    daemon.stop()
    assert "We can&#x27;t log you in now." in page(address, name="alice", password="correct horse")
