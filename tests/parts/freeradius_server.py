"""A FreeRADIUS of the test's own; others say what it does."""

from pathlib import Path

from tests.parts.child import Child
from tests.parts.part import Part


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
