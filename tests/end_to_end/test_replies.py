"""Reply attributes of whole logins, read by FreeRADIUS's own dictionaries; and where a user is, by what tells it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aad.radius.protocol import constants
from aad.radius.protocol.constants import ACCESS_REJECT
from tests.parts.authority import Authority
from tests.parts.corp import repository, sender
from tests.parts.daemon import HEAD, Daemon
from tests.parts.directory import Directory, Person
from tests.parts.freeradius import FreeradiusProxy
from tests.parts.ldif import group_dn
from tests.parts.mailbox import Mailbox, code_in
from tests.parts.radclient import Radclient, Reply, quote
from tests.parts.raw import Raw
from tests.parts.warm import aad

STAFF = {"description": "192.0.2.7", "departmentNumber": "Research & Development"}
PEOPLE = (
    Person("alice", "right", mail=("alice@example.com",), groups=("admins", "staff"), extra=STAFF),
    Person("bob", "right", mail=("bob@example.com",), groups=("staff",)),
    Person("carol", "right", mail=("carol@example.com",), groups=("staff",), extra={"description": "no address"}),
    Person("guest", "right", mail=("guest@example.com",)),
    Person("dave", "right", mail=("dave@example.com",), groups=("rooms",)),
)
INSIDE = '[chains.inside]\nmethods = ["password"]\nnetworks = ["192.0.2.0/24"]\n[chains.both]'
TABLES = f"""
[replies.admins]
groups = ["{group_dn("admins")}"]
attributes = {{ Tunnel-Type = "VLAN", Tunnel-Medium-Type = "IEEE-802", Tunnel-Private-Group-Id = "42", Class = "{{group}}",
  Cisco-AVPair = ["shell:priv-lvl=15", "ip:inacl#1=permit ip any any"], Fortinet-Group-Name = "{{group}}",
  PaloAlto-User-Group = "{{group}}", Mikrotik-Group = "full", Juniper-Local-User-Name = "super", ASA-Group-Policy = "GP",
  Aruba-User-Role = "{{user}}", Service-Type = "Administrative-User", Session-Timeout = 3600 }}
[replies.staff]
groups = ["{group_dn("staff")}"]
attributes = {{ Framed-IP-Address = "{{attribute:description}}", Class = "0xff00", Filter-Id = "{{attribute:departmentNumber}}",
  "Tunnel-Type:1" = "VLAN", "Tunnel-Private-Group-Id:1" = "staff" }}
[replies.more]
groups = ["{group_dn("admins")}"]
add = true
attributes = {{ Class = "more" }}
[replies.rooms]
groups = ["{group_dn("rooms")}"]
required = true
attributes = {{ Filter-Id = "{{attribute:roomNumber}}" }}
"""  # noqa: E501 - an inline table of TOML 1.0 is one line
TABLES = TABLES.replace(",\n  ", ", ")


@pytest.fixture
def directory(tmp_path: Path, authority: Authority) -> Iterator[Directory]:
    folder = tmp_path / "directory"
    folder.mkdir()
    with Directory(folder, authority, PEOPLE) as running:
        yield running


def running(
    folder: Path, directory: Directory, mailbox: Mailbox, authority: Authority, rest: str = TABLES, client: str = ""
) -> Daemon:
    parts = repository(directory) + sender(mailbox.port, authority)
    head = HEAD.replace("[chains.both]", INSIDE)
    return Daemon(folder / "aad", parts + rest, head=head, client=client)


@pytest.fixture
def daemon(tmp_path: Path, directory: Directory, mailbox: Mailbox, authority: Authority) -> Iterator[Daemon]:
    with running(tmp_path, directory, mailbox, authority) as started:
        yield started
        assert not started.strays()


def ask(client: Radclient, name: str, *further: str, password: str = "right") -> Reply:
    """Log in from inside: the password is enough there."""
    where = 'Calling-Station-Id = "192.0.2.99"'
    return client.send("auth", [f"User-Name = {quote(name)}", f"User-Password = {quote(password)}", where, *further])


ALICE = {
    "Tunnel-Type:0": ["VLAN"],
    "Tunnel-Medium-Type:0": ["IEEE-802"],
    "Tunnel-Private-Group-Id:0": ["42"],
    "Class": ["0x61646d696e73", "0x6d6f7265"],
    "Cisco-AVPair": ["shell:priv-lvl=15", "ip:inacl#1=permit ip any any"],
    "Fortinet-Group-Name": ["admins"],
    "PaloAlto-User-Group": ["admins"],
    "Mikrotik-Group": ["full"],
    "Juniper-Local-User-Name": ["super"],
    "ASA-Group-Policy": ["GP"],
    "Aruba-User-Role": ["alice"],
    "Service-Type": ["Administrative-User"],
    "Session-Timeout": ["3600"],
    "Framed-IP-Address": ["192.0.2.7"],
    "Filter-Id": ["Research & Development"],
    "Tunnel-Type:1": ["VLAN"],
    "Tunnel-Private-Group-Id:1": ["staff"],
}


def known(reply: Reply) -> dict[str, list[str]]:
    """Return what was said, without what every reply has; radclient writes tag 0 or not, by its version."""
    said = {}
    for name, values in reply.attributes.items():
        tagged = f"{name}:0" if name.startswith("Tunnel-") and ":" not in name else name
        said[tagged] = values
    return {name: values for name, values in said.items() if name not in {"Message-Authenticator", "Proxy-State"}}


def test_freeradius_reads_what_it_was_meant_to(daemon: Daemon) -> None:
    with Radclient(daemon.host, daemon.port, daemon.secret) as client:
        reply = ask(client, "alice")
        assert reply.code == "Access-Accept"
        assert known(reply) == ALICE
        reply = ask(client, "bob")  # without an address and a department of his own
        assert reply.code == "Access-Accept"
        staff = {"Class": ["0xff00"], "Tunnel-Type:1": ["VLAN"], "Tunnel-Private-Group-Id:1": ["staff"]}
        assert known(reply) == staff
        reply = ask(client, "guest")
        assert (reply.code, known(reply)) == ("Access-Accept", {})
        assert set(known(ask(client, "alice", password="wrong"))) == {"Reply-Message"}
    left_out = [record["reason"] for record in daemon.records("reply.omitted") if record["user"] == "bob"]
    assert left_out == [
        "Framed-IP-Address of staff: the user has nothing for {attribute:description}",
        "Filter-Id of staff: the user has nothing for {attribute:departmentNumber}",
    ]


def test_a_proxy_passes_them_on(daemon: Daemon, tmp_path: Path) -> None:
    with (
        FreeradiusProxy(tmp_path / "proxy", daemon.host, daemon.port, daemon.secret, "the proxy's own") as proxy,
        Radclient(proxy.host, proxy.port, "the proxy's own") as client,
    ):
        reply = ask(client, "alice")
        assert (reply.code, known(reply)) == ("Access-Accept", ALICE)


def test_they_come_after_the_code_and_after_a_restart(daemon: Daemon, mailbox: Mailbox) -> None:
    def answer(_prompt: str) -> str:
        code = code_in(mailbox.wait("alice@example.com"))
        daemon.kill()
        daemon.start()
        return code

    with Radclient(daemon.host, daemon.port, daemon.secret) as client:
        result = client.login("alice", "right", answer)
    assert result.accepted
    challenge, _, accept = result.transcript.partition("Access-Accept")
    for said in ("Fortinet-Group-Name", "Tunnel-Private-Group-Id", "Framed-IP-Address = 192.0.2.7"):
        assert said in accept
        assert said not in challenge


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("carol", 'Framed-IP-Address of staff: "no address" should be an IPv4 address, such as "192.0.2.7"'),
        ("dave", "Filter-Id of rooms: the user has nothing for {attribute:roomNumber}"),
    ],
)
def test_who_can_not_be_told_of_is_refused(daemon: Daemon, name: str, why: str) -> None:
    with Raw(daemon.host, daemon.port) as client:
        reply = client.ask(name, "right", (constants.CALLING_STATION_ID, b"192.0.2.99"))
        assert reply.code == ACCESS_REJECT
        assert [kind for kind, _ in reply.attributes] == [constants.MESSAGE_AUTHENTICATOR, constants.REPLY_MESSAGE]
    (rejected,) = daemon.records("login.rejected")
    assert rejected["reason"] == f"what the client would have to be told of the user can't be said: {why}"
    assert not daemon.records("login.accepted", "user.locked")


@pytest.mark.parametrize(
    "told",
    [
        ("Calling-Station-Id", "192.0.2.1[4500]", "00-53-00-00-00-01"),
        ("Framed-IP-Address", "192.0.2.1", "198.51.100.1"),
        ("Fortinet-Client-IP-Address", "192.0.2.1", "198.51.100.1"),
        ("PaloAlto-Client-Source-IP", "192.0.2.1", "2001:db8::1"),
    ],
)
def test_the_attribute_that_tells_where_the_user_is_can_be_chosen(
    tmp_path: Path, directory: Directory, mailbox: Mailbox, authority: Authority, told: tuple[str, str, str]
) -> None:
    attribute, inside, outside = told
    client_keys = f'address_attribute = "{attribute}"'
    with (
        running(tmp_path, directory, mailbox, authority, "", client_keys) as daemon,
        Radclient(daemon.host, daemon.port, daemon.secret) as client,
    ):
        login = ["User-Name = alice", "User-Password = right"]
        assert client.send("auth", [*login, f"{attribute} = {quote(inside)}"]).code == "Access-Accept"
        assert client.send("auth", [*login, f"{attribute} = {quote(outside)}"]).code == "Access-Challenge"
        assert client.send("auth", login).code == "Access-Challenge"


def test_explain_says_what_is_said_and_why(daemon: Daemon) -> None:
    told = aad("explain", "alice", "--event", "vpn", "-c", daemon.file).stdout
    assert "reply attributes:\n  Tunnel-Type = VLAN (replies.admins)\n" in told
    assert "  Framed-IP-Address = 192.0.2.7 (replies.staff)\n" in told
    assert "  left out: Class of staff: admins gave it before\n" in told
    assert "  Class = more (replies.more)\n" in told
    assert f"replies.rooms: only for members of {group_dn('rooms')}\n" in told
    told = aad("explain", "carol", "--event", "vpn", "-c", daemon.file).stdout
    assert '  that can\'t be said, so the user is refused: Framed-IP-Address of staff: "no address"' in told
    assert "reply attributes: none\n" in aad("explain", "guest", "--event", "vpn", "-c", daemon.file).stdout
    told = aad("explain", "guest", "--event", "vpn", "--address", "00-53-00-00-00-01", "-c", daemon.file).stdout
    assert 'address: unknown: what is given holds no address: "00-53-00-00-00-01"\n' in told
    assert "chain inside: only from 192.0.2.0/24, and any client doesn't say where the user is (holds no add" in told
    told = aad("explain", "guest", "--event", "vpn", "--address", "[::ffff:192.0.2.7]:443", "-c", daemon.file).stdout
    assert "chain: inside (password), the first that fits" in told
