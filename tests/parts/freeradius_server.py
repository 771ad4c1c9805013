"""A FreeRADIUS of the test's own; others say what it does."""

from pathlib import Path

from tests.parts.child import Child
from tests.parts.part import Part

HEAD = """\
prefix = /usr
libdir = /usr/lib/freeradius
logdir = {folder}
run_dir = {folder}
pidfile = {folder}/freeradius.pid
max_request_time = 30
cleanup_delay = 5
hostname_lookups = no
log {{
    destination = stdout
}}
security {{
    max_attributes = 200
    reject_delay = {reject_delay}
    status_server = yes
}}
"""
"""How a radiusd.conf begins: `folder`, and `reject_delay` in seconds."""


class Freeradius(Part):
    """Runs with the raddb in a folder."""

    def __init__(self, folder: Path) -> None:
        """Prepare the server; `folder` has its radiusd.conf."""
        command = ["/usr/sbin/freeradius", "-f", "-l", "stdout", "-d", str(folder), "-D", "/usr/share/freeradius"]
        self._freeradius = Child(command, folder / "freeradius.log")

    def start(self) -> None:
        """Start it and wait until it says that it is ready."""
        self._freeradius.start()
        self._freeradius.ready(lambda: "Ready to process requests" in self.log())

    def stop(self) -> None:
        """End it."""
        self._freeradius.stop()

    def log(self) -> str:
        """Return what it wrote."""
        return self._freeradius.output()
