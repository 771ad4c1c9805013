"""Additions of `aad demo --portal`: the portal's configuration, a certificate made on the fly, mails on a page."""

from __future__ import annotations

import html
import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

from aad.core.scrypt import hash_password
from aad.core.secret import Secret

if TYPE_CHECKING:
    from aad.cli.mailbox import Mailbox, ReceivedMail

HELPER = "helen"
CONFIGURATION = """\
[https]
listen = ["127.0.0.1:{port}"]
certificate = "{folder}/portal.pem"
key = {{ file = "{folder}/portal.key" }}
[https.portal]
event = "portal"
title = "aad demo"
helpdesk_groups = ["helpdesk"]
[chains.password-and-app]
methods = ["password", "totp"]
[chains.password-and-paper]
methods = ["password", "recovery_codes"]
[events.portal]
chains = ["password-and-app", "password-and-email"]
[events.vpn]
chains = ["password-and-app", "password-and-paper", "password-and-email"]
"""
USER = """\
[users.{name}]
password = "{hash}"
email = "{name}@example.com"
groups = [{groups}]
"""
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="3">
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark"><title>Mails</title>
<style>body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 2rem auto; padding: 0 1rem }}
pre {{ white-space: pre-wrap; border: 1px solid; border-radius: .5rem; padding: 1rem }}</style>
<h1>Mails</h1><p>The latest comes first. This page looks for new ones every three seconds.</p>{mails}</html>"""


def prepare(folder: Path, users: tuple[str, ...], password: str, port: int) -> None:
    """Add the portal to the demo's configuration. FileNotFoundError: there is no openssl."""
    openssl = shutil.which("openssl")
    if openssl is None:
        raise FileNotFoundError
    made = ["-subj", "/CN=aad demo", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-days", "7"]
    made += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    files = ["-keyout", str(folder / "portal.key"), "-out", str(folder / "portal.pem")]
    subprocess.run([openssl, "req", "-x509", *made, *files], check=True, capture_output=True)  # noqa: S603
    (folder / "portal.key").chmod(0o600)
    (folder / "aad.toml.d").mkdir()
    (folder / "aad.toml.d" / "portal.toml").write_text(CONFIGURATION.format(port=port, folder=folder))
    people = [
        USER.format(
            name=name,
            hash=hash_password(Secret(password), name.encode().ljust(16, b"-")),
            groups='"helpdesk"' if name == HELPER else "",
        )
        for name in users
    ]
    (folder / "users.toml").write_text("\n".join(people))


class Inbox:
    """All mails of the demo, as a web page."""

    def __init__(self) -> None:
        self._mails: list[ReceivedMail] = []

    def gather(self, mailbox: Mailbox, patience: float) -> None:
        """Take one mail, if one arrives within `patience` seconds."""
        try:
            self._mails.insert(0, mailbox.mails.get(timeout=patience))
        except queue.Empty:
            return
        print(f"   A mail to {self._mails[0].recipient}: {self._mails[0].subject}", flush=True)

    def page(self) -> bytes:
        """Return the page, HTML in UTF-8."""
        shown = [
            f"<h2>{html.escape(each.subject)}</h2><p>To {html.escape(each.recipient)}</p>"
            f"<pre>{html.escape(each.text.strip())}</pre>"
            for each in self._mails
        ]
        return PAGE.format(mails="".join(shown) or "<p>None so far.</p>").encode()

    @contextmanager
    def served(self, port: int) -> Iterator[None]:
        """Serve the page on a port of 127.0.0.1, in a thread."""
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = inbox.page()
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
