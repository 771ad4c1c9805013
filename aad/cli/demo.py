"""`aad demo`: one whole login, with a daemon, a user, a mailbox and a RADIUS client of its own."""

from __future__ import annotations

import argparse
import os
import queue
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import aad
from aad.cli import demo_portal
from aad.cli.exits import EX_FAILED, EX_FINE, failed
from aad.core.scrypt import SALT_OCTETS, hash_password
from aad.core.secret import Secret
from aad.radius.protocol import constants
from aad.radius_client.nas import Nas, message

if TYPE_CHECKING:
    from aad.cli.mailbox import Mailbox  # imported late: without aiosmtpd the demo says what is missing

EXAMPLE = "aad demo --auto"
USER, PASSWORD = "alice", "correct horse"
PATIENCE = 20.0  # seconds
CONFIGURATION = """\
[radius]
listen = ["127.0.0.1:{port}"]
[clients.demo-vpn]
networks = ["127.0.0.1"]
secret = "{secret}"
event = "vpn"
[repositories.local]
[senders.mail]
host = "127.0.0.1"
port = {mail_port}
security = "none"
sender_email = "noreply@example.com"
[chains.password-and-email]
methods = ["password", "email_otp"]
[events.vpn]
[store]
path = "state.db"
[log]
to = "stderr"
"""
USERS = """\
[users.alice]
password = "{hash}"
email = "alice@example.com"
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add --auto, --portal and --serve."""
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--auto", action="store_true", help="answer for the user too; exit 0 only if the login was accepted"
    )
    how.add_argument("--portal", action="store_true", help="keep running, with the self-service portal for a browser")
    how.add_argument("--serve", action="store_true", help="keep running, and print radclient commands to try")


def run(options: argparse.Namespace) -> int:
    """Start mailbox and daemon, and log in."""
    for number in (signal.SIGTERM, signal.SIGHUP):  # the daemon is ended whatever ends the demo
        signal.signal(number, lambda *_: sys.exit(EX_FAILED))
    try:
        with _demo(portal=options.portal) as demo:
            if options.portal:
                return demo.serve_portal()
            if options.serve:
                return demo.serve()
            return EX_FINE if demo.login(auto=options.auto or not sys.stdin.isatty()) else EX_FAILED
    except FileNotFoundError:
        return failed("the portal's certificate is made by openssl, which isn't installed")
    except ImportError:
        return failed("the demo's mailbox needs aiosmtpd: pip install 'aad[demo]', or apt install python3-aiosmtpd")
    except EOFError:
        return failed("no answer was typed")


@dataclass
class Demo:
    """A running demo: the daemon (a process of its own, as always), the mailbox and the NAS."""

    nas: Nas
    mailbox: Mailbox
    daemon: subprocess.Popen[bytes]
    log: Path
    portal: int = 0  # its port

    def login(self, *, auto: bool) -> bool:
        """Log in, asking on the terminal unless `auto`; return whether the login was accepted."""
        name, password = USER, PASSWORD
        if not auto:
            print(f"You are at a VPN gateway. Its only user is {USER}, with the password {PASSWORD!r}.\n")
            name, password = input("User name: "), input("Password: ")
        print(f"-> Access-Request    User-Name = {name!r}, User-Password = {password!r}")
        reply = self.nas.login(name, Secret(password), lambda prompt: self._answer(prompt, auto=auto))
        accepted = reply is not None and reply.code == constants.ACCESS_ACCEPT
        if reply is None:
            print("   no answer")
        else:
            print("<- Access-Accept" if accepted else f"<- Access-Reject     Reply-Message = {message(reply)!r}")
        print("\nThe daemon's log of it:\n")
        print("".join(f"   {line}\n" for line in self.log.read_text().splitlines()), end="")
        return accepted

    def serve(self) -> int:
        """Print each mail that arrives, until the daemon ends. Return the exit code."""
        secret, at = self.nas.secret.text(), f"127.0.0.1:{self.nas.port}"
        print(f"aad listens on {at}. Try, in another terminal:\n")
        for attributes in (f'User-Password = "{PASSWORD}"', 'User-Password = "CODE", State = STATE'):
            line = f'User-Name = "{USER}", {attributes}, Message-Authenticator = 0x00'
            print(f"  echo '{line}' | radclient -x {at} auth {secret}")
        print("\nSTATE and CODE come from the first reply and from the mail, which appears here. Ctrl-C ends.\n")
        while self.daemon.poll() is None:
            try:
                self._show_mail(0.5)
            except queue.Empty:
                continue
        return failed("the daemon has ended")

    def serve_portal(self) -> int:
        """Show each mail that arrives on a page, until the daemon ends. Return the exit code."""
        inbox, port = demo_portal.Inbox(), _free_port(socket.SOCK_STREAM)
        with inbox.served(port):
            print(f"The portal: https://127.0.0.1:{self.portal}/ (let your browser trust the demo's certificate)")
            print(f"The mails:  http://127.0.0.1:{port}/\n")
            print(f"Sign in as {USER}, or as {demo_portal.HELPER} of the helpdesk; the password is {PASSWORD!r}.")
            print("Once the authenticator app is set up, a login over RADIUS asks for its code:\n")
            at = f"127.0.0.1:{self.nas.port} --secret-file {self.log.with_name('radius.secret')}"
            print(f"  aad login {USER} --server {at}\n\nCtrl-C ends.\n", flush=True)
            while self.daemon.poll() is None:
                inbox.gather(self.mailbox, 0.5)
        return failed("the daemon has ended")

    def _answer(self, prompt: str, *, auto: bool) -> Secret:
        print(f"<- Access-Challenge  Reply-Message = {prompt!r}\n")
        try:
            text = self._show_mail(PATIENCE if auto else 0.5)
        except queue.Empty:  # no new one after a wrong code
            text = ""
        if not auto:
            return Secret(input(f"{prompt}: "))
        code = re.search(r"\b\d{6}\b", text)
        answer = code[0] if code else ""
        print(f"-> Access-Request    User-Name = {USER!r}, User-Password = {answer!r}, State")
        return Secret(answer)

    def _show_mail(self, patience: float) -> str:
        mail = self.mailbox.mails.get(timeout=patience)
        print(f"   Mail to {mail.recipient}: {mail.subject}")
        print("".join(f"   | {line}\n" for line in mail.text.splitlines()), flush=True)
        return mail.text


@contextmanager
def _demo(*, portal: bool = False) -> Iterator[Demo]:
    """Start everything in a temporary folder.

    ImportError: no aiosmtpd. FileNotFoundError: no openssl, which `portal` needs.
    """
    from aad.cli.mailbox import Mailbox  # noqa: PLC0415

    port, mail_port = _free_port(socket.SOCK_DGRAM), _free_port(socket.SOCK_STREAM)
    secret = secrets.token_hex(16)  # no hyphen at its beginning, which radclient would take for an option
    with tempfile.TemporaryDirectory(prefix="aad-demo-") as name:
        folder = Path(name)
        _write(folder / "aad.toml", CONFIGURATION.format(port=port, mail_port=mail_port, secret=secret))
        hashed = hash_password(Secret(PASSWORD), secrets.token_bytes(SALT_OCTETS))
        _write(folder / "users.toml", USERS.format(hash=hashed))
        web = _free_port(socket.SOCK_STREAM) if portal else 0
        if portal:
            demo_portal.prepare(folder, (USER, demo_portal.HELPER), PASSWORD, web)
            _write(folder / "radius.secret", secret)
        mailbox = Mailbox(mail_port)
        try:
            with _daemon(folder) as daemon:
                nas = Nas(host="127.0.0.1", port=port, secret=Secret(secret))
                yield Demo(nas, mailbox, daemon, folder / "log", web)
        finally:
            mailbox.stop()


@contextmanager
def _daemon(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run `aad serve`; yield once its log says that it has started."""
    command = [sys.executable, "-m", "aad", "serve", "-c", str(folder / "aad.toml")]
    environment = {**os.environ, "PYTHONPATH": str(Path(aad.__file__).parent.parent)}  # wherever aad is installed
    with (folder / "log").open("wb") as log:
        daemon = subprocess.Popen(command, stderr=log, stdin=subprocess.DEVNULL, env=environment)  # noqa: S603
    try:
        end = time.monotonic() + PATIENCE
        while "daemon.started" not in (folder / "log").read_text():
            if daemon.poll() is not None or time.monotonic() > end:
                failed(f"the daemon did not start:\n{(folder / 'log').read_text()}")
                raise SystemExit(EX_FAILED)
            time.sleep(0.05)
        yield daemon
    finally:
        daemon.terminate()
        daemon.wait()


def _free_port(kind: socket.SocketKind) -> int:
    with socket.socket(type=kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _write(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.write_text(text)
