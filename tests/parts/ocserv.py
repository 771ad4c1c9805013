"""A real ocserv that asks RADIUS, and the openconnect that logs in there."""

import shutil
from pathlib import Path

from tests.parts import recipes
from tests.parts.authority import Authority
from tests.parts.child import Child
from tests.parts.namespace import private
from tests.parts.part import Part
from tests.parts.ports import free_port, listening
from tests.parts.recipes import Site
from tests.parts.result import Answer, Result
from tests.parts.terminal import talk

# No ban: the second login after a wrong password would be refused otherwise.
SERVER = """\
listen-host = 127.0.0.1
tcp-port = {port}
run-as-user = nobody
run-as-group = nogroup
socket-file = /run/ocserv.socket
pid-file = /run/ocserv.pid
server-cert = {certificate.cert_file}
server-key = {certificate.key_file}
isolate-workers = false
use-occtl = false
device = vpns
ipv4-network = 10.99.0.0
ipv4-netmask = 255.255.255.0
min-reauth-time = 0
max-ban-score = 0
cisco-client-compat = true
"""


class Ocserv(Part):
    """A VPN server; `login` asks for the VPN's cookie but sets up no tunnel."""

    def __init__(self, folder: Path, authority: Authority, site: Site) -> None:
        """Write its configuration, as the recipe has it."""
        run, radcli = folder / "run", folder / "radcli"
        run.mkdir(parents=True, mode=0o755)
        shutil.copytree("/etc/radcli", radcli)
        self.port = free_port()
        self._ca_file = authority.ca_file
        certificate = authority.certificate("localhost", "127.0.0.1")
        config = folder / "ocserv.conf"
        recipe = {place: site.filled(block.text) for place, block in recipes.blocks("ocserv").items()}
        bare = SERVER.format(folder=folder, port=self.port, certificate=certificate)
        config.write_text(recipe["/etc/ocserv/ocserv.conf"] + bare)
        (radcli / "radiusclient.conf").write_text(recipe["/etc/radcli/radiusclient.conf"])
        (radcli / "servers").write_text(recipe["/etc/radcli/servers"])
        command = private(["/usr/sbin/ocserv", "-f", "-d", "3", "-c", config], {"/run": run, "/etc/radcli": radcli})
        self._ocserv = Child(command, folder / "ocserv.log")

    def start(self) -> None:
        """Start ocserv and wait until it listens."""
        self._ocserv.start()
        self._ocserv.ready(lambda: listening(self.port))

    def stop(self) -> None:
        """End ocserv and its workers at once; asked to end, it would take its time."""
        self._ocserv.kill()

    def login(self, user: str, password: str, answer: Answer) -> Result:
        """Log in once."""
        options = ["--authenticate", f"--cafile={self._ca_file}"]
        command = ["/usr/sbin/openconnect", *options, f"--user={user}", f"https://localhost:{self.port}"]
        done = talk(command, password, answer, clean=_message)
        return Result(done.status == 0 and "COOKIE=" in done.transcript, done.prompts, done.transcript)

    def log(self) -> str:
        """Return what ocserv wrote."""
        return self._ocserv.output()


def _message(shown: str) -> str:
    """Leave out openconnect's own lines and the label that ocserv puts before the input."""
    lines = [line for line in shown.splitlines() if line and not line.startswith("POST ")]
    return "\n".join(lines[:-1])
