"""`aad check --online`: each group of aad.toml, and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest

from aad.cli.group_lookup import groups_found
from aad.config import Config, load
from aad.core.secret import Secret
from aad.core.settings import option
from aad.daemon import plugin_registry
from aad.ports import GroupLookup, Unavailable
from tests.parts.ports import free_port

HASH = "scrypt$n=16384,r=8,p=1$plgEy3dTiNF+BHacLbePSw==$Ffaw/d449xY5U6I3oS8jzRVMi8SAWVypfa+O+iYtyFk="
SITE = """
[clients.gw]
networks = ["192.0.2.10"]
secret = "a shared secret of this test"
event = "vpn"
[repositories.local]
[repositories.gone]
type = "ldap"
servers = ["ldap://127.0.0.1:{port}"]
base_dn = "dc=example,dc=com"
[repositories.bare]
type = "bare"
[repositories.able]
type = "able"
[chains.members]
methods = ["password"]
groups = [{groups}]
[events.vpn]
repositories = [{repositories}]
"""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """[repositories.NAME] of the tests' own types."""

    nothing: str = option("", "Is for nothing.")


class Bare:
    """A repository of somebody else, which can do what it must."""

    Settings: ClassVar[type] = Settings

    def __init__(self, *_: Any) -> None:
        pass

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


class Able(Bare):
    """One that looks groups up, and says of each what its name is."""

    async def look_up_group(self, group: str, deadline: float) -> GroupLookup:
        assert deadline
        if group == "away":
            raise Unavailable(group)
        return {
            "fine": GroupLookup(found=True),
            "unfit": GroupLookup(found=True, note="it is no good"),
            "missing": GroupLookup(found=False, note="there is none"),
            "nobody knows": GroupLookup(found=None, note="it is hidden"),
        }[group]


@pytest.fixture(autouse=True)
def types(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("bare", "able"):
        monkeypatch.setitem(plugin_registry.BUILT_IN["repositories"], name, f"{__name__}:{name.title()}")


def configured(folder: Path, groups: str, repositories: str) -> Config:
    users = folder / "users.toml"
    users.touch(0o600)
    users.write_text(f'[users.alice]\npassword = "{HASH}"\ngroups = ["VPN", "cn=vpn,dc=example"]\n')
    file = folder / "aad.toml"
    file.touch(0o600)
    file.write_text(SITE.format(port=free_port(), groups=groups, repositories=repositories))
    return load(file, plugin_registry)


@pytest.mark.parametrize(
    ("group", "repositories", "worked", "said"),
    [
        ("fine", '"able"', True, ""),
        ("vpn", '"local"', True, ""),
        ("CN = vpn , dc=example", '"local"', True, ""),
        ("vpn", '"gone", "local"', True, ""),
        ("fine", '"bare", "local", "able"', True, ""),
        ("unfit", '"able"', False, 'FAILED, "unfit" is in repository able, but it is no good'),
        ("missing", '"able"', False, 'FAILED, "missing" isn\'t in repository able: there is none'),
        (
            "missing",
            '"able", "local"',
            False,
            "FAILED, \"missing\" isn't in repository able: there is none; isn't in repository local: no user of /",
        ),
        ("nobody knows", '"able"', True, '"nobody knows" can\'t be looked up in repository able: it is hidden'),
        (
            "missing",
            '"able", "bare"',
            True,
            '"missing" can\'t be looked up in repository bare: this type of repository',
        ),
        ("away", '"able"', True, '"away" can\'t be looked up in repository able: away'),
        ("cn=vpn", '"gone"', True, '"cn=vpn" can\'t be looked up in repository gone: ldap://127.0.0.1:'),
        ("VPM", '"local"', False, 'FAILED, "VPM" isn\'t in repository local: no user of /'),
    ],
)
async def test_what_is_said_of_a_group(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], group: str, repositories: str, *, worked: bool, said: str
) -> None:
    config = configured(tmp_path, f"'{group}'", repositories)
    assert await groups_found(config, Secret(b"")) == worked
    lines = capsys.readouterr().out.splitlines()
    last = "fine, 1" if not said else "not all known, 0" if worked else "FAILED, 0"
    assert lines[-1].startswith(f"groups: {last} of 1 found (")
    assert len(lines) == (2 if said else 1)
    assert lines[0].startswith(f"chains.members.groups[0]: {said}" if said else "groups")


async def test_where_no_group_is_named_nothing_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await groups_found(configured(tmp_path, "", '"gone"'), Secret(b""))
    assert capsys.readouterr().out == ""


async def test_a_group_that_nobody_asks_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = configured(tmp_path, '"vpn"', '"local"').file
    more = '[chains.all]\nmethods = ["password"]\n[events.vpn]\nchains = ["all"]\n'
    file.write_text(file.read_text().replace("[events.vpn]\n", more))
    assert await groups_found(load(file, plugin_registry), Secret(b""))
    assert capsys.readouterr().out.startswith(
        'chains.members.groups[0]: "vpn" can\'t be looked up: no event asks for it'
    )


async def test_a_repository_that_can_not_be_opened(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = configured(tmp_path, '"vpn"', '"local"')
    (tmp_path / "users.toml").unlink()
    assert await groups_found(config, Secret(b""))
    assert "can't be looked up in repository local: " in capsys.readouterr().out
