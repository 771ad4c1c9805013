"""A real systemd, in namespaces of its own: it boots in seconds, and nothing it does reaches the machine."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.parts.child import Child
from tests.parts.part import Part
from tests.parts.waiting import until

# A group of its own in cgroup2: several can run, each takes its own for the root, and it is removed at the end.
OUTSIDE = """\
set -eu
mount --make-rprivate /
mkdir -p "$1/cgroup"
mount -t cgroup2 cgroup2 "$1/cgroup"
own=$1/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)/aad-test-$$
mkdir "$own"
(
    echo 0 >"$own/cgroup.procs"
    exec unshare --mount --pid --uts --ipc --net --cgroup --fork --kill-child sh -c "$0" sh "$@"
) || :
find "$own" -depth -type d -exec rmdir {} \\; || :
"""
INSIDE = """\
set -eu
umask 022
mount -t tmpfs -o mode=0755 tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" overlay "$1/root"
cd "$1/root"
shift
mount -t proc proc proc
for each in proc/sys proc/sysrq-trigger; do  # else it would write the settings of the machine's kernel
    if [ -e $each ]; then mount --bind $each $each; mount -o remount,bind,ro $each; fi
done
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=0755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=0755 tmpfs dev
for each in null zero full random urandom tty; do touch dev/$each; mount --bind /dev/$each dev/$each; done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for each in 0:stdin 1:stdout 2:stderr; do ln -s fd/${each%:*} dev/${each#*:}; done
# Of what the machine would start, it starts its journal only; the units are the distribution's own.
for each in etc/systemd/system lib/systemd/system-generators lib/systemd/system/sysinit.target.wants \\
    lib/systemd/system/sockets.target.wants lib/systemd/system/timers.target.wants; do
    if [ -d $each ]; then mount -t tmpfs -o mode=0755 tmpfs $each; fi
done
for each in sysctl modules-load remount-fs udevd udev-trigger update-utmp random-seed pstore; do
    ln -s /dev/null etc/systemd/system/systemd-$each.service
done
ln -s /dev/null etc/systemd/system/systemd-journald-audit.socket
ln -s ../systemd-journald.socket ../systemd-journald-dev-log.socket lib/systemd/system/sockets.target.wants
ln -s ../systemd-journald.service lib/systemd/system/sysinit.target.wants
mkdir -p etc/systemd/journald.conf.d
printf '[Journal]\\nStorage=volatile\\nAudit=no\\n' >etc/systemd/journald.conf.d/test.conf
: >etc/fstab
while [ $# -gt 0 ]; do
    if [ -d "$1" ]; then mkdir -p ".$2"; else mkdir -p ".${2%/*}"; touch ".$2"; fi
    mount --rbind "$1" ".$2"
    mount -o remount,bind,ro ".$2"
    shift 2
done
ip link set lo up
mkdir -p .machine
pivot_root . .machine
umount -l /.machine
rmdir /.machine
mount --make-rshared /  # else the credentials of a service can't be read
export container=test
exec /lib/systemd/systemd --system --unit=basic.target --show-status=no
"""
CLONE_NEWNET = 0x40000000


class Systemd(Part):
    """systemd as process 1 over the machine's own files, which it can't change, with a loopback of its own.

    `binds`: places in it -> files or folders of the machine that are found there, read-only.
    """

    def __init__(self, folder: Path, binds: Mapping[str, Path] | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        pairs = [str(word) for place, source in (binds or {}).items() for word in (source, place)]
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", OUTSIDE, INSIDE, str(folder), *pairs]
        self._child = Child(command, folder.with_name(f"{folder.name}.log"), env={"LC_ALL": "C.UTF-8"})
        self._pid = 0

    def start(self) -> None:
        """Boot. It must be root, and allowed to make namespaces, overlays and a cgroup2."""
        self._child.start()
        try:
            self._child.ready(self._found, 10)
            self._child.ready(lambda: self.run("systemctl", "is-active", "basic.target", check=False) == "active", 30)
        except AssertionError as error:
            error.add_note("systemd needs root, and namespaces, overlayfs and cgroup2 that it may mount")
            raise

    def stop(self) -> None:
        """Kill it, by its process id, and whatever runs in it; wait until its cgroups are gone."""
        if self._pid and self._child.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.process.wait(10)
        self._child.kill()
        self._pid = 0

    def run(self, *command: str | Path, given: str | bytes = "", check: bool = True, user: str = "") -> str:
        """Run a command in it, as root or as `user`; return what it wrote to stdout and stderr, stripped."""
        done = self.done(*command, given=given, user=user)
        if check and done.returncode:
            msg = f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout.decode(errors='replace')}"
            raise AssertionError(msg)
        return done.stdout.decode(errors="replace").strip()

    def done(
        self, *command: str | Path, given: str | bytes = "", user: str = "", seconds: float = 60
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command in it, and return how it ended; stderr is in stdout."""
        enter = ["nsenter", "-t", str(self._pid), "-m", "-p", "-u", "-i", "-n", "-C"]
        become = ["runuser", "-u", user, "--"] if user else []
        env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/"}
        octets = given.encode() if isinstance(given, str) else given
        words = [*enter, *become, *map(str, command)]
        return subprocess.run(
            words, input=octets, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env, timeout=seconds, check=False
        )

    def systemctl(self, *words: str, check: bool = True) -> str:
        """Run systemctl."""
        return self.run("systemctl", "--no-pager", *words, check=check)

    def show(self, unit: str, name: str) -> str:
        """Return a property of a unit, such as MainPID or ActiveState."""
        return self.systemctl("show", "--value", "-p", name, unit)

    def becomes(self, unit: str, state: str, seconds: float = 30.0) -> None:
        """Wait until the unit's ActiveState is this one."""
        until(lambda: self.show(unit, "ActiveState") == state, seconds, f"{unit} {state}")

    def journal(self, *words: str) -> list[dict[str, Any]]:
        """Return the journal's records, oldest first; `words`: what journalctl takes, such as -u aad."""
        lines = self.run("journalctl", "--no-pager", "-o", "json", "--all", *words, check=False).splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def write(self, place: str, text: str, mode: int = 0o644, owner: str = "root:root") -> None:
        """Write a file in it, and the folders above it."""
        script = 'mkdir -p "${1%/*}" && : >"$1" && chown "$3" "$1" && chmod "$2" "$1" && cat >"$1"'
        self.run("sh", "-c", script, "sh", place, f"{mode:o}", owner, given=text)

    def copy(self, source: Path, place: str) -> None:
        """Copy a file or a folder of the machine to that path in it; root's, and everybody may read it."""
        packed = subprocess.run(
            ["tar", "-C", source.parent, "--owner=0", "--group=0", "--mode=u+rwX,go=rX", "-c", source.name],
            stdout=subprocess.PIPE,
            check=True,
        )
        script = 'to=$(mktemp -d) && tar -C "$to" -x && mkdir -p "${2%/*}" && rm -rf "$2" && mv "$to/$1" "$2"'
        self.run("sh", "-c", script, "sh", source.name, place, given=packed.stdout)

    def pid_of(self, pid: int | str) -> int:
        """Return the number that a process of its has on the machine: that one can be signalled by a test."""
        for status in Path("/proc").glob("[0-9]*/status"):
            with contextlib.suppress(OSError):
                numbers = [line.split()[1:] for line in status.read_text().splitlines() if line.startswith("NSpid:")]
                if numbers and len(numbers[0]) > 1 and numbers[0][1] == str(pid) and self._mine(status.parent):
                    return int(status.parent.name)
        msg = f"no process {pid} in it"
        raise ProcessLookupError(msg)

    @contextlib.contextmanager
    def network(self) -> Iterator[None]:
        """Let this thread live in its network: sockets made and threads started here stay there for good."""
        libc = ctypes.CDLL(None, use_errno=True)
        with Path("/proc/thread-self/ns/net").open("rb") as home, Path(f"/proc/{self._pid}/ns/net").open("rb") as there:
            _enter(libc, there.fileno())
            try:
                yield
            finally:
                _enter(libc, home.fileno())

    def _found(self) -> int:
        """Find process 1: a grandchild, since unshare stands between."""
        for between in _children(self._child.pid):
            for other in _children(between):
                if Path(f"/proc/{other}/comm").read_text().strip() == "systemd":
                    self._pid = other
        return self._pid

    def _mine(self, proc: Path) -> bool:
        return (proc / "ns/pid").readlink() == Path(f"/proc/{self._pid}/ns/pid").readlink()


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _enter(libc: ctypes.CDLL, namespace: int) -> None:
    if libc.setns(namespace, CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
