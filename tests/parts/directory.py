"""A real slapd with the people of one test, on LDAP (with StartTLS) and LDAPS."""

import signal
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import run

from tests.parts.authority import Authority, Certificate
from tests.parts.child import Child
from tests.parts.ldif import BASE, SERVICE, STRICT_POLICY, Person, ldif
from tests.parts.part import Part
from tests.parts.ports import free_port, listening

__all__ = ["STRICT_POLICY", "Directory", "Person"]

ROOM, ROOM_EACH = 16 * 1024 * 1024, 8 * 1024  # octets that the database may have
CONFIG = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
{schema}
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
moduleload ppolicy
pidfile {folder}/slapd.pid
argsfile {folder}/slapd.args
TLSCACertificateFile {ca_file}
TLSCertificateFile {certificate.cert_file}
TLSCertificateKeyFile {certificate.key_file}
TLSVerifyClient never
{security}

database mdb
suffix "{base}"
directory {folder}/data
maxsize {room}
dbnosync
rootdn "cn=root,{base}"
rootpw "{root_password}"
index objectClass,uid,mail eq
overlay memberof
overlay ppolicy
ppolicy_default "cn=mild,ou=policies,{base}"
ppolicy_use_lockout
{access}
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{service}" read by self read by anonymous auth by * none
"""


class Directory(Part):
    """An LDAP server; it keeps its ports and its data when it is stopped and started again."""

    # libldap compares the certificate of a server at "localhost" with the machine's own name.
    names = tuple(dict.fromkeys(("localhost", "127.0.0.1", socket.gethostname(), socket.getfqdn())))
    base_dn = BASE
    bind_dn = SERVICE
    bind_password = "the service's own password"
    root_password = "of who may change everything"

    def __init__(  # noqa: PLR0913 - what it is, key by key
        self,
        folder: Path,
        authority: Authority,
        people: Sequence[Person] = (),
        *,
        require_tls: bool = False,
        certificate: Certificate | None = None,
        policy: Mapping[str, str] | None = None,
        host: str = "127.0.0.1",
        schema: str = "",
        access: str = "",
    ) -> None:
        """Load the people; `policy` changes the strict password policy, `require_tls` refuses binds in the clear.

        `schema`, `access`: further lines of slapd.conf, and those that go before its own rules of access.
        `host`: "0.0.0.0", where it is alone in a network.
        """
        (folder / "data").mkdir(parents=True, exist_ok=True)
        self.ca_file = authority.ca_file
        self.port, self.tls_port = free_port(), free_port()
        self.ldap_uri = f"ldap://localhost:{self.port}"
        self.ldaps_uri = f"ldaps://localhost:{self.tls_port}"
        config = folder / "slapd.conf"
        config.write_text(
            CONFIG.format(
                folder=folder,
                room=ROOM + len(people) * ROOM_EACH,
                base=BASE,
                service=SERVICE,
                ca_file=self.ca_file,
                certificate=certificate or authority.certificate(*self.names),
                schema=schema,
                access=access,
                root_password=self.root_password,
                security="security simple_bind=64" if require_tls else "",
            )
        )
        people_file = folder / "people.ldif"
        people_file.write_text(ldif(people, self.bind_password, policy or {}))
        loaded = run(
            ["/usr/sbin/slapadd", "-q", "-f", config, "-l", people_file], capture_output=True, text=True, check=False
        )
        if loaded.returncode:
            msg = f"slapadd: {loaded.stderr}"
            raise AssertionError(msg)
        listen = f"ldap://{host}:{self.port} ldaps://{host}:{self.tls_port}"
        self._slapd = Child(["/usr/sbin/slapd", "-d", "stats", "-h", listen, "-f", config], folder / "slapd.log")

    def start(self) -> None:
        """Start slapd and wait until it answers."""
        self._slapd.start()
        self._slapd.ready(lambda: "slapd starting" in self.log() and listening(self.port))

    def stop(self) -> None:
        """End slapd: connections are refused from now on."""
        self._slapd.stop()

    def pause(self) -> None:
        """Let slapd hang: connections are taken but nothing is answered."""
        self._slapd.freeze()

    def resume(self) -> None:
        """Let a paused slapd go on."""
        self._slapd.signal(signal.SIGCONT)

    def add(self, entries: str) -> None:
        """Add entries (LDIF) while it runs; the overlay fills memberOf then."""
        self._as_root("ldapadd", given=entries)

    def compared(self, dn: str, attribute: str, value: str) -> bool:
        """Say whether the directory itself takes `value` for one that the entry has (RFC 4511 4.10)."""
        return self._as_root("ldapcompare", dn, f"{attribute}:{value}", fine=(5, 6, 21)) == 6  # false, true, no DN

    def _as_root(self, program: str, *arguments: str, given: str = "", fine: Sequence[int] = (0,)) -> int:
        who = ["-x", "-H", f"ldap://127.0.0.1:{self.port}", "-D", f"cn=root,{BASE}", "-w", self.root_password]
        done = run([f"/usr/bin/{program}", *who, *arguments], input=given, capture_output=True, text=True, check=False)
        if done.returncode not in fine:
            msg = f"{program}: {done.stdout}{done.stderr}"
            raise AssertionError(msg)
        return done.returncode

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._slapd.pid

    def log(self) -> str:
        """Return what slapd wrote since its last start: each connection, bind and search on a line."""
        return self._slapd.output()
