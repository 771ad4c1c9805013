"""What the tests of the requirements read: the product's source, a process, all that a daemon wrote."""

from __future__ import annotations

import ast
import base64
import re
from collections.abc import Iterator
from pathlib import Path

from aad.core.secret import Secret
from aad.radius.protocol import client_packets, constants
from tests.parts.daemon import HEAD, Daemon
from tests.parts.raw import Raw, Request

ROOT = Path(__file__).parent.parent.parent


def md5_uses() -> Iterator[tuple[str, ast.Call | None]]:
    """Find every use of MD5 in the product, with its call; None: it's named without being called there."""
    for file in sorted((ROOT / "aad").rglob("*.py")):
        tree = ast.parse(file.read_text())
        calls = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
        for node in ast.walk(tree):
            if _names_md5(node):
                yield f"{file.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}", calls.get(id(node))


def _names_md5(node: ast.AST) -> bool:
    if isinstance(node, ast.Name):
        return node.id.lower() == "md5"
    if isinstance(node, ast.Attribute):
        return node.attr.lower() == "md5"
    if isinstance(node, ast.alias):
        return node.name.lower() == "md5" and node.asname is not None
    return isinstance(node, ast.Constant) and str(node.value).lower() in {"md5", "hmac-md5"}


def leaks(daemon: Daemon, secrets: list[bytes]) -> list[bytes]:
    """Return those of `secrets` that stand, in any usual spelling, in what the daemon wrote or what `ps` shows."""
    shown = [each.read_bytes() for each in sorted(daemon.folder.glob("daemon-*.log"))]
    if daemon.child.alive:
        process = Path(f"/proc/{daemon.child.pid}")
        shown += [(process / "cmdline").read_bytes(), (process / "environ").read_bytes()]
    whole = b"\n".join(shown)
    return [secret for secret in secrets if any(re.search(each, whole) for each in _spellings(secret))]


def _spellings(secret: bytes) -> list[bytes]:
    if secret.isdigit():  # a code: not a part of a longer number, such as the time
        return [rb"(?<![\d.])" + secret + rb"(?![\d.])"]
    text = secret.decode(errors="replace")
    ways = [secret, secret.hex().encode(), secret.hex().upper().encode(), base64.b64encode(secret).rstrip(b"=")]
    return [re.escape(way) for way in (*ways, repr(secret)[2:-1].encode(), repr(text)[1:-1].encode())]


def odd_logins(client: Raw) -> list[bytes]:
    """Log in as nobody should; return the passwords, codes and States that were sent."""
    used = [
        b"pass word \xff\xfe",
        b"ends in spaces   ",
        b"x" * 128,
        b"\xef\xbc\x91\xef\xbc\x92 wide",
        b"nobody's secret",
    ]
    for number, typed in enumerate(used):
        client.ask(f"user{number:02}", typed)
    client.ask("nobody", used[-1])
    client.ask("carol", "no address")
    chap, challenge = b"chap's password", b"sixteen octets!!"
    request = Request("alice", "")
    for given in (
        client_packets.chap(Secret(chap), challenge, 7),
        client_packets.mschapv2(Secret(chap), "alice", challenge, challenge, 7),
        [(constants.USER_PASSWORD, b"seventeen octets!")],
        [*client_packets.chap(Secret(chap), challenge, 7), (constants.USER_PASSWORD, b"sixteen octets!?")],
    ):
        client.send(request.signed([(constants.USER_NAME, b"alice"), *given]))
        client.receive()
    doubled = [(constants.STATE, b"a State of nobody, once" * 2), (constants.STATE, b"a State of nobody, twice")]
    client.ask("alice", "123987", *doubled)
    client.ask("alice", "123987", doubled[1])
    return [*used, chap, b"seventeen octets!", b"123987", *(value for _, value in doubled)]


def password(number: int) -> tuple[str, str]:
    return f"user{number:02}", f"pw-{number:02}"


AT_ONCE_AGAIN = '[methods.email_otp]\nresend_after = "0s"\n'
TWO_CLIENTS = HEAD.replace(
    '["127.0.0.0/8", "::1"]',
    '["127.0.0.1"]\nsecret = "{secret}"\nevent = "vpn"\n[clients.other]\nnetworks = ["127.0.0.2"]',
)

PLUGINS = """
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Nothing:
    pass


class Opened:
    Settings = Nothing

    def __init__(self, settings, wiring):
        self.key = wiring.key

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        return None

    async def probe(self):
        return "fine"


class Repository(Opened):
    async def find(self, name, password, admit, deadline):
        if name == "boom":
            raise ValueError(f"{password.reveal()!r} {self.key.reveal().hex()}")
        return None

    async def authenticate(self, user, password, deadline):
        raise ValueError(f"{password.reveal()!r} {self.key.reveal().hex()}")


class Sender(Opened):
    def masked(self, address):
        return "masked"

    def usable(self, address):
        return True

    async def send(self, message, deadline):
        with Path(__file__).with_name("codes").open("a") as codes:
            codes.write(message.values["otp"] + "\\n")
        raise RuntimeError(f"{dict(message.values)} {message}")
"""


def crooked_plugins(folder: Path) -> Path:
    """Install a repository and a sender that put all they know into exceptions; return where, for PYTHONPATH.

    The codes that the sender was given are in the file `codes` there.
    """
    about = folder / "crooked-1.dist-info"
    about.mkdir(parents=True)
    (folder / "crooked.py").write_text(PLUGINS)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: crooked\nVersion: 1\n")
    points = "[aad.repositories]\ncrooked = crooked:Repository\n[aad.senders]\ncrooked = crooked:Sender\n"
    (about / "entry_points.txt").write_text(points)
    return folder
