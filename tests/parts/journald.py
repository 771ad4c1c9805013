"""A real journald in a mount namespace of its own, with journals of its own."""

import json
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.parts import warm
from tests.parts.child import Child
from tests.parts.daemon import Daemon
from tests.parts.part import Part
from tests.parts.waiting import until

HOUSE = """\
set -e
mkdir -p /run/systemd/journal /run/log /var/lib/systemd/catalog
mount -t tmpfs tmpfs /run/systemd/journal
mount -t tmpfs tmpfs /run/log
mount -t tmpfs tmpfs /var/lib/systemd/catalog
mkdir /run/log/journal
mount --bind "$1/journald.conf" /etc/systemd/journald.conf
mount --bind "$1/catalog" /usr/lib/systemd/catalog
journalctl --update-catalog
echo ready
exec sleep infinity
"""
CONF = "[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=no\nRateLimitIntervalSec=0\nRateLimitBurst=0\n"
TO_JOURNAL = ('to = "stderr"', 'to = "journal"')


class Journald(Part):
    """journald and the house it lives in. `within` is what to write before a command that shall see it."""

    def __init__(self, folder: Path, catalogue: Path) -> None:
        """Prepare journald with the system's catalogue and ours."""
        self.folder = folder
        (folder / "catalog").mkdir(parents=True)
        for file in [*Path("/usr/lib/systemd/catalog").glob("systemd.catalog"), catalogue]:
            (folder / "catalog" / file.name).write_bytes(file.read_bytes())
        (folder / "journald.conf").write_text(CONF)
        house = ["unshare", "--mount", "--propagation", "private", "sh", "-c", HOUSE, "sh", str(folder)]
        self._house = Child(house, folder / "house.log")
        self._journald: Child | None = None

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self._house.start()
        self._house.ready(lambda: "ready" in self._house.output())
        self._journald = Child(self.within(["/lib/systemd/systemd-journald"]), self.folder / "journald.log")
        self._journald.start()
        socket = Path(f"/proc/{self._house.pid}/root/run/systemd/journal/socket")
        self._journald.ready(socket.exists)

    def stop(self) -> None:
        """End it and its house."""
        self.end()
        self._house.stop()

    def end(self) -> None:
        """End journald alone; the journals stay."""
        if self._journald is not None:
            self._journald.stop()

    def pause(self) -> None:
        """Let it read nothing."""
        assert self._journald is not None
        self._journald.freeze()

    def resume(self) -> None:
        """Let it read again."""
        assert self._journald is not None
        self._journald.signal(signal.SIGCONT)

    def within(self, command: Sequence[str | Path]) -> list[str]:
        """Return the command that runs `command` where it sees this journal."""
        return ["nsenter", "--mount", "-t", str(self._house.pid), *(str(word) for word in command)]

    def run(self, *command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command there."""
        return subprocess.run(
            self.within(command),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "LC_ALL": "C.UTF-8", **environment},
        )

    def aad(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a command of `aad` there."""
        return warm.aad(*words, mounts=self._house.pid)

    def entries(self, *matches: str) -> list[dict[str, Any]]:
        """Return what journalctl shows of `aad`."""
        done = self.run("journalctl", "--no-pager", "-a", "-o", "json", "SYSLOG_IDENTIFIER=aad", *matches)
        return [json.loads(line) for line in done.stdout.splitlines()]


class JournalDaemon(Daemon):
    """The daemon, in the house of a journald, writing to it; `records` are read from there."""

    def __init__(self, folder: Path, rest: str, journald: Journald, **more: Any) -> None:
        """Prepare the daemon; `more` is Daemon's."""
        self._journald = journald
        super().__init__(folder, rest, within=journald.within([]), **more)

    def configure(self, rest: str) -> None:
        """Write another configuration."""
        super().configure(rest)
        self.file.write_text(self.file.read_text().replace(*TO_JOURNAL))

    def records(self, *names: str) -> list[dict[str, Any]]:
        """Return the records of these names, or all of them."""
        found = self._journald.entries(*(f"AAD_EVENT={name}" for name in names))
        return [{key.removeprefix("AAD_").lower(): value for key, value in one.items()} for one in found]

    def answered(self, number: int, name: str) -> None:
        """Wait until so many records of a name are there."""
        until(lambda: len(self.records(name)) >= number, 30, f"{number} records {name}")
