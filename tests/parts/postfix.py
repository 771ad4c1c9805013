"""A real Postfix that takes mail from who has logged in and delivers it to a Maildir."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from subprocess import run
from typing import Literal

from tests.parts.authority import Authority, Certificate
from tests.parts.child import Child
from tests.parts.letter import Letter
from tests.parts.namespace import private
from tests.parts.part import Part
from tests.parts.ports import free_port, listening
from tests.parts.waiting import until

MAIN = """\
compatibility_level = 3.6
myhostname = mail.example.com
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks =
maillog_file = /dev/stdout
alias_maps =
alias_database =
biff = no
virtual_mailbox_domains = static:all
virtual_mailbox_base = /var/mail
virtual_mailbox_maps = static:all/
virtual_minimum_uid = 1
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
smtpd_tls_cert_file = /etc/postfix/server.pem
smtpd_tls_key_file = /etc/postfix/server.key
smtpd_tls_security_level = encrypt
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_local_domain = example.com
smtpd_sasl_security_options = noanonymous
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions =
    check_recipient_access regexp:/etc/postfix/refused, {policy}permit_sasl_authenticated, reject
smtpd_peername_lookup = no
smtputf8_enable = {smtputf8}
"""

# Nothing runs in a chroot: there are no copies of the machine's files in the test's queue folder.
MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd -o smtpd_tls_wrappermode={wrapped}
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""

QUEUES = (
    "active",
    "bounce",
    "corrupt",
    "defer",
    "deferred",
    "flush",
    "hold",
    "incoming",
    "maildrop",
    "private",
    "public",
    "saved",
    "trace",
)


class Postfix(Part):
    """A mail server for submission over STARTTLS or TLS; it takes every recipient that isn't in `refused`."""

    host = "localhost"

    def __init__(  # noqa: PLR0913 - the rarer ones by keyword
        self,
        folder: Path,
        authority: Authority,
        security: Literal["starttls", "tls"] = "starttls",
        username: str = "aad",
        password: str = "secret",
        *,
        refused: Mapping[str, str] | None = None,
        certificate: Certificate | None = None,
        policy_port: int = 0,
        smtputf8: bool = True,
    ) -> None:
        """Write its configuration; `refused` maps a recipient to an answer such as `550 5.1.1 no such user`.

        `policy_port`: where a policy server is asked about each recipient; `smtputf8`: whether it offers SMTPUTF8.
        """
        self.port = free_port()
        self.mail = folder / "mail"
        self.maildir = self.mail / "all"
        places = {name: folder / name for name in ("etc", "queue", "data", "mail")}
        for place in places.values():
            place.mkdir(parents=True)
        shutil.chown(places["data"], "postfix", "postfix")
        for place in (self.mail, self.maildir, *(self.maildir / name for name in ("new", "cur", "tmp"))):
            place.mkdir(exist_ok=True)
            shutil.chown(place, "mail", "mail")
        _queue(places["queue"])
        etc, owner = places["etc"], self.mail.stat()
        policy = f"check_policy_service inet:127.0.0.1:{policy_port}, " if policy_port else ""
        main = MAIN.format(uid=owner.st_uid, gid=owner.st_gid, policy=policy, smtputf8="yes" if smtputf8 else "no")
        (etc / "main.cf").write_text(main)
        (etc / "master.cf").write_text(MASTER.format(port=self.port, wrapped="yes" if security == "tls" else "no"))
        os.utime(etc / "main.cf", (0, 0))  # a file just written is read again and again for two seconds
        patterns = [f"/^{address}$/ {answer}\n" for address, answer in (refused or {}).items()]
        (etc / "refused").write_text("".join(patterns))
        certificate = certificate or authority.certificate("localhost", "127.0.0.1")
        shutil.copy(certificate.cert_file, etc / "server.pem")
        shutil.copy(certificate.key_file, etc / "server.key")
        _accounts(etc, username, password)
        binds = {
            "/etc/postfix": etc,
            "/var/spool/postfix": places["queue"],
            "/var/lib/postfix": places["data"],
            "/var/mail": places["mail"],
        }
        # Without the `postfix` command, which would put the master out of this process's reach.
        self._master = Child(private(["/usr/lib/postfix/sbin/master", "-s"], binds), folder / "postfix.log")

    def start(self) -> None:
        """Start the master and wait until it listens."""
        self._master.start()
        self._master.ready(lambda: listening(self.port), 20)

    def stop(self) -> None:
        """End the master and all that it started."""
        self._master.stop()
        until(lambda: not listening(self.port), what="the end of Postfix")

    def wait(self, recipient: str, count: int = 1, seconds: float = 30.0) -> Letter:
        """Return the latest letter to this address, as soon as there are `count` of them."""
        what = f"{count} letters to {recipient}"
        return until(lambda: (found := self.letters(recipient))[count - 1 :] and found, seconds, what)[-1]

    def letters(self, recipient: str) -> list[Letter]:
        """Return all letters to this address so far, in the order of their arrival."""
        files = sorted(self.mail.glob("all/new/*"), key=lambda file: file.stat().st_mtime_ns)
        letters = [_letter(file.read_bytes()) for file in files]
        return [letter for letter in letters if recipient in letter.recipients]

    def log(self) -> str:
        """Return Postfix's log since its last start."""
        return self._master.output()


def _queue(queue: Path) -> None:
    (queue / "pid").mkdir()
    for name in QUEUES:
        (queue / name).mkdir(mode=0o700)
        shutil.chown(queue / name, "postfix")
    for name, mode in (("public", 0o2710), ("maildrop", 0o1730)):
        shutil.chown(queue / name, group="postdrop")
        (queue / name).chmod(mode)


def _accounts(etc: Path, username: str, password: str) -> None:
    name, _, realm = username.partition("@")
    accounts = etc / "sasldb2"
    command = ["/usr/sbin/saslpasswd2", "-c", "-p", "-f", str(accounts), "-u", realm or "example.com", name]
    run(command, input=password.encode(), check=True)
    shutil.chown(accounts, "postfix", "postfix")
    (etc / "sasl").mkdir()
    settings = "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: /etc/postfix/sasldb2\n"
    (etc / "sasl" / "smtpd.conf").write_text(settings)


def _letter(raw: bytes) -> Letter:
    # Postfix puts the envelope on top: Return-Path, X-Original-To, Delivered-To.
    lines = raw.split(b"\n", 3)[:3]
    envelope = dict(line.decode().split(": ", 1) for line in lines)
    return Letter.parse(envelope["Return-Path"].strip("<>"), [envelope["X-Original-To"]], raw)
