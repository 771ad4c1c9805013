"""A group is one group in every spelling of its DN: requirement 33, seen from outside, with a real directory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from aad.core.identity import name_key
from aad.radius.protocol.constants import ACCESS_ACCEPT, ACCESS_CHALLENGE, ACCESS_REJECT
from tests.parts.alice import RIGHT, state
from tests.parts.authority import Authority
from tests.parts.corp import repository, sender
from tests.parts.daemon import HEAD, SECRET, Daemon
from tests.parts.directory import Directory, Person
from tests.parts.mailbox import Mailbox, code_in
from tests.parts.ports import free_port
from tests.parts.raw import Raw
from tests.parts.warm import aad
from tests.portal.conftest import Place
from tests.portal.visitor import Visitor
from tests.repositories.ldap import crooked
from tests.repositories.ldap.crooked import BOUND, DONE, SEARCH, Liar, ber, result
from tests.requirements.beside import Beside

FILTER_ID = 11
ALICE = Person("alice", RIGHT, mail=("alice@example.com",))
BOB = Person("bob", RIGHT, mail=("bob@example.com",))
BASE = "dc=example,dc=com"
ENTRIES = f"""
dn: cn=vpn,ou=groups,{BASE}
objectClass: groupOfNames
cn: vpn
member: {ALICE.dn}

dn: cn=Sales\\, West+ou=Zürich,ou=groups,{BASE}
objectClass: groupOfNames
cn: Sales, West
ou: Zürich
member: {ALICE.dn}

dn: cn=others,ou=groups,{BASE}
objectClass: groupOfNames
cn: others
member: {BOB.dn}
"""


@dataclass(frozen=True)
class Spelling:
    """One spelling of a group's DN, and its short name, folded; `standard`: slapd takes it for the same, too."""

    dn: str
    short: str = "vpn"
    standard: bool = True


VPN = tuple(
    Spelling(dn)
    for dn in (
        f"cn=vpn,ou=groups,{BASE}",
        f"cn=vpn, ou=groups,{BASE}",
        "CN = VPN , OU = GROUPS , DC = EXAMPLE , DC = COM",
        f"  cn=vpn,ou=groups,{BASE}  ",
        "cn=vpn;ou=groups;dc=example;dc=com",
        "2.5.4.3=vpn,2.5.4.11=groups,0.9.2342.19200300.100.1.25=example,dc=com",
        f"commonName=vpn,organizationalUnitName=groups,{BASE}",
        rf"cn=\76\70\6e,ou=groups,{BASE}",
        rf"cn=v\70n,ou=\67roups,{BASE}",
        rf"cn=\20vpn\20,ou=groups,{BASE}",
        f'cn="vpn",ou="groups",{BASE}',
        rf"cn=\EF\BD\96pn,ou=groups,{BASE}",
        f"cn=\uff56\uff50\uff4e,ou=groups,{BASE}",
    )
) + tuple(
    Spelling(dn, standard=False)
    for dn in (
        f"cn=#040376706e,ou=groups,{BASE}",
        f"cn=#0C0376706E,ou=groups,{BASE}",
        f"OID.2.5.4.3=vpn,ou=groups,{BASE}",
        f"cn=v\u200bpn,ou=groups,{BASE}",
        rf"cn=v\c2\adpn,ou=groups,{BASE}",
    )
)
SALES = tuple(
    Spelling(dn, short)
    for dn, short in (
        (rf"cn=Sales\, West+ou=Zürich,ou=groups,{BASE}", "sales, west"),
        (rf"OU=ZÜRICH + CN=sales\2C  west , ou=groups,{BASE}", "zürich"),
        (f'cn="Sales, West"+ou=Z\\c3\\bcrich,ou=groups,{BASE}', "sales, west"),
        (rf"ou=Zu\cc\88rich+cn=Sales\, West,ou=groups,{BASE}", "zürich"),
        (f"cn=Sales\\, West+ou=Zu\u0308rich,ou=groups,{BASE}", "sales, west"),
    )
)
SPELLINGS = VPN + SALES
OTHERS = (
    f"cn=vpns,ou=groups,{BASE}",
    f"cn=vpn,ou=group,{BASE}",
    f"cn=vpn,{BASE}",
    rf"cn=vpn\,ou=groups,{BASE}",
    f"uid=vpn,ou=groups,{BASE}",
    f"cn=vpn+ou=Zürich,ou=groups,{BASE}",
    f"ou=groups,cn=vpn,{BASE}",
    f"cn=v pn,ou=groups,{BASE}",
    rf"cn=Sales\, West,ou=groups,{BASE}",
    rf"cn=Sales\, West+ou=Zurich,ou=groups,{BASE}",
    f"cn=others,ou=groups,{BASE}",
)
ALONE = '[chains.alone]\nmethods = ["password"]\n[limits]\nmails_per_user = "unlimited"\n'
WAY = """
[clients.c{number}]
networks = ["127.0.1.{number}"]
secret = "{secret}"
event = "e{number}"
[chains.members{number}]
methods = ["password", "email_otp"]
groups = [{group}]
[events.e{number}]
chains = ["members{number}", "alone"]
[replies.r{number}]
clients = ["c{number}"]
groups = [{group}]
attributes = {{ Filter-Id = "{{group}}" }}
"""


def way(number: int, group: str) -> str:
    """Return the client 127.0.1.<number> with an event that asks members of a group for more than others."""
    return WAY.format(number=number, secret=SECRET, group=json.dumps(group))


@pytest.fixture(scope="module")
def slapd(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Directory]:
    with Directory(tmp_path_factory.mktemp("directory"), authority, (ALICE, BOB)) as running:
        running.add(ENTRIES)
        yield running


@pytest.fixture
def gateway(tmp_path: Path, directory: Directory, mailbox: Mailbox, authority: Authority) -> Iterator[Daemon]:
    """Each spelling, and then each of the other groups, has its client."""
    groups = [each.dn for each in SPELLINGS] + list(OTHERS)
    rest = repository(directory) + sender(mailbox.port, authority) + ALONE
    rest += "".join(way(number, group) for number, group in enumerate(groups, 1))
    with Daemon(
        tmp_path / "aad", rest, head=HEAD.replace("[events.vpn]", '[events.vpn]\nchains = ["both"]')
    ) as running:
        yield running
        assert not running.strays()


def test_33_the_chain_that_asks_more_is_taken_in_every_spelling(
    gateway: Daemon, directory: Directory, mailbox: Mailbox
) -> None:
    for number, spelling in enumerate(SPELLINGS, 1):
        assert directory.compared(ALICE.dn, "memberOf", spelling.dn) == spelling.standard, spelling
        with Raw(gateway.host, gateway.port, source=f"127.0.1.{number}") as client:
            before = len(mailbox.letters("alice@example.com"))
            asked = client.ask("alice", RIGHT)
            assert asked.code == ACCESS_CHALLENGE, spelling
            code = code_in(mailbox.wait("alice@example.com", before + 1))
            accepted = client.ask("alice", code, state(asked))
            assert accepted.code == ACCESS_ACCEPT
            assert [name_key(each.decode()) for each in accepted.every(FILTER_ID)] == [spelling.short]
            bob = client.ask("bob", RIGHT)  # who is no member
            assert (bob.code, bob.every(FILTER_ID)) == (ACCESS_ACCEPT, [])


def test_33_another_group_stays_another(gateway: Daemon, directory: Directory) -> None:
    for number, group in enumerate(OTHERS, len(SPELLINGS) + 1):
        assert not directory.compared(ALICE.dn, "memberOf", group), group
        with Raw(gateway.host, gateway.port, source=f"127.0.1.{number}") as client:
            reply = client.ask("alice", RIGHT)
        assert (reply.code, reply.every(FILTER_ID)) == (ACCESS_ACCEPT, []), group


def attribute(name: bytes, *values: bytes) -> bytes:
    return ber(0x30, ber(0x04, name), ber(0x31, *(ber(0x04, value) for value in values)))


GROUPS = {
    b"insider": (attribute(b"memberOf", b"CN=vpn, OU=groups,dc=example,dc=com"), ACCESS_CHALLENGE),
    b"other": (attribute(b"memberOf", b"cn=other,dc=example,dc=com"), ACCESS_ACCEPT),
    b"octets": (attribute(b"memberOf", b"cn=v\xffpn,ou=groups,dc=example,dc=com"), ACCESS_REJECT),
    b"torn": (attribute(b"memberOf", b"cn=other,dc=example,dc=com", b"cn=vpn,ou="), ACCESS_REJECT),
    b"name": (attribute(b"memberOf", b"vpn"), ACCESS_REJECT),
    b"empty": (attribute(b"memberOf", b""), ACCESS_REJECT),
    b"long": (attribute(b"memberOf", b"cn=vpn" + b"n" * 5000 + b",dc=com"), ACCESS_REJECT),
    b"many": (attribute(b"memberOf", *(b"cn=%05d,dc=%s" % (n, b"x" * 90) for n in range(4000))), ACCESS_REJECT),
    b"cut": (attribute(b"memberOf;range=0-0", b"cn=other,dc=example,dc=com"), ACCESS_REJECT),
    b"both": (attribute(b"memberOf", b"cn=vpn,ou=groups,dc=example,dc=com", b"\xff"), ACCESS_CHALLENGE),
}


FREE = f"""
[clients.free]
networks = ["127.0.1.2"]
secret = "{SECRET}"
event = "free"
[events.free]
chains = ["alone"]
"""


def told(tag: int, octets: bytes) -> list[bytes]:
    """Answer a search with whoever is asked for, a bind with success."""
    if tag != SEARCH:
        return [result(BOUND, 0)]
    name = next((name for name in GROUPS if name in octets), b"insider")
    values = (attribute(b"uid", name), attribute(b"mail", b"alice@example.com"), GROUPS[name][0])
    return [ber(crooked.ENTRY, ber(0x04, b"uid=" + name), ber(0x30, *values)), result(DONE, 0)]


def test_33_a_group_that_can_not_be_read_never_means_fewer_proofs(
    tmp_path: Path, mailbox: Mailbox, authority: Authority
) -> None:
    with Beside(Liar(told)) as liar:
        corp = f'\n[repositories.corp]\ntype = "ldap"\nservers = ["{liar.server.url}"]\nbase_dn = "{BASE}"\n'
        rest = corp + sender(mailbox.port, authority) + ALONE + way(1, f"cn=vpn,ou=groups,{BASE}")
        with Daemon(tmp_path / "aad", rest + FREE) as daemon:
            for name, (_, code) in GROUPS.items():
                with Raw(daemon.host, daemon.port, source="127.0.1.1") as client:
                    assert client.ask(name.decode(), RIGHT).code == code, name
                if code == ACCESS_REJECT:
                    reason = daemon.records("login.rejected")[-1]["reason"]
                    assert "members1 only for members of cn=vpn,ou=groups" in reason
                    assert "the user's group" in reason
                with Raw(daemon.host, daemon.port, source="127.0.1.2") as client:  # where no group decides
                    assert client.ask(name.decode(), RIGHT).code == ACCESS_ACCEPT, name
            assert not daemon.records("repository.down")  # it is about one user
            assert not daemon.strays()


def test_33_a_reply_that_may_confine_is_no_less_than_refused(
    tmp_path: Path, mailbox: Mailbox, authority: Authority
) -> None:
    with Beside(Liar(told)) as liar:
        corp = f'\n[repositories.corp]\ntype = "ldap"\nservers = ["{liar.server.url}"]\nbase_dn = "{BASE}"\n'
        confined = way(1, f"cn=vpn,ou=groups,{BASE}") + FREE.replace('"alone"', '"both"')
        rest = corp + sender(mailbox.port, authority) + ALONE + confined
        with Daemon(tmp_path / "aad", rest.replace('clients = ["c1"]', 'clients = ["free"]')) as daemon:
            for name, codes in (("insider", ACCESS_ACCEPT), ("other", ACCESS_ACCEPT), ("torn", ACCESS_REJECT)):
                with Raw(daemon.host, daemon.port, source="127.0.1.2") as client:
                    before = len(mailbox.letters("alice@example.com"))
                    asked = client.ask(name, RIGHT)
                    code = code_in(mailbox.wait("alice@example.com", before + 1))
                    assert client.ask(name, code, state(asked)).code == codes, name
            (refused,) = daemon.records("login.rejected")
            assert "r1 is only for members of cn=vpn,ou=groups" in refused["reason"]
            assert not daemon.strays()


PORTAL = """
[https]
listen = ["127.0.0.1:{port}"]
certificate = "{certificate.cert_file}"
key = {{ file = "{certificate.key_file}" }}
[https.portal]
event = "portal"
helpdesk_groups = [{group}]
[events.portal]
chains = ["alone"]
"""


def test_33_the_helpdesk_is_the_same_group_in_another_spelling(
    tmp_path: Path, directory: Directory, mailbox: Mailbox, authority: Authority
) -> None:
    certificate, port = authority.certificate("localhost"), free_port()
    group = json.dumps(rf"OU=ZÜRICH + CN=sales\2C  west , ou=groups,{BASE}")
    portal = PORTAL.format(certificate=certificate, port=port, group=group)
    rest = repository(directory) + sender(mailbox.port, authority) + ALONE + portal
    with Daemon(tmp_path / "aad", rest) as daemon:
        place = Place(daemon, f"https://localhost:{port}", mailbox, certificate, port)
        for name, status in (("alice", 200), ("bob", 403)):
            visitor = Visitor(place)
            visitor.followed(visitor.begin(name, RIGHT))
            assert visitor.get("/helpdesk").status == status


def test_33_check_looks_every_group_up(gateway: Daemon, directory: Directory) -> None:
    done = aad("check", "--online", "-c", gateway.file)
    assert done.returncode == 1
    lines = [line for line in done.stdout.splitlines() if line.startswith(("chains", "replies", "groups"))]
    first = len(SPELLINGS) + 1
    missing = range(first, first + len(OTHERS) - 1)  # the last of them is there
    unlike = [n for n, each in enumerate(SPELLINGS, 1) if "\u200b" in each.dn or r"\c2\ad" in each.dn]
    said = [f"{kind}{number}.groups[0]" for kind in ("chains.members", "replies.r") for number in (*unlike, *missing)]
    assert [line.partition(":")[0] for line in lines[:-1]] == said
    assert all(": FAILED, " in line and "isn't in repository corp: the directory says " in line for line in lines[:-1])
    total = 2 * (len(SPELLINGS) + len(OTHERS))
    assert lines[-1].startswith(f"groups: FAILED, {total - len(said)} of {total} found (")


def test_33_a_group_that_is_no_dn_is_a_fault(tmp_path: Path, directory: Directory) -> None:
    wrong = {
        "vpn": '"vpn" should be a type',
        f"cn=Sales, West,{BASE}": '" West,',
        "cn=vpn,": "its end should be a type",
    }
    for group, what in wrong.items():
        file = Daemon(tmp_path / "aad", repository(directory) + ALONE + way(1, group)).file
        done = aad("check", "-c", file)
        assert done.returncode == 78
        for key in ("chains.members1.groups[0]", "replies.r1.groups[0]"):
            assert f'{file}: {key}: "{group}" is no DN (RFC 4514): {what}' in done.stderr
