"""Groups of chains, replies and the helpdesk: those of which nobody could be a member are faults, by key."""

from __future__ import annotations

from pathlib import Path

import pytest

from aad.config.groups import configured_groups
from tests.parts.authority import Authority
from tests.parts.configuration import faults, loaded

VPN = "cn=vpn, ou=groups,dc=example,dc=com"
SITE = """
[clients.gw]
networks = ["192.0.2.10"]
secret = "a shared secret of this test"
event = "vpn"
[clients.switch]
networks = ["192.0.2.11"]
secret = "a shared secret of this test"
event = "network"
[repositories.local]
[repositories.corp]
type = "ldap"
servers = ["ldaps://dc.example.com"]
base_dn = "dc=example,dc=com"
{corp}
[chains.members]
methods = ["password"]
groups = [{members}]
[chains.all]
methods = ["password"]
[events.vpn]
repositories = [{vpn}]
[events.network]
repositories = ["local"]
chains = ["all"]
"""
CORP, BOTH, LOCAL = '"corp"', '"corp", "local"', '"local"'
PLAIN = 'group_attribute = "eduPersonAffiliation"'


def site(group: str, vpn: str = CORP, corp: str = "") -> str:
    return SITE.format(members=f"'{group}'" if group else "", vpn=vpn, corp=corp)


@pytest.mark.parametrize(
    ("group", "vpn", "corp"),
    [
        (VPN, CORP, ""),
        (VPN, BOTH, ""),
        (VPN, LOCAL, ""),
        ("vpn", BOTH, ""),
        ("vpn", LOCAL, ""),
        ("vpn", CORP, PLAIN),
        ("a=b,c", LOCAL, ""),
        ("a=b,c", CORP, PLAIN),
        ("a=b,c", BOTH, PLAIN),
        ("urn:mace:example=x", CORP, PLAIN),
        ("cn=vpn", CORP, 'group_attribute = "memberof"'),
    ],
)
def test_what_could_be_a_group(tmp_path: Path, group: str, vpn: str, corp: str) -> None:
    (found,) = configured_groups(vars(loaded(tmp_path, site(group, vpn, corp))))
    assert (found.key, found.name) == ("chains.members.groups[0]", group)


@pytest.mark.parametrize(
    ("group", "vpn", "corp", "said"),
    [
        (
            "vpn",
            CORP,
            "",
            '"vpn" is no DN (RFC 4514): "vpn" should be a type and "=", such as "cn="; should be such as',
        ),
        ("vpn", CORP, 'group_attribute = ""\ngroup_filter = "(member={dn})"', '"vpn" is no DN'),
        ("vpn", CORP, 'group_attribute = "MEMBEROF"', '"vpn" is no DN'),
        ("vpn,ou=groups", CORP, "", '"vpn,ou=groups" is no DN'),
        ("CORP\\vpn", CORP, "", "is no DN"),
        ("cn=vpn,", CORP, "", '"cn=vpn," is no DN (RFC 4514): its end should be a type and "="'),
        ("cn=vpn,", BOTH, "", '"cn=vpn," is no DN (RFC 4514): its end'),
        (
            "cn=Sales, West,dc=x",
            CORP,
            "",
            'a "," within a value is written "\\,"; should be such as',
        ),
        ("cn=a<b,dc=x", CORP, "", '"a<b,dc=x" isn\'t a value'),
        ("cn=a+cn=b", CORP, "", "has cn twice in one part"),
        ("cn=" + "x" * 1100, LOCAL, "", "has more than 1024 characters"),
        (" ", LOCAL, "", '" " should be the name of a group'),
        ("v\ufffdpn", LOCAL, "", "holds U+FFFD"),
    ],
)
def test_what_nobody_could_be_a_member_of(tmp_path: Path, group: str, vpn: str, corp: str, said: str) -> None:
    (fault,) = faults(tmp_path, site(group, vpn, corp))
    assert fault.startswith('chains.members.groups[0]: "')
    assert said in fault


def test_an_empty_name_is_none(tmp_path: Path) -> None:
    text = site("", LOCAL).replace("groups = []", 'groups = ["vpn", ""]')
    assert faults(tmp_path, text) == ['chains.members.groups[1]: "" should be the name of a group']


def test_of_a_repository_with_faults_nothing_is_said(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, site("vpn", CORP, 'bind_password = "for nobody"'))
    assert fault.startswith("repositories.corp.bind_dn")


def test_a_chain_that_no_event_asks_for(tmp_path: Path) -> None:
    config = loaded(tmp_path, site("vpn").replace('["corp"]', '["corp"]\nchains = ["all"]'))
    assert [group.repositories for group in configured_groups(vars(config))] == [()]


REPLY = '[replies.one]\ngroups = ["{group}"]\nattributes = {{ Class = "x" }}\n'


@pytest.mark.parametrize(
    ("rules", "repositories"),
    [
        ("", ("corp", "local")),
        ('events = ["vpn"]', ("corp",)),
        ('events = ["network"]', ("local",)),
        ('clients = ["gw"]', ("corp",)),
        ('clients = ["gw", "switch"]', ("corp", "local")),
        ('clients = ["gw"]\nevents = ["network"]', ()),
    ],
)
def test_whose_groups_a_reply_means(tmp_path: Path, rules: str, repositories: tuple[str, ...]) -> None:
    config = loaded(tmp_path, site("") + REPLY.format(group="cn=vpn") + rules)
    (group,) = configured_groups(vars(config))
    assert (group.key, group.repositories) == ("replies.one.groups[0]", repositories)
    strict = repositories == ("corp",)
    text = site("") + REPLY.format(group="vpn") + rules
    if strict:
        assert faults(tmp_path, text)[0].startswith('replies.one.groups[0]: "vpn" is no DN')
    else:
        loaded(tmp_path, text)


PORTAL = """
[https]
certificate = "{certificate.cert_file}"
key = {{ file = "{certificate.key_file}" }}
[https.keys.shop]
hash = "{hash}"
event = "network"
further_events = ["vpn"]
[https.portal]
event = "vpn"
helpdesk_groups = ["{group}"]
"""


def test_the_helpdesk_and_a_website(tmp_path: Path) -> None:
    certificate = Authority(tmp_path / "ca").certificate()
    portal = {
        group: PORTAL.format(certificate=certificate, group=group, hash="00" * 32)
        for group in ("cn=helpdesk", "helpdesk")
    }
    reply = REPLY.format(group="cn=vpn") + 'clients = ["shop"]\n'
    config = loaded(tmp_path, site("") + reply + portal["cn=helpdesk"])
    found = {group.key: group.repositories for group in configured_groups(vars(config))}
    assert found == {
        "replies.one.groups[0]": ("corp", "local"),
        "https.portal.helpdesk_groups[0]": ("corp",),
    }
    (fault,) = faults(tmp_path, site("") + portal["helpdesk"])
    assert fault.startswith('https.portal.helpdesk_groups[0]: "helpdesk" is no DN')
