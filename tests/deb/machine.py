"""A machine with a systemd of its own, on which the package can be installed, and an administrator at it."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

from tests.parts.authority import Authority
from tests.parts.mailbox import Mailbox, code_in
from tests.parts.systemd import Systemd

PACKAGE, NEWER = "/mnt/aad.deb", "/mnt/newer.deb"
CONFIGURATION = """\
[clients.gateway]
networks = ["127.0.0.0/8"]
secret = {{ credential = "gateway.secret" }}
event = "vpn"
[repositories.local]
[senders.mail]
host = "localhost"
port = {port}
ca_file = "ca.pem"
authentication_required = true
username = "aad"
password = {{ credential = "smtp.password" }}
sender_email = "noreply@example.com"
[chains.both]
methods = ["password", "email_otp"]
[events.vpn]
"""
WAITS = "until [ -s /root/code ]; do sleep 0.1; done; cat /root/code"


class Machine(Systemd):
    """A systemd with an administrator at it; `mailbox` is a mail server in its network."""

    mailbox: Mailbox

    def install(self, package: str = PACKAGE, *options: str) -> str:
        """Install; what scripts may do to services is left to them."""
        self.run("rm", "-f", "/usr/sbin/policy-rc.d")
        return self.run("dpkg", *options, "-i", package)

    def edit(self, place: str, text: str) -> None:
        """Write into a file that is there, as an editor does: owner and rights stay."""
        self.run("sh", "-c", 'cat >"$0"', place, given=text)

    def secret(self, name: str, text: str) -> None:
        """Put a secret in place, for root alone."""
        self.write(f"/etc/aad/credentials/{name}", f"{text}\n", 0o600)

    def configure(self, authority: Authority) -> None:
        """Write what is needed for one user and one gateway."""
        self.edit("/etc/aad/aad.toml", CONFIGURATION.format(port=self.mailbox.port))
        self.copy(authority.ca_file, "/etc/aad/ca.pem")
        self.secret("gateway.secret", self.run("aad", "make-secret"))
        self.secret("smtp.password", "mail secret")
        made = self.run("aad", "hash-password", given="correct horse\n")
        users = f'[users.alice]\npassword = "{made}"\nemail = "alice@example.com"\n'
        self.write("/etc/aad/users.toml", users, 0o640, "root:aad")
        self.write("/root/password", "correct horse\n", 0o600)

    def login(self) -> str:
        """Log in as alice, reading the mail; return the reference."""
        self.run("rm", "-f", "/root/code")
        words = ["--server", "127.0.0.1", "--secret-file", "/etc/aad/credentials/gateway.secret"]
        words += ["--password-file", "/root/password", "--code-command", WAITS]
        before = len(self.mailbox.letters("alice@example.com"))
        with ThreadPoolExecutor(1) as threads:
            login = threads.submit(self.done, "aad", "login", "alice", *words)
            self.write("/root/code", code_in(self.mailbox.wait("alice@example.com", before + 1)), 0o600)
            said = login.result().stdout.decode()
        assert (login.result().returncode, said.splitlines()[-1]) == (0, "accepted"), said
        (reference,) = re.findall(r"\(ref (\w+)\)", said)
        return str(reference)
