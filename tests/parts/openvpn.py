"""A real OpenVPN server that asks RADIUS as a recipe says, and the client that logs in there."""

from collections.abc import Mapping
from pathlib import Path

from tests.parts.authority import Authority
from tests.parts.child import Child
from tests.parts.namespace import private
from tests.parts.part import Part
from tests.parts.ports import free_port
from tests.parts.result import Answer, Result
from tests.parts.terminal import talk

CONNECTED = "Initialization Sequence Completed"
# Neither end gives its tunnel an address: tests at the same time would have the same.
COMMON = """\
dev tun
proto udp
ifconfig-noexec
route-noexec
tls-version-min 1.2
"""
SERVER = """\
local 127.0.0.1
port {port}
server 10.8.0.0 255.255.255.0
topology subnet
ca {ca_file}
cert {certificate.cert_file}
key {certificate.key_file}
dh none
verify-client-cert none
username-as-common-name
tmp-dir {folder}
"""
CLIENT = """\
client
nobind
remote 127.0.0.1 {port}
ca {ca_file}
remote-cert-tls server
connect-retry 1
connect-retry-max 3
"""


class Openvpn(Part):
    """A VPN server. `files`: what is in /etc, by its place there; `server.conf` of it is added to a bare one."""

    def __init__(self, folder: Path, authority: Authority, files: Mapping[str, str], *, more: str = "") -> None:
        """Write its configuration; `more` is added to it, too."""
        folder.mkdir(parents=True)
        self._folder, self._ca_file = folder, authority.ca_file
        self.port = free_port("udp")
        certificate = authority.certificate("localhost", common_name="localhost")
        values = {"folder": folder, "port": self.port, "ca_file": authority.ca_file, "certificate": certificate}
        self._etc = {"/etc/openvpn": folder / "openvpn", "/run": folder / "run"}
        (folder / "run").mkdir()
        for place, text in files.items():
            self._write(place, text)
        config = folder / "openvpn" / "server" / "server.conf"
        config.write_text(COMMON + SERVER.format(**values) + config.read_text() + more)
        (folder / "client.conf").write_text(COMMON + CLIENT.format(**values))
        command = ["/usr/sbin/openvpn", "--verb", "3", "--config", "/etc/openvpn/server/server.conf"]
        self._openvpn = Child(private(command, self._etc), folder / "openvpn.log")

    def _write(self, place: str, text: str) -> None:
        """Put a file where the server sees it at its place in /etc; folders of /etc are seen whole."""
        path = self._folder / place.removeprefix("/etc/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o700 if place.endswith(".py") else 0o600)
        path.write_text(text)
        top = "/etc/" + place.split("/")[2]
        self._etc[top] = self._folder / place.split("/")[2]

    def start(self) -> None:
        """Start it and wait until it serves."""
        self._openvpn.start()
        self._openvpn.ready(lambda: CONNECTED in self.log())

    def stop(self) -> None:
        """End it."""
        self._openvpn.stop()

    def login(self, user: str, password: str, answer: Answer, *, more: str = "") -> Result:
        """Connect, and disconnect once the tunnel is there; `more` is added to the client's configuration."""
        name = self._folder / "user"
        name.write_text(f"{user}\n")
        config = self._folder / "login.conf"
        bare = (self._folder / "client.conf").read_text() + more
        config.write_text(bare.replace("auth-user-pass\n", "") + f"auth-user-pass {name}\n")
        command = private(["/usr/sbin/openvpn", "--config", config], {"/run": self._folder / "run"})
        done = talk(command, password, answer, clean=_question, enough=CONNECTED)
        return Result(CONNECTED in done.transcript, done.prompts, done.transcript)

    def log(self) -> str:
        """Return what the server wrote."""
        return self._openvpn.output()


def _question(shown: str) -> str:
    """Leave out OpenVPN's own lines, which begin with the time, and what it puts before the input."""
    return "\n".join(line for line in shown.splitlines() if line.startswith("CHALLENGE: "))
