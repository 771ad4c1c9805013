"""The real daemon, as a process, with a configuration of the test's."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from tests.parts.child import Child
from tests.parts.namespace import private
from tests.parts.part import Part
from tests.parts.ports import free_port
from tests.parts.waiting import until
from tests.parts.warm import AAD

# Every test that asks a daemon may be run against several processes: AAD_WORKERS=2 tools/test tests/requirements
WORKERS = os.environ.get("AAD_WORKERS", "")
SECRET = "a-secret-that-every-client-can-write"
HEAD = """
[radius]
listen = ["{host}:{port}"]
reject_delay = "50ms"
[log]
to = "stderr"
format = "json"
level = "debug"
[store]
path = "{folder}/state.db"
[clients.gateway]
networks = ["127.0.0.0/8", "::1"]
secret = "{secret}"
event = "vpn"
{client}
[chains.both]
methods = ["password", "email_otp"]
[events.vpn]
"""


VALKEY = """type = "valkey"
url = "{url}"
prefix = "aad{folder}:"
daemon_user = "root"
"""
KEY = b"an installation's key, of 32 octets at least"


class Daemon(Part):
    """`aad serve`. `rest` is TOML that follows the usual head; `client` are further keys of the client.

    It finds each file of `binds` in the place it is named by; `within` is what stands before its command.
    """

    host = "127.0.0.1"
    secret = SECRET
    options: Sequence[str] = ("--workers", WORKERS) if WORKERS else ()
    patience = 30.0
    """Seconds that it may take to start."""
    imported: ClassVar[bool] = False
    """Whether it may be forked from a process that has imported it (warm.py), as in tests; tools measure it whole."""
    valkey: ClassVar[str] = ""
    """The url of what stands in the place of the usual head's store."""

    def __init__(
        self,
        folder: Path,
        rest: str,
        *,
        client: str = "",
        head: str = HEAD,
        binds: Mapping[str, Path] | None = None,
        within: Sequence[str] = (),
    ) -> None:
        """Write the configuration; nobody else may read it."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.file = folder / "aad.toml"
        self.port = free_port("udp")
        self._head = head
        self._client = client
        self._binds = binds
        self.within = within
        self._starts = 0
        self._child: Child | None = None
        self.configure(rest)

    def configure(self, rest: str) -> None:
        """Write another configuration; `reload` puts it in force."""
        values = {"host": self.host, "port": self.port, "folder": self.folder, "secret": SECRET, "client": self._client}
        head = self._head.format(**values)
        self.file.touch(mode=0o600)
        self.file.write_text((self._in_valkey(head) if self.valkey else head) + rest)

    def _in_valkey(self, head: str) -> str:
        """Put Valkey in the place of the usual file; a head that has a store of its own keeps it."""
        place = f'path = "{self.folder}/state.db"\n'
        said = head.partition("[store]")[2].partition(place)[0]
        if "type = " in said:
            return head
        key = self.folder / "installation.key"
        key.touch(mode=0o600)
        key.write_bytes(KEY)
        own = "" if "key = " in said else f'key = {{ file = "{key}" }}\n'
        return head.replace(place, VALKEY.format(url=self.valkey, folder=self.folder) + own)

    def start(self) -> None:
        """Start, and wait until it listens."""
        self._starts += 1
        log = self.folder / f"daemon-{self._starts}.log"
        command = [*self.within, *AAD, "serve", "-c", str(self.file), *self.options]
        self._child = Child(private(command, self._binds) if self._binds else command, log, imported=self.imported)
        self._child.start()
        self._child.ready(lambda: len(self.records("daemon.started")) >= self.workers, self.patience)

    def stop(self) -> None:
        """End it by SIGTERM."""
        if self._child is not None:
            self._child.stop()

    def kill(self) -> None:
        """End it by SIGKILL, amid whatever it does."""
        self.child.kill()

    def reload(self) -> None:
        """Send SIGHUP, and wait until it says what became of it."""
        before = len(self.records("configuration.loaded", "configuration.refused"))
        self.child.signal(signal.SIGHUP)
        due = before + self.workers
        until(lambda: len(self.records("configuration.loaded", "configuration.refused")) >= due, what="a reload")

    @property
    def child(self) -> Child:
        """Return the process."""
        assert self._child is not None
        return self._child

    @property
    def workers(self) -> int:
        """How many processes serve: each of them tells of a reload, or of an outage that it meets."""
        given = list(self.options)
        return int(given[given.index("--workers") + 1]) if "--workers" in given else 1

    @property
    def pids(self) -> list[int]:
        """All its processes."""
        found = Path(f"/proc/{self.child.pid}/task/{self.child.pid}/children").read_text()
        return [self.child.pid, *map(int, found.split())]

    def records(self, *names: str) -> list[dict[str, Any]]:
        """Return the records of these names since the last start, or all of them."""
        lines = [line for line in self.child.output().splitlines(keepends=True) if line.endswith("\n")]
        found = [json.loads(line) for line in lines if line.startswith("{")]
        return [record for record in found if not names or record["event"] in names]

    def strays(self) -> list[str]:
        """Return what was written that is no record: a traceback, a warning. There should be none."""
        return [line for line in self.child.output().splitlines() if not line.startswith("{")]
