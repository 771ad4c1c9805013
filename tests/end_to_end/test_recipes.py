"""The recipes of conf/clients/, word for word, where test_clients.py doesn't use them; and aad's side of all."""

from __future__ import annotations

from pathlib import Path

import pytest

from aad.config import load
from aad.daemon import plugin_registry
from tests.parts import recipes
from tests.parts.authority import Authority
from tests.parts.corp import Cook
from tests.parts.freeradius_recipe import FreeradiusByRecipe
from tests.parts.mailbox import Mailbox, code_in
from tests.parts.openvpn import Openvpn
from tests.parts.radclient import Radclient
from tests.parts.recipes import Site
from tests.parts.waiting import until

RIGHT = "correct horse"
CRV1 = "Dynamic challenge"
SCRIPT = recipes.FOLDER / "openvpn-crv1.py"
AAD = [
    (name, block) for name in recipes.names() for block in recipes.every(name) if block.place.startswith("/etc/aad/")
]


@pytest.mark.parametrize(("name", "block"), AAD, ids=[f"{name}-{n}" for n, (name, _) in enumerate(AAD)])
def test_what_goes_into_aad_toml_is_sound(name: str, block: recipes.Block, tmp_path: Path) -> None:
    assert block.place == f"/etc/aad/aad.toml.d/{name}.toml"
    for folder in ("aad.toml.d", "credentials"):
        (tmp_path / folder).mkdir()
    served = Authority(tmp_path / "ca").certificate()
    text = block.text.replace("/etc/aad/tls/fullchain.pem", str(served.cert_file))
    text = text.replace("/etc/aad/tls/key.pem", str(served.key_file))
    (tmp_path / "aad.toml.d" / f"{name}.toml").write_text(text)
    for secret in ("vpn-gateway.secret", "ldap.password", "smtp.password", f"credentials/{name}.secret"):
        (tmp_path / secret).touch(mode=0o600)
        (tmp_path / secret).write_text("a secret, long enough for everybody")
    main = tmp_path / "aad.toml"
    main.write_text((recipes.FOLDER.parent / "aad.toml").read_text("utf-8").replace("192.0.2.10", "203.0.113.10"))
    assert not load(main, plugin_registry).warnings


def test_every_recipe_is_in_the_table_and_has_a_part_for_aad() -> None:
    table = (recipes.FOLDER / "README.md").read_text("utf-8")
    assert [name for name in recipes.names() if f"[{name}]({name}.md)" not in table] == []
    assert {name for name, _ in AAD} == set(recipes.names())


def openvpn(folder: Path, authority: Authority, site: Site, section: str) -> Openvpn:
    files = {block.place: site.filled(block.text) for block in recipes.every("openvpn", section)}
    files = {place: text for place, text in files.items() if place.startswith("/etc/") and "/aad/" not in place}
    files["/etc/openvpn/aad.secret"] = site.secret
    files["/etc/openvpn/openvpn-crv1.py"] = SCRIPT.read_text()
    return Openvpn(folder, authority, files)


def test_openvpn_asks_for_the_code_by_a_dynamic_challenge(
    cook: Cook, tmp_path: Path, authority: Authority, mailbox: Mailbox
) -> None:
    daemon, site = cook("openvpn", CRV1)
    client = recipes.blocks("openvpn", CRV1)["client.ovpn"].text
    answers = iter(("111", ""))
    with openvpn(tmp_path / "vpn", authority, site, CRV1) as vpn:
        result = vpn.login(
            "alice", RIGHT, lambda _: next(answers) or code_in(mailbox.wait("alice@example.com")), more=client
        )
        assert result.accepted, result.transcript + vpn.log()
        assert not vpn.login("alice", "wrong", lambda _: "", more=client).accepted
    asked, wrong = result.prompts
    assert asked.startswith("CHALLENGE: Enter the code sent to a***@e***.com")
    assert wrong.startswith("CHALLENGE: Wrong code.")
    assert len(mailbox.messages) == 1
    assert daemon.records("login.rejected")[0]["reason"] == "wrong password"
    assert daemon.records("login.started")[0]["caller"] == "127.0.0.1"


@pytest.mark.parametrize("section", ["pam_radius", "openvpn-auth-radius"])
def test_openvpn_brings_the_code_in_one_field(
    cook: Cook, tmp_path: Path, authority: Authority, mailbox: Mailbox, section: str
) -> None:
    daemon, site = cook("openvpn", section)
    with openvpn(tmp_path / "vpn", authority, site, section) as vpn:
        assert not vpn.login("alice", RIGHT, lambda _: "").accepted
        code = code_in(mailbox.wait("alice@example.com"))
        result = vpn.login("alice", f"{RIGHT},{code}", lambda _: "", more="explicit-exit-notify 1\n")
        assert result.accepted, result.transcript + vpn.log()
        assert len(mailbox.messages) == 1
        if section == "openvpn-auth-radius":
            until(lambda: daemon.records("session.stopped"), what="the end of the session")
            sessions = daemon.records("session.started", "session.stopped")
            assert [(record["user"], record["address"]) for record in sessions] == [("alice", "10.8.0.2")] * 2


def test_freeradius_passes_a_challenge_on(cook: Cook, tmp_path: Path, mailbox: Mailbox) -> None:
    _, site = cook("freeradius")
    with (
        FreeradiusByRecipe(tmp_path / "proxy", site) as proxy,
        Radclient(proxy.host, proxy.port, proxy.secret) as nas,
    ):
        result = nas.login("alice", RIGHT, lambda _: code_in(mailbox.wait("alice@example.com")))
        assert result.accepted, result.transcript + proxy.log()
        assert len(result.prompts) == 1
        assert not nas.login("alice", "wrong", lambda _: "").accepted


@pytest.mark.parametrize("name", ["switch", "strongswan", "mikrotik"])
def test_a_first_try_in_one_field_is_no_failure(cook: Cook, mailbox: Mailbox, name: str) -> None:
    daemon, site = cook(name)
    with Radclient(site.host, site.port, site.secret, message_authenticator=name != "switch") as nas:
        for _ in range(4):  # lockout would begin with the third
            refused = nas.login("alice", RIGHT, lambda _: "")
            assert not refused.accepted
        assert "Enter the code sent to a***@e***.com" in refused.transcript
        code = code_in(mailbox.wait("alice@example.com"))
        assert nas.login("alice", f"{RIGHT},{code}", lambda _: "").accepted
    assert len(mailbox.messages) == 1
    assert not daemon.records("user.locked")
