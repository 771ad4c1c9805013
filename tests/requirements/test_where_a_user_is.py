"""Where a user is, if it can't be read, is unknown: requirement 32. It opens nothing that is bound to networks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

import pytest

from aad.radius.protocol import constants
from aad.radius.protocol.constants import ACCESS_ACCEPT, ACCESS_CHALLENGE, CALLING_STATION_ID
from aad.radius.protocol.wire import Attribute, vendor_attribute
from tests.parts.alice import RIGHT
from tests.parts.authority import Authority, Certificate
from tests.parts.corp import Make
from tests.parts.daemon import HEAD, SECRET, Daemon
from tests.parts.mailbox import Mailbox
from tests.parts.ports import free_port
from tests.parts.raw import Raw
from tests.parts.waiting import until
from tests.parts.website import Website, hashed, head
from tests.portal.conftest import Place
from tests.portal.visitor import Visitor
from tests.requirements.beside import once

Lines = list[tuple[str, str]]

# Some are spelled as IPv4 in IPv6, and mean the same. The proxy itself, 127.0.0.1, is in both; the last three hold what
# is no host's address, or an EUI-64 read as IPv6.
CHAINS = """
[chains.inside]
methods = ["password"]
networks = ["127.0.0.0/8", "::ffff:192.0.2.0/120", "2001:db8::/32", "0.0.0.0/8", "255.0.0.0/8", "::/8"]
[limits]
mails_per_user = "unlimited"
[methods.email_otp]
resend_after = "5m"
"""
BOTH = '[events.vpn]\nchains = ["inside", "both"]\n'
NEAR = """
[https.keys.near]
hash = "{hash}"
event = "vpn"
networks = ["127.0.0.0/8", "::ffff:192.0.2.0/120"]
[https.portal]
event = "portal"
[events.portal]
chains = ["inside", "both"]
"""
XFF, FORWARDED = "X-Forwarded-For", "Forwarded"
READABLE: list[Lines] = [
    [(XFF, "192.0.2.7")],
    [(XFF, "192.0.2.7:443")],
    [(XFF, "::ffff:192.0.2.7")],
    [(XFF, '"[::ffff:c000:207]:443"')],
    [(XFF, "203.0.113.9, 192.0.2.7")],
    [(XFF, "203.0.113.9"), (XFF, "192.0.2.7"), (XFF, "127.0.0.5")],
    [(FORWARDED, "for=192.0.2.7")],
    [(FORWARDED, 'proto=https;FOR="192.0.2.7:_port"')],
    [(FORWARDED, 'for=203.0.113.9;by="a, for=b"'), (FORWARDED, 'For="[::ffff:192.0.2.7]:443"')],
    [(XFF, "192.0.2.7:443"), (FORWARDED, "for=192.0.2.7")],
]
OUTSIDE: list[Lines] = [
    [(XFF, "203.0.113.9")],
    [(XFF, "203.0.113.9:443")],  # which made a stranger the proxy
    [(XFF, "192.0.2.7, 203.0.113.9:443")],
    [(XFF, "192.0.2.7"), (XFF, "203.0.113.9")],
    [(XFF, "127.0.0.1, 203.0.113.9, 127.0.0.2")],
    [(FORWARDED, "for=192.0.2.7, for=203.0.113.9")],
    [(FORWARDED, 'for="203.0.113.9:443"')],
]
UNREADABLE: list[Lines] = [
    [],
    [(XFF, "")],
    [(XFF, "unknown")],
    [(XFF, "192.0.2.7, unknown")],
    [(XFF, "192.0.2.7, _hidden")],
    [(XFF, "192.0.2.7, ")],
    [(XFF, "192.0.2.7"), (XFF, "")],
    [(XFF, "192.0.2.7, , 127.0.0.2")],
    [(XFF, "192.0.2.7, nonsense")],
    [(XFF, "192.0.2.7, 203.0.113.9:99999")],
    [(XFF, "192.000.002.007")],
    [(XFF, "192.0.2.7/32")],
    [(XFF, "127.0.0.1")],
    [(XFF, "127.0.0.3, 127.0.0.2")],
    [(XFF, "0.0.0.0")],
    [(FORWARDED, "")],
    [(FORWARDED, "for=unknown")],
    [(FORWARDED, "for=192.0.2.7, for=_hidden")],
    [(FORWARDED, "for=192.0.2.7, proto=https")],
    [(FORWARDED, "for=192.0.2.7;for=192.0.2.8")],
    [(FORWARDED, 'for="192.0.2.7')],
    [(FORWARDED, "for=2001:db8::7")],
    [(FORWARDED, "for=127.0.0.1")],
    [(XFF, "192.0.2.7"), (FORWARDED, "for=192.0.2.8")],
    [(XFF, "192.0.2.7"), (FORWARDED, "for=unknown")],
    [(XFF, "unknown"), (FORWARDED, "for=192.0.2.7")],
    [("X-Real-IP", "192.0.2.7")],
]


@dataclass
class Site:
    daemon: Daemon
    website: Website
    place: Place

    def post(self, body: dict[str, str], lines: Lines = (), key: str = "near") -> tuple[int, dict[str, Any]]:  # type: ignore[assignment]
        """Post a login with any lines of headers, several of one name too."""
        connection, octets = self.website.connect(), json.dumps(body).encode()
        own = [("Authorization", f"Bearer {key}"), ("Content-Type", "application/json")]
        try:
            connection.putrequest("POST", "/v1/logins")
            for name, value in [*own, ("Content-Length", str(len(octets))), *lines]:
                connection.putheader(name, value)
            connection.endheaders(octets)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def signed_in(self, lines: Lines) -> bool:
        """Sign in at the portal with the password; False: it asks for a second proof."""
        visitor, sent = Visitor(self.place), dict(lines)
        form = visitor.get("/sign-in?again=1", **sent).form("/sign-in") | {"name": "alice", "password": RIGHT}
        seen = visitor.post("/sign-in", form, **sent)
        if seen.status != 303:
            seen.form("/sign-in/code")
        return seen.status == 303


@pytest.fixture
def site(make: Make, authority: Authority, mailbox: Mailbox) -> Site:
    port, certificate = free_port(), authority.certificate()
    start = head(port, certificate, 'trusted_proxies = ["127.0.0.0/8"]').replace("[events.vpn]\n", BOTH)
    daemon = make(CHAINS + NEAR.format(hash=hashed("near")), head=start)
    return Site(daemon, Website(port, authority), _place(daemon, mailbox, certificate, port))


def _place(daemon: Daemon, mailbox: Mailbox, certificate: Certificate, port: int) -> Place:
    return Place(daemon, f"https://localhost:{port}", mailbox, certificate, port)


def unknowns(daemon: Daemon) -> list[str]:
    return [record["reason"] for record in daemon.records("user_address.unknown")]


def test_32_a_key_for_networks_opens_from_nowhere_unknown(site: Site) -> None:
    body = {"name": "alice", "password": RIGHT}
    for lines in READABLE:
        assert site.post(body, lines)[0] == 200, lines
    assert not unknowns(site.daemon)
    for lines in (*OUTSIDE, *UNREADABLE):
        assert site.post(body, lines)[0] == 401, lines
    for lines in READABLE:
        assert site.post(body, lines)[0] == 200, lines


def test_32_the_portal_asks_for_no_fewer_proofs_where_it_is_unknown(site: Site, mailbox: Mailbox) -> None:
    for lines in (*OUTSIDE, *UNREADABLE):
        if len(dict(lines)) == len(lines):
            assert not site.signed_in(lines), lines
    assert site.signed_in([(XFF, "192.0.2.7:443")])
    assert not site.daemon.records("fault")


def test_32_it_is_told_once_with_the_proxy_and_what_was_there(site: Site) -> None:
    body = {"name": "alice", "password": RIGHT}
    for _ in range(5):
        for found in ("unknown", "_hidden", "a\tb\x85\u00ad"):
            site.post(body, [(XFF, found)])
    until(lambda: unknowns(site.daemon))
    once(site.daemon, "user_address.unknown")
    for record in site.daemon.records("user_address.unknown"):
        assert (record["source"], record["teller"], record["priority"]) == ("127.0.0.1", "proxy 127.0.0.1", 4)
        assert record["reason"].startswith('X-Forwarded-For holds no address: "')
        assert record["message"].isprintable()
    site.website.ask("GET", "/health")
    site.website.ask("GET", "/health", X_Forwarded_For="nonsense, nobody knows")
    once(site.daemon, "user_address.unknown")
    for _ in range(3):
        site.post(body, [(FORWARDED, "for=unknown")])
        site.post(body, [])
    until(lambda: {reason.partition(":")[0] for reason in unknowns(site.daemon)} >= {
        "Forwarded holds no address",
        "it sends neither X-Forwarded-For nor Forwarded",
    })  # fmt: skip
    refused = site.daemon.records("request.refused")
    assert refused
    assert all(record["source"] == "unknown, behind 127.0.0.1" for record in refused)


def test_32_the_caller_that_a_website_names_is_an_address_or_unknown(site: Site, mailbox: Mailbox) -> None:
    inside = [(XFF, "192.0.2.7")]

    def asked(**body: str) -> tuple[int, str]:
        status, said = site.post({"name": "alice", "password": RIGHT} | body, inside)
        return status, said.get("result", "")

    for caller in ("192.0.2.7", "::ffff:192.0.2.7", "::ffff:c000:207", "2001:db8::7", "2001:db8::7%eth0"):
        assert asked(caller=caller) == (200, "accepted"), caller
    for caller in ("203.0.113.9", "0.0.0.0", "::", "255.255.255.255", "20:01:0d:b8:00:00:00:07"):
        assert asked(caller=caller) == (200, "challenge"), caller
    assert asked() == (200, "challenge")
    for caller in (
        "",
        "unknown",
        "192.0.2.7:443",
        "[2001:db8::7]",
        "192.0.2.7, 203.0.113.9",
        "192.0.2.7/32",
        "192.000.002.007",
    ):
        assert asked(caller=caller) == (422, ""), caller


def told(address: str) -> list[Attribute]:
    return [(CALLING_STATION_ID, address.encode("latin-1"))]


def octets(address: str) -> bytes:
    return ip_address(address).packed


FRAMED, FRAMED6, ENDPOINT = constants.FRAMED_IP_ADDRESS, constants.FRAMED_IPV6_ADDRESS, 66


def palo(address: str) -> list[Attribute]:
    return [vendor_attribute(25461, 7, address.encode())]


READ = (
    *("192.0.2.7", " 192.0.2.7", "192.0.2.7:4500", "192.0.2.7[4500]", "::ffff:192.0.2.7", "[::ffff:192.0.2.7]"),
    *("2001:db8::7", "[2001:DB8::7]:4500", "2001:db8::7[4500]", "127.0.0.1"),
)
NOT_READ = (
    *("203.0.113.9", "203.0.113.9:443", "203.0.113.9[4500]", "[2001:db9::7]:443", "::ffff:203.0.113.9"),  # elsewhere
    *("", "unknown", "00-53-00-00-00-01", "00:53:00:00:00:01", "20:01:0d:b8:00:00:00:07", "alice"),
    *("192.000.002.007", "0300.0.2.7", "3221225991", "192.0.2.7/24", "192.0.2.7\0", "192.0.2.7 x"),
    *("[192.0.2.7]", "192.0.2.7:99999", "192.0.2.7,192.0.2.8", "\xff", "0.0.0.0", "\x01192.0.2.7"),
)
# address_attribute -> what says that the user is inside, and what doesn't
ATTRIBUTES: dict[str, tuple[list[list[Attribute]], list[list[Attribute]]]] = {
    "Calling-Station-Id": (
        [told(address) for address in READ],
        [
            *(told(address) for address in NOT_READ),
            *([], told("192.0.2.7") * 2, told("192.0.2.7") + told("203.0.113.9"), palo("192.0.2.7")),
            [(FRAMED, octets("192.0.2.7"))],
        ],
    ),
    "Framed-IP-Address": (
        [[(FRAMED, octets("192.0.2.7"))], [(FRAMED, octets("192.0.2.7")), *told("203.0.113.9")]],
        [
            [],
            told("192.0.2.7"),
            [(FRAMED, octets("203.0.113.9"))],
            [(FRAMED, octets("192.0.2.7"))] * 2,
            [(FRAMED, octets("192.0.2.7")), (FRAMED, octets("203.0.113.9"))],
            *([(FRAMED, value)] for value in (b"", b"\xc0\0\2", octets("192.0.2.7") + b"\0", b"192.0.2.7")),
            *([(FRAMED, octets(value))] for value in ("0.0.0.0", "255.255.255.255", "255.255.255.254")),
        ],
    ),
    "Framed-IPv6-Address": (
        [[(FRAMED6, octets("2001:db8::7"))], [(FRAMED6, octets("::ffff:192.0.2.7"))]],
        [
            [],
            [(FRAMED6, octets("2001:db9::7"))],
            [(FRAMED6, octets("::"))],
            [(FRAMED6, octets("192.0.2.7"))],
            [(FRAMED6, octets("2001:db8::7"))] * 2,
            [(97, b"\0\x40" + octets("2001:db8::7"))],  # a prefix is no address
        ],
    ),
    "PaloAlto-Client-Source-IP": (
        [palo("192.0.2.7"), palo("2001:db8::7")],
        [
            *([], told("192.0.2.7"), palo("203.0.113.9"), palo("192.0.2.7") * 2, palo("")),
            [vendor_attribute(25462, 7, b"192.0.2.7")],
            [(constants.VENDOR_SPECIFIC, (25461).to_bytes(4) + b"\x07\x40192.0.2.7")],
        ],
    ),
    "Tunnel-Client-Endpoint": (
        [[(ENDPOINT, b"192.0.2.7")], [(ENDPOINT, b"\x01192.0.2.7")]],
        [[], [(ENDPOINT, b"\x01203.0.113.9")], [(ENDPOINT, b"\x01192.0.2.7"), (ENDPOINT, b"\x02192.0.2.7")]],
    ),
}  # fmt: skip
CLIENTS = "".join(
    f'[clients.nas{number}]\nnetworks = ["::ffff:127.0.0.{number}/128"]\nsecret = "{SECRET}"\nevent = "vpn"\n'
    f'address_attribute = "{attribute}"\n'
    for number, attribute in enumerate(ATTRIBUTES, 2)
)


@pytest.fixture
def radius(make: Make) -> Daemon:
    return make(CHAINS + CLIENTS, head=HEAD.replace("[events.vpn]\n", BOTH))


def test_32_no_attribute_of_radius_makes_a_place_of_nothing(radius: Daemon, mailbox: Mailbox) -> None:
    for number, (attribute, (inside, elsewhere)) in enumerate(ATTRIBUTES.items(), 2):
        with Raw(radius.host, radius.port, source=f"127.0.0.{number}") as nas:
            for attributes in elsewhere:
                assert nas.ask("alice", RIGHT, *attributes).code == ACCESS_CHALLENGE, (attribute, attributes)
            for attributes in inside:
                assert nas.ask("alice", RIGHT, *attributes).code == ACCESS_ACCEPT, (attribute, attributes)
        records = [each for each in radius.records("user_address.unknown") if each["client"] == f"nas{number}"]
        causes = [record["reason"].partition(":")[0] for record in records]
        assert len(causes) == len(set(causes)) > 1, "each cause is told once"
        assert all(cause.startswith(attribute) or cause == f"there is no {attribute}" for cause in causes)
    assert not radius.records("fault")


def test_32_neither_the_nas_nor_another_attribute_stands_in_for_the_user(radius: Daemon, mailbox: Mailbox) -> None:
    """The NAS asks from a network that has a chain of its own, and says of itself that it is in the other one."""
    there = [(constants.NAS_IP_ADDRESS, octets("192.0.2.7")), (constants.CALLED_STATION_ID, b"192.0.2.7")]
    with Raw(radius.host, radius.port, source="127.0.0.2") as nas:
        assert nas.ask("alice", RIGHT, *there).code == ACCESS_CHALLENGE
        assert nas.ask("bob", "battery staple", *there, *told("127.0.0.2:1812")).code == ACCESS_ACCEPT  # it says so
