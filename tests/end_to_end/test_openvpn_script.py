"""conf/clients/openvpn-crv1.py, called as OpenVPN calls it: what it believes, and what it does with an answer."""

from __future__ import annotations

import socket
import struct
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path
from subprocess import run
from threading import Thread

import pytest

from aad.core.secret import Secret
from aad.radius.protocol import constants
from aad.radius.protocol.wire import hmac_md5
from tests.parts.corp import Make
from tests.parts.daemon import SECRET
from tests.parts.mailbox import Mailbox, code_in
from tests.parts.ports import free_port
from tests.parts.recipes import FOLDER
from tests.parts.waiting import until

RIGHT = "correct horse"
SETTINGS = "[radius]\nservers = {servers}\nsecret_file = {folder}/secret\ntimeout = {timeout}\ntries = 1\n"


@dataclass(frozen=True)
class Script:
    """The script, set up to ask these servers."""

    folder: Path
    servers: str
    timeout: float = 2.0

    def __call__(self, user: str, password: str, *, background: bool = False) -> tuple[int | str, str]:
        """Return its exit code (or, where it decides in the background, what it writes), and what it tells OpenVPN."""
        told, control, typed = (self.folder / name for name in ("told", "control", "typed"))
        settings = SETTINGS.format(servers=self.servers, folder=self.folder, timeout=self.timeout)
        for file, text in (("secret", SECRET + "\n"), ("ini", settings), ("typed", f"{user}\n{password}\n")):
            (self.folder / file).write_text(text)
        told.write_text("")
        control.unlink(missing_ok=True)
        surroundings = {"auth_failed_reason_file": str(told), "untrusted_ip": "198.51.100.7"}
        surroundings |= {"auth_control_file": str(control)} if background else {}
        command = [sys.executable, str(FOLDER / "openvpn-crv1.py"), str(self.folder / "ini"), str(typed)]
        with (self.folder / "errors").open("w") as errors:
            done = run(command, env=surroundings, check=False, stderr=errors, timeout=20)
        if not background:
            assert "Traceback" not in (self.folder / "errors").read_text()
            return done.returncode, told.read_text()
        assert done.returncode == 2
        return until(lambda: control.exists() and control.read_text(), what="a decision") or "", told.read_text()


Forge = Callable[[bytes], bytes]


@contextmanager
def server(forge: Forge) -> Iterator[int]:
    """Answer one request by what `forge` makes of it; return the port."""
    with socket.socket(type=socket.SOCK_DGRAM) as line:
        line.bind(("127.0.0.1", 0))
        line.settimeout(10)

        def answer() -> None:
            request, address = line.recvfrom(4096)
            line.sendto(forge(request), address)

        thread = Thread(target=answer)
        thread.start()
        yield line.getsockname()[1]
        thread.join()


def accept(request: bytes, *, secret: str = SECRET, signed: bool = True, identifier: int | None = None) -> bytes:
    """Encode an Access-Accept."""
    blank = bytes((constants.MESSAGE_AUTHENTICATOR, 18)) + bytes(16)
    body = bytes((constants.REPLY_MESSAGE, 4)) + b"hi" + (blank if signed else b"")
    number = request[1] if identifier is None else identifier
    start = struct.pack("!BBH", constants.ACCESS_ACCEPT, number, 20 + len(body))
    if signed:
        body = body[:-16] + hmac_md5(Secret(secret), start + request[4:20] + body)
    digest = md5(start + request[4:20] + body + secret.encode(), usedforsecurity=False).digest()
    return start + digest + body


def spoilt(packet: bytes, at: int) -> bytes:
    """Change one octet."""
    return packet[:at] + bytes([packet[at] ^ 1]) + packet[at + 1 :]


FALSE: dict[str, Forge] = {
    "unsigned": lambda request: accept(request, signed=False),
    "signed by a stranger": lambda request: accept(request, secret="another secret than ours"),
    "to another request": lambda request: accept(request, identifier=request[1] ^ 1),
    "with a wrong authenticator": lambda request: spoilt(accept(request), 4),
    "cut": lambda request: accept(request)[:-1],
    "empty": lambda _: b"",
}


@pytest.mark.parametrize("forge", FALSE.values(), ids=FALSE)
def test_a_false_accept_lets_nobody_in(tmp_path: Path, forge: Forge) -> None:
    with server(forge) as port:
        assert Script(tmp_path, f"127.0.0.1:{port}", 0.3)("alice", RIGHT) == (1, "The login server does not answer.")


def test_a_true_accept_lets_in(tmp_path: Path) -> None:
    with server(accept) as port:
        assert Script(tmp_path, f"127.0.0.1:{port}")("alice", RIGHT) == (0, "")


def test_the_answer_goes_to_the_server_that_asked(make: Make, tmp_path: Path, mailbox: Mailbox) -> None:
    daemon = make()
    script = Script(tmp_path, f"127.0.0.1:{free_port('udp')} 127.0.0.1:{daemon.port}")
    decided, told = script("alice", RIGHT, background=True)
    assert decided == "0"
    kind, flags, token, user, words = told.split(":", 4)
    assert (kind, flags, b64decode(user)) == ("CRV1", "R,E", b"alice")
    assert words.startswith("Enter the code sent to a***@e***.com")
    assert len(token) <= 128
    assert b64decode(token)[0] == 1
    assert daemon.records("login.started")[0]["caller"] == "198.51.100.7"
    code = code_in(mailbox.wait("alice@example.com"))
    assert script("alice", f"CRV1::{token}::{code}", background=True) == ("1", "")
    assert script("alice", f"CRV1::{token}::{code}") == (1, "Login failed.")  # works once


@pytest.mark.parametrize("token", ["", "!", "AA", "AA==", b64encode(b"\x09state").decode()])
def test_a_state_that_is_none_lets_nobody_in(tmp_path: Path, token: str) -> None:
    script = Script(tmp_path, f"127.0.0.1:{free_port('udp')}", 0.2)
    decided, told = script("alice", f"CRV1::{token}::123456")
    assert decided == 1
    assert told in {"Login failed.", "The login server does not answer."}
