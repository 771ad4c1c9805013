"""A daemon with two events: the back ends of "other" are well, and of "vpn" one may be crooked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.parts.authority import Authority
from tests.parts.corp import repository, sender
from tests.parts.daemon import HEAD, SECRET, Daemon
from tests.parts.directory import Directory
from tests.parts.mailbox import Mailbox

Start = Callable[..., Daemon]
OTHER = "127.0.0.9"
"""Where the client of the event "other" asks from."""

TWO_EVENTS = f"""
repositories = ["{{vpn}}"]
chains = ["both"]
[clients.other]
networks = ["{OTHER}"]
secret = "{SECRET}"
event = "other"
[events.other]
repositories = ["corp"]
chains = ["other"]
[chains.other]
methods = ["password", "other_otp"]
[methods.other_otp]
type = "email_otp"
senders = ["mail"]
resend_after = "0s"
[methods.email_otp]
senders = ["{{senders}}"]
resend_after = "0s"
[limits]
mails_per_user = "unlimited"
"""


def ldap(directory: Directory, *urls: str) -> str:
    servers = ", ".join(f'"{url}"' for url in urls)
    return repository(directory).replace(f'"{directory.ldaps_uri}"', servers).replace(".corp]", ".slow]")


def smtp(host: str, port: int) -> str:
    where = f'host = "{host}"\nport = {port}\nsecurity = "none"\ntimeout = "3s"\nidle = "1s"\nconnections = 8\n'
    return f'[senders.slow]\n{where}sender_email = "noreply@example.com"\n'


@pytest.fixture
def start(tmp_path: Path, directory: Directory, mailbox: Mailbox, authority: Authority) -> Iterator[Start]:
    """Return a function that starts the daemon: the event "other" has back ends that are well, "vpn" maybe others."""
    running: list[Daemon] = []

    def started(more: str, *, senders: str = "", head: str = HEAD, binds: dict[str, Path] | None = None) -> Daemon:
        slow = {kind: f"[{kind}s.slow]" in more for kind in ("sender", "repositorie")}
        senders = senders or ("slow" if slow["sender"] else "mail")
        events = TWO_EVENTS.format(vpn="slow" if slow["repositorie"] else "corp", senders=senders)
        rest = events + repository(directory) + sender(mailbox.port, authority) + more
        running.append(Daemon(tmp_path / "aad", rest, head=head, binds=binds))
        running[0].start()
        return running[0]

    yield started
    running[0].stop()
    assert not running[0].strays()
