"""[replies.NAME], [radius] dictionary and [clients.NAME] address_attribute: every fault by file and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from aad.config.replies import asked_for
from aad.daemon.assembly import granting
from aad.daemon.radius_clients import clients
from aad.radius.protocol.user_address import UserAddressAttribute
from tests.parts.configuration import SMALLEST, faults, loaded

REPLIES = """
[replies.one]
groups = ["cn=vpn"]
events = ["vpn"]
"""


def wrong(folder: Path, attributes: str, head: str = REPLIES) -> list[str]:
    return faults(folder, f"{SMALLEST}{head}attributes = {{ {attributes} }}\n")


def test_what_is_right_is_granted(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        SMALLEST
        + REPLIES
        + 'attributes = { "Tunnel-Type:1" = "VLAN", Session-Timeout = 3600, Class = ["{group}", "{attribute:a}"] }\n'
        + '[replies.two]\nattributes = { Filter-Id = "{attribute:b;x-1} {user}", Class = "{attribute:a}" }\n',
    )
    said = granting(config)
    assert said is not None
    assert [table.name for table in said.tables] == ["one", "two"]
    assert asked_for(config.replies) == ("a", "b;x-1")


def test_without_replies_nothing_is_read(tmp_path: Path) -> None:
    config = loaded(tmp_path, SMALLEST)
    assert config.dictionary is None
    assert granting(config) is None


@pytest.mark.parametrize(
    ("attributes", "fault"),
    [
        ('Filter-ID = "x"', 'Filter-ID: no attribute of the dictionary: did you mean "Filter-Id"?'),
        ('Colour = "x"', "Colour: no attribute of the dictionary: the names are those of FreeRADIUS; "),
        ('Tunnel-Type = "VLam"', 'Tunnel-Type: "VLam" should be a number from 0 to 16777215, or one of PPTP, L2F, '),
        ('Framed-IP-Address = "x"', 'Framed-IP-Address: "x" should be an IPv4 address, such as "192.0.2.7"'),
        ('State = "x"', "State: State has no place in an Access-Accept"),
        ('Tunnel-Password = "x"', "Tunnel-Password: Tunnel-Password would have to be encrypted"),
        ('Class = "{otp}"', "Class: {otp} is no macro; there are {user} {group} {attribute:NAME}"),
        ('Class = "{attribute:userPassword}"', "Class: {attribute:userPassword} holds a secret"),
        ("Class = []", "Class: should have at least one value"),
        ("Class = true", "Class should be a text, a number, or a list of them"),
        ('Class = { file = "secret" }', "Class should be a text, a number, or a list of them"),
        ("", "should hold at least one"),
    ],
)
def test_a_fault_says_what_would_be_right(tmp_path: Path, attributes: str, fault: str) -> None:
    (said,) = wrong(tmp_path, attributes)
    assert said.startswith("replies.one.attributes")
    assert fault in said


def test_a_group_needs_groups(tmp_path: Path) -> None:
    (said,) = wrong(tmp_path, 'Class = "{group}"', "[replies.one]\n")
    assert "it has none" in said


def test_there_is_an_end_to_what_fits(tmp_path: Path) -> None:
    (said,) = wrong(tmp_path, f"Cisco-AVPair = {['a' * 240] * 11}")
    assert said == "replies.one: has 2728 octets of attributes, and a reply has room for 2560"


def test_names_of_elsewhere_must_be_there(tmp_path: Path) -> None:
    head = '[replies.one]\nevents = ["von"]\nclients = ["nobody"]\n'
    assert [each.partition(":")[0] for each in sorted(wrong(tmp_path, 'Class = "x"', head))] == [
        "replies.one.clients",
        "replies.one.events",
    ]


def test_a_further_dictionary_is_read(tmp_path: Path) -> None:
    (tmp_path / "further").write_text("VENDOR Acme 54321\nATTRIBUTE Acme-Role 1 string Acme\n")
    text = SMALLEST + '[radius]\ndictionary = "further"\n' + REPLIES + 'attributes = { Acme-Role = "x" }\n'
    assert granting(loaded(tmp_path, text)) is not None
    (tmp_path / "further").write_text("VENDOR Acme 54321\nATTRIBUTE Acme-Role 1 strong Acme\n")
    (said,) = faults(tmp_path, text)
    assert said.startswith("radius.dictionary: ")
    assert said.endswith("further: line 2: Illegal type: strong")


@pytest.mark.parametrize(
    ("key", "networks", "source"),
    [
        ("", "", None),
        ("", 'networks = ["192.0.2.0/24"]', UserAddressAttribute()),
        (
            'address_attribute = "Framed-IP-Address"',
            'networks = ["192.0.2.0/24"]',
            UserAddressAttribute(8, 0, "ipaddr"),
        ),
        ('address_attribute = "Fortinet-Client-IP-Address"', "", None),
    ],
)
def test_the_address_is_read_where_a_chain_asks_for_it(
    tmp_path: Path, key: str, networks: str, source: UserAddressAttribute | None
) -> None:
    text = SMALLEST.replace("[chains.both]", f"[chains.both]\n{networks}").replace(
        "[clients.gw]", f"[clients.gw]\n{key}"
    )
    client = clients(loaded(tmp_path, text)).find("192.0.2.10")
    assert client is not None
    assert client.address_attribute == source


def test_an_attribute_without_an_address_is_a_fault(tmp_path: Path) -> None:
    text = SMALLEST.replace("[clients.gw]", '[clients.gw]\naddress_attribute = "Calling-Station-ID"')
    (said,) = faults(tmp_path, text)
    assert said == (
        'clients.gw.address_attribute: Calling-Station-ID holds no address: did you mean "Calling-Station-Id"?'
    )
