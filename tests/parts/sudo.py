"""A real sudo that asks RADIUS through PAM."""

from collections.abc import Mapping
from pathlib import Path

from tests.parts.namespace import private
from tests.parts.pam import UID
from tests.parts.part import Part
from tests.parts.result import Answer, Result
from tests.parts.terminal import talk


class Sudo(Part):
    """A host (`binds`: its files, by the place where it sees them) where whoever has logged in may do everything."""

    def __init__(self, folder: Path, binds: Mapping[str, Path]) -> None:
        """Write whom sudo trusts."""
        run, rules = folder / "run", folder / "sudoers"
        run.mkdir(mode=0o755)
        rules.touch(mode=0o440)
        rules.write_text("ALL ALL=(ALL) ALL\n")
        self._binds = {**binds, "/run": run, "/etc/sudoers": rules}

    def login(self, user: str, password: str, answer: Answer) -> Result:
        """Run a command that does nothing, as root; `user` is the one who has the account."""
        become = ["/usr/bin/setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups"]
        command = private([*become, "/usr/bin/env", f"USER={user}", "/usr/bin/sudo", "-k", "/bin/true"], self._binds)
        done = talk(command, password, answer)
        return Result(done.status == 0, done.prompts, done.transcript)
