"""[https.portal]: what is wrong with it is said by key."""

from __future__ import annotations

from pathlib import Path

import pytest

from aad.config import ConfigError, load
from aad.config.portal import Portal
from aad.daemon import plugin_registry
from tests.parts.authority import Authority

HASH = "scrypt$n=16384,r=8,p=1$plgEy3dTiNF+BHacLbePSw==$Ffaw/d449xY5U6I3oS8jzRVMi8SAWVypfa+O+iYtyFk="
REST = """
[clients.{client}]
networks = ["192.0.2.1"]
secret = "a-secret-that-is-long-enough"
event = "vpn"
[repositories.local]
path = "{folder}/users.toml"
[chains.bare]
methods = ["password"]
[events.vpn]
[https]
certificate = "{certificate}"
key = {{ file = "{key}" }}
{section}
"""


def loaded(folder: Path, portal: str, *, client: str = "gateway", section: str = "[https.portal]") -> Portal | None:
    certificate = Authority(folder / "ca").certificate()
    (folder / "users.toml").write_text(f'[users.alice]\npassword = "{HASH}"\n')
    (folder / "users.toml").chmod(0o600)
    values = {"certificate": certificate.cert_file, "key": certificate.key_file, "client": client}
    file = folder / "aad.toml"
    file.touch(0o600)
    file.write_text(REST.format(**values, folder=folder, section=section) + portal)
    https = load(file, plugin_registry).https
    return https.portal if https else None


def test_the_defaults(tmp_path: Path) -> None:
    portal = loaded(tmp_path, 'event = "vpn"')
    assert portal
    found = [float(each) for each in (portal.idle, portal.lifetime, portal.fresh, portal.history)]
    assert found == [900, 28_800, 600, 90 * 86_400]
    assert portal.history_logins == 20
    assert portal.helpdesk_groups == ()


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("", "https.portal.event: missing"),
        ('event = "vpm"', 'https.portal.event: "vpm" is defined nowhere as [events.vpm]: did you mean "vpn"?'),
        ('event = "vpn"\nidel = "5m"', 'https.portal.idel: unknown key: did you mean "idle"?'),
        ('event = "vpn"\nlanguage = "it"', "https.portal.language"),
        ('event = "vpn"\ntitle = " "', "https.portal.title: should be words"),
        ('event = "vpn"\nidle = "1s"', "https.portal.idle"),
        (
            'event = "vpn"\n[https.keys.portal]\nhash = "' + "0" * 64 + '"\nevent = "vpn"',
            "https.keys.portal: has the name of the portal",
        ),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, toml: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, toml)
    assert said in str(caught.value)


def test_a_client_may_not_be_called_as_the_portal_is(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"clients\.portal has this name already"):
        loaded(tmp_path, 'event = "vpn"', client="portal")


def test_it_should_be_a_table(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"https\.portal: should be a table: \[https\.portal\]"):
        loaded(tmp_path, "", section="portal = 3")
