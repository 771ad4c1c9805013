"""A machine's folders as root's commands find them: root's configuration, and a state that belongs to another user."""

from __future__ import annotations

import hashlib
import json
import os
import select
import shutil
import signal
import stat
import subprocess
import sysconfig
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from subprocess import PIPE

from aad.core.scrypt import Hash
from tests.parts.child import Child
from tests.parts.daemon import SECRET
from tests.parts.part import Part
from tests.parts.ports import free_port

ROOT = Path(__file__).parent.parent.parent
PYTHON = "/usr/bin/python3"  # the one of the tests may lie where no other user can read it
USER = 54321
"""The daemon's user and group: numbers without a name."""
PASSWORD = "correct horse"
PROGRAM = """\
import sys
sys.path[:0] = {path!r}
from aad.cli import main
raise SystemExit(main())
"""
# Each command is a process of its own, without the half a second that its imports take.
FORKS = """\
import json, os, sys, traceback
sys.path[:0] = {path!r}
from importlib import import_module
from aad import cli
for name in {modules!r}:
    import_module(name)
for line in sys.stdin:
    words, out, err = json.loads(line)
    child = os.fork()
    if not child:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number, name in ((1, out), (2, err)):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
        code = 70
        try:
            code = cli.main(words)
        except SystemExit as end:
            code = end.code
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
MODULES = (
    *(f"aad.cli.{name}" for name in ("check", "explain", "locked", "log", "recovery", "serve", "totp", "unlock")),
    *(
        "aad.methods.password",
        "aad.methods.recovery_codes",
        "aad.methods.totp",
        "aad.radius.protocol.attribute_dictionary",
    ),
    *("aad.repositories.file", "aad.stores.sqlite"),
)
PATIENCE = 60.0
CONFIGURATION = """\
[radius]
listen = ["127.0.0.1:{port}"]
reject_delay = "50ms"
[clients.gateway]
networks = ["127.0.0.0/8"]
secret = {{ credential = "gateway.secret" }}
event = "vpn"
[repositories.local]
path = "users.toml"
[chains.app]
methods = ["password", "totp"]
[chains.paper]
methods = ["password", "recovery_codes"]
[events.vpn]
"""
STORE = """\
[store]
path = "{state}/state.db"
"""
LOG = """\
[log]
to = "file"
file = "{log}/aad.log"
"""
SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


class Rooted(Part):
    """Root's `etc`, `lib` and `log` in a folder that every user may pass, and in them `aad` of the daemon's user."""

    def __init__(self) -> None:
        """Make the folders; nothing runs yet."""
        self.folder = Path(tempfile.mkdtemp(prefix="aad-root-"))
        self.folder.chmod(0o755)
        self.port = free_port("udp")
        self.etc, self.lib, self.logs = (self.folder / name for name in ("etc", "lib", "log"))
        for each in (self.etc, self.lib, self.logs):
            each.mkdir()
            each.chmod(0o755)
        self.state, self.log = self.lib / "aad", self.logs / "aad"
        for each, mode in ((self.state, 0o700), (self.log, 0o750)):
            self.given(each, mode)
        self._write(self.etc / "credentials" / "gateway.secret", SECRET, 0o400)
        (self.etc / "credentials").chmod(0o700)
        octets = hashlib.scrypt(PASSWORD.encode(), salt=bytes(16), n=4096, r=1, p=1, dklen=32)
        user = f'[users.{{}}]\npassword = "{Hash(4096, 1, 1, bytes(16), octets)}"\n'
        self._write(self.etc / "users.toml", user.format("alice") + user.format("bob"), 0o644)
        self._write(self.etc / "seeds.csv", f"bob,{SEED}\n", 0o400)
        self.program = self.folder / "aad"
        self._write(self.program, PROGRAM.format(path=[str(ROOT), sysconfig.get_path("purelib")]), 0o644)
        self._forks: subprocess.Popen[bytes] | None = None
        self.configure()

    def configure(self, *, store: str = "", log: bool = True, state: Path | None = None) -> None:
        """Write aad.toml, for root alone; with another `store`, without the file of a `log`, with another folder."""
        text = CONFIGURATION.format(port=self.port) + (store or STORE.format(state=state or self.state))
        self._write(self.etc / "aad.toml", text + (LOG.format(log=self.log) if log else ""), 0o600)

    def given(self, folder: Path, mode: int = 0o700) -> Path:
        """Make a folder that belongs to the daemon's user."""
        folder.mkdir()
        os.chown(folder, USER, USER)
        folder.chmod(mode)
        return folder

    def stop(self) -> None:
        """Remove it all."""
        if self._forks is not None:
            self._forks.kill()
            self._forks.communicate()
        shutil.rmtree(self.folder)

    def quick(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command as root, with nothing to read; TimeoutError: it doesn't end."""
        path = [str(ROOT), sysconfig.get_path("purelib")]
        if self._forks is None:
            program = FORKS.format(path=path, modules=MODULES)
            self._forks = subprocess.Popen([PYTHON, "-IBc", program], bufsize=0, stdin=PIPE, stdout=PIPE, cwd="/")
        forks, files = self._forks, [self.folder / "stdout", self.folder / "stderr"]
        assert forks.stdin
        assert forks.stdout
        line = [[*words, "-c", str(self.etc / "aad.toml")], *map(str, files)]
        forks.stdin.write(json.dumps(line).encode() + b"\n")
        forks.stdin.flush()
        child = int(forks.stdout.readline())
        if not select.select([forks.stdout], [], [], PATIENCE)[0]:
            os.kill(child, signal.SIGKILL)
            forks.stdout.readline()
            raise TimeoutError(words)
        code = int(forks.stdout.readline())
        return subprocess.CompletedProcess(words, code, *(file.read_text() for file in files))

    def command(self, *words: str | Path) -> list[str]:
        """Return the command line of `aad`."""
        return [PYTHON, "-IB", str(self.program), *map(str, words), "-c", str(self.etc / "aad.toml")]

    def aad(
        self, *words: str | Path, within: Sequence[str] = (), env: Mapping[str, str] | None = None, given: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as root; it shall end by itself."""
        command = [*within, *self.command(*words)]
        environment = {**os.environ, **(env or {})}
        return subprocess.run(
            command, input=given, env=environment, capture_output=True, text=True, timeout=60, check=False, cwd="/"
        )

    def daemon(self) -> Child:
        """Return the daemon, run by its own user as the unit would, not yet started."""
        credentials = self.folder / "credentials"
        if not credentials.exists():
            self.given(credentials)
            self._write(credentials / "gateway.secret", SECRET, 0o400)
            os.chown(credentials / "gateway.secret", USER, USER)
        os.chown(self.etc / "aad.toml", 0, USER)
        (self.etc / "aad.toml").chmod(0o640)
        command = [*as_user(), *self.command("serve")]
        return Child(command, self.folder / "daemon.log", env={"CREDENTIALS_DIRECTORY": str(credentials)})

    def _write(self, file: Path, text: str, mode: int) -> None:
        file.parent.mkdir(exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(text)
        file.chmod(mode)


def as_user() -> list[str]:
    """Return what stands before a command of the daemon's user."""
    return ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--"]


def foreign(folder: Path, allowed: Callable[[Path], bool] = lambda _: False) -> list[str]:
    """Return what is in a folder and isn't the daemon's user's."""
    return [
        str(each)
        for each in folder.iterdir()
        if (each.lstat().st_uid, each.lstat().st_gid) != (USER, USER) and not allowed(each)
    ]


def ids(pid: int) -> dict[str, set[int]]:
    """Return what the kernel says of a process: whose it is, and what it may."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    numbers = {name: set(map(int, status[name].split())) for name in ("Uid", "Gid", "Groups", "NoNewPrivs")}
    return numbers | {name: {int(status[name], 16)} for name in ("CapEff", "CapPrm")}


def snapshot(folder: Path) -> dict[str, tuple[object, ...]]:
    """Return all there is in a folder, each thing with what any use but reading would change."""
    found: dict[str, tuple[object, ...]] = {}
    for each in (folder, *sorted(folder.rglob("*"))):
        its = each.lstat()
        content = each.read_bytes() if stat.S_ISREG(its.st_mode) else b""
        found[str(each)] = (its.st_ino, its.st_mode, its.st_uid, its.st_gid, its.st_nlink, its.st_ctime_ns, content)
    return found
