"""A real Dovecot that shows a Maildir over IMAP."""

import shutil
import tempfile
from pathlib import Path

from tests.parts.authority import Authority, Certificate
from tests.parts.child import Child
from tests.parts.namespace import private
from tests.parts.part import Part
from tests.parts.ports import free_port, listening
from tests.parts.waiting import until

CONFIGURATION = """\
protocols = imap
base_dir = {sockets}
state_dir = {sockets}
instance_name = {sockets}
log_path = /dev/stderr
listen = 127.0.0.1
ssl = yes
ssl_cert = <{cert}
ssl_key = <{key}
disable_plaintext_auth = yes
auth_mechanisms = plain
login_trusted_networks =
mail_location = maildir:/var/mail/{folder}
first_valid_uid = 1
first_valid_gid = 1
passdb {{
  driver = passwd-file
  args = scheme=plain {users}
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home=/var/mail
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
"""


class Dovecot(Part):
    """An IMAP server for one account, over TLS on `tls_port` and over STARTTLS on `port`.

    `mail`: the folder in which the Maildir `folder` lies; both as a mail server of the tests keeps them.
    """

    host = "localhost"

    def __init__(  # noqa: PLR0913 - an account, where, and how
        self,
        place: Path,
        mail: Path,
        authority: Authority,
        *,
        username: str = "canary",
        password: str = "imap secret",
        folder: str = "all",
        certificate: Certificate | None = None,
    ) -> None:
        """Write its configuration."""
        place.mkdir(parents=True, exist_ok=True)
        self.port, self.tls_port = free_port(), free_port()
        self._sockets = Path(tempfile.mkdtemp(prefix="imap"))  # a socket's path has at most 107 octets
        self._sockets.chmod(0o755)
        users = self._sockets / "users"
        users.write_text(f"{username}:{password}\n")
        shutil.chown(users, "dovecot")
        users.chmod(0o600)
        certificate = certificate or authority.certificate("localhost", "127.0.0.1")
        configuration = place / "dovecot.conf"
        configuration.write_text(
            CONFIGURATION.format(
                sockets=self._sockets,
                cert=certificate.cert_file,
                key=certificate.key_file,
                folder=folder,
                users=users,
                port=self.port,
                tls_port=self.tls_port,
            )
        )
        command = private(["/usr/sbin/dovecot", "-F", "-c", configuration], {"/var/mail": mail})
        self._child = Child(command, place / "dovecot.log")

    def start(self) -> None:
        """Start it and wait until it listens."""
        self._child.start()
        self._child.ready(lambda: listening(self.tls_port), 20)

    def stop(self) -> None:
        """End it and all that it started."""
        self._child.stop()
        until(lambda: not listening(self.tls_port), what="the end of Dovecot")
        shutil.rmtree(self._sockets, ignore_errors=True)

    def log(self) -> str:
        """Return what it said since its last start."""
        return self._child.output()
