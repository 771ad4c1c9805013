"""A real Active Directory domain controller: Samba, on LDAP and LDAPS, with the people of one test."""

from __future__ import annotations

import base64
import fcntl
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import run

from tests.parts.authority import Authority
from tests.parts.child import Child
from tests.parts.directory import Directory
from tests.parts.part import Part
from tests.parts.ports import free_port
from tests.parts.secluded import secluded

ROOT = Path(__file__).parent.parent.parent
BASE = "DC=corp,DC=example,DC=com"
CONFIG = """\
[global]
netbios name = DC1
realm = CORP.EXAMPLE.COM
workgroup = CORP
server role = active directory domain controller
server services = ldap
private dir = {folder}/private
state directory = {folder}/state
cache directory = {folder}/cache
lock directory = {folder}/lock
pid directory = {folder}/run
ncalrpc dir = {folder}/run/ncalrpc
binddns dir = {folder}/bind-dns
log file = {folder}/log.samba
interfaces = lo
bind interfaces only = yes
ldap server require strong auth = no
tls enabled = yes
tls keyfile = {key_file}
tls certfile = {cert_file}
tls cafile = {ca_file}
"""
ADMINISTRATOR = "Administr4tor's own"


@dataclass(frozen=True)
class Account:
    """A user of the domain; `cn` is his name in the tree (RFC 4514), if it is another.

    `state`: "", "disabled", "expired", "must change", "password expired", "locked", "hours" (never allowed) or
    "place" (another workstation only). `attributes`: further ones; bytes for binary values.
    """

    name: str
    password: str = "C0rrect horse"
    state: str = ""
    attributes: Mapping[str, str | bytes] = field(default_factory=dict)
    cn: str = ""


def dn(name: str) -> str:
    """Return where a user's or group's entry is."""
    return f"CN={name},CN=Users,{BASE}"


class Samba(Part):
    """A domain controller of CORP (corp.example.com). To make its domain takes 10 s, to start it one.

    The domain is made once in `shared`, whichever of several test processes comes first, and copied by each.
    """

    base_dn = BASE
    bind_dn = dn("aad")
    bind_password = "The service's 0wn"

    def __init__(
        self,
        folder: Path,
        authority: Authority,
        accounts: Sequence[Account],
        groups: Mapping[str, Sequence[str]],
        *,
        shared: Path,
    ) -> None:
        """Make the domain, or copy it. `groups`: their members, users or other groups."""
        certificate = authority.certificate(*Directory.names)
        self.ca_file = authority.ca_file
        self.port, self.tls_port = free_port(), free_port()
        self.ldap_uri = f"ldap://localhost:{self.port}"
        self.ldaps_uri = f"ldaps://localhost:{self.tls_port}"
        self._folder = folder
        shared.mkdir(exist_ok=True)
        with (shared / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (shared / "domain" / "done").exists():
                _made(shared / "domain", accounts, groups)
        shutil.copytree(shared / "domain", folder, dirs_exist_ok=True)
        files = {"key_file": certificate.key_file, "cert_file": certificate.cert_file, "ca_file": authority.ca_file}
        config = _configured(folder, **files)
        command: list[str | Path] = ["/usr/sbin/samba", "--interactive", "--model=single", "-s", config, "-d", "1"]
        ports = {self.port: 389, self.tls_port: 636}
        self._samba = Child(secluded(command, ports), folder / "samba.log", cwd=ROOT)

    def start(self) -> None:
        """Start it and wait until it answers on both ports."""
        self._samba.start()
        self._samba.ready(lambda: self._answers(self.ldap_uri) and self._answers(self.ldaps_uri), 60)

    def stop(self) -> None:
        """End it."""
        self._samba.stop()

    def _answers(self, uri: str) -> bool:
        command = ["ldapsearch", "-x", "-H", uri, "-s", "base", "-b", "", "-o", "nettimeout=5", "defaultNamingContext"]
        done = run(command, env={"LDAPTLS_CACERT": str(self.ca_file)}, capture_output=True, check=False, text=True)
        return BASE in done.stdout


def _configured(folder: Path, **files: Path) -> Path:
    for name in ("state", "cache", "lock", "run", "bind-dns"):
        (folder / name).mkdir(exist_ok=True)
    file = folder / "smb.conf"
    file.write_text(CONFIG.format_map({"folder": folder, "key_file": "", "cert_file": "", "ca_file": "", **files}))
    return file


def _made(folder: Path, accounts: Sequence[Account], groups: Mapping[str, Sequence[str]]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    domain = ["--realm=CORP.EXAMPLE.COM", "--domain=CORP", "--server-role=dc", "--dns-backend=NONE"]
    place = ["--host-name=dc1", f"--targetdir={folder}", f"--adminpass={ADMINISTRATOR}"]
    _done(["samba-tool", "domain", "provision", *domain, *place])
    service = Account("aad", Samba.bind_password)
    wanted = {"accounts": [_plain(account) for account in (service, *accounts)], "groups": groups}
    people = Path(__file__).with_name("samba_people.py")
    sam = folder / "private" / "sam.ldb"
    _done(["/usr/bin/python3", "-I", people, _configured(folder), sam], given=json.dumps(wanted, default=list))
    (folder / "done").touch()


def _plain(account: Account) -> dict[str, object]:
    attributes = {
        key: value if isinstance(value, str) else {"base64": base64.b64encode(value).decode()}
        for key, value in account.attributes.items()
    }
    known = {"name": account.name, "password": account.password, "state": account.state, "cn": account.cn}
    return {**known, "attributes": attributes}


def _done(command: Sequence[str | Path], given: str = "") -> None:
    done = run(command, input=given, capture_output=True, text=True, check=False)
    if done.returncode:
        msg = f"{command[0]}: {done.stdout[-1000:]}{done.stderr[-3000:]}"
        raise AssertionError(msg)
