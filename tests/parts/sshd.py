"""A real sshd that asks RADIUS through PAM, and the ssh client that logs in there."""

import re
from pathlib import Path
from subprocess import run

from tests.parts import recipes
from tests.parts.child import Child
from tests.parts.namespace import private
from tests.parts.pam import pam_host
from tests.parts.part import Part
from tests.parts.ports import free_port, listening
from tests.parts.recipes import Site
from tests.parts.result import Answer, Result
from tests.parts.terminal import talk

SERVER = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {key}
PidFile none
UseDNS no
PrintMotd no
LogLevel VERBOSE
"""
CLIENT = {
    "PreferredAuthentications": "keyboard-interactive",
    "NumberOfPasswordPrompts": "1",
    "StrictHostKeyChecking": "no",
    "UserKnownHostsFile": "/dev/null",
    "LogLevel": "ERROR",
}


class Sshd(Part):
    """A host with sshd, as the recipe has it; only `user` has an account there, besides the machine's."""

    def __init__(self, folder: Path, site: Site, user: str) -> None:
        """Write the host's files and make its key."""
        binds = pam_host(folder, site, user)
        binds["/run"] = folder / "run"  # sshd wants an empty folder /run/sshd
        (folder / "run" / "sshd").mkdir(parents=True, mode=0o755)
        key, config = folder / "host_key", folder / "sshd_config"
        run(["/usr/bin/ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        self.port = free_port()
        policy = recipes.blocks("pam_radius")["/etc/ssh/sshd_config.d/aad.conf"].text
        config.write_text(SERVER.format(port=self.port, key=key) + policy)
        self._sshd = Child(private(["/usr/sbin/sshd", "-D", "-e", "-f", config], binds), folder / "sshd.log")

    def start(self) -> None:
        """Start sshd and wait until it listens."""
        self._sshd.start()
        self._sshd.ready(lambda: listening(self.port))

    def stop(self) -> None:
        """End sshd."""
        self._sshd.stop()

    def login(self, user: str, password: str, answer: Answer) -> Result:
        """Log in once and run a command that does nothing."""
        options = [word for name, value in CLIENT.items() for word in ("-o", f"{name}={value}")]
        command = ["/usr/bin/ssh", "-F", "none", *options, "-p", str(self.port), "-l", user, "127.0.0.1", "true"]
        done = talk(command, password, answer, clean=_question)
        return Result(done.status == 0, done.prompts, done.transcript)

    def log(self) -> str:
        """Return what sshd wrote."""
        return self._sshd.output()


def _question(shown: str) -> str:
    """Leave out whom the client says it is talking with."""
    return re.sub(r"^\(\S+@\S+\) ", "", shown.strip())
