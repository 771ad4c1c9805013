"""A real FreeRADIUS that passes requests on, as the recipe has it."""

from pathlib import Path

from tests.parts import recipes
from tests.parts.freeradius_server import Freeradius
from tests.parts.ports import free_port
from tests.parts.recipes import Site

RADDB = "/etc/freeradius/3.0/"
MAIN = """\
prefix = /usr
libdir = /usr/lib/freeradius
logdir = {folder}
run_dir = {folder}
pidfile = {folder}/freeradius.pid
log {{
    destination = stdout
}}
security {{
    reject_delay = 0
    status_server = yes
}}
$INCLUDE proxy.conf
$INCLUDE clients.conf
$INCLUDE sites-enabled/aad
"""


class FreeradiusByRecipe(Freeradius):
    """A proxy before `home`; its own clients are at 127.0.0.1 and have `secret`."""

    host = "127.0.0.1"
    secret = "what NAS and proxy share"

    def __init__(self, folder: Path, home: Site) -> None:
        """Write its configuration."""
        (folder / "sites-enabled").mkdir(parents=True)
        self.port = free_port("udp")
        for block in recipes.every("freeradius"):
            if block.place.startswith(RADDB):
                path = folder / block.place.removeprefix(RADDB)
                site = Site(home.host, self.port, home.secret) if "sites-enabled" in block.place else home
                text = site.filled(block.text).replace("192.0.2.20", self.host).replace("THE-NAS-SECRET", self.secret)
                path.touch(mode=0o600)
                path.write_text(text)
        (folder / "radiusd.conf").write_text(MAIN.format(folder=folder))
        super().__init__(folder)
