"""Root's commands beside the unit, also where its user is a dynamic one and its folders are in /var/lib/private."""

from __future__ import annotations

from aad.radius.protocol.constants import ACCESS_CHALLENGE, ACCESS_REJECT
from tests.parts.daemon import SECRET
from tests.systemd.conftest import PASSWORD, Home

CONFIGURATION = """\
[clients.gateway]
networks = ["127.0.0.0/8"]
secret = { credential = "gateway.secret" }
event = "vpn"
[repositories.local]
[chains.app]
methods = ["password", "totp"]
[events.vpn]
[log]
to = "file"
file = "/var/log/aad/aad.log"
"""
DYNAMIC = """\
[Service]
DynamicUser=yes
User=aad-dynamic
Group=aad-dynamic
ConfigurationDirectoryMode=0755
"""


def owners(home: Home) -> set[str]:
    return set(home.run("sh", "-c", "stat -c %u:%g /var/lib/aad/* /var/log/aad/*").split())


def used(home: Home) -> None:
    """Lock a user out and in again, and enrol one, beside the daemon."""
    with home.client() as client:
        for number in range(3):
            assert client.ask("alice", f"wrong {number}").code == ACCESS_REJECT
        assert home.run("aad", "locked").startswith("alice")
        assert home.run("aad", "unlock", "alice") == "alice: unlocked"
        assert "enrolled for totp" in home.run("aad", "totp", "enroll", "alice", "--no-confirm")
        assert client.ask("alice", PASSWORD).code == ACCESS_CHALLENGE
    assert "alice is no longer locked out" in home.run("aad", "log", "--user", "alice")
    assert "store: fine" in home.run("aad", "check", "--online")


def configured(home: Home, mode: int) -> None:
    home.write("/etc/aad/aad.toml", CONFIGURATION, mode, "root:aad")
    home.write("/etc/aad/credentials/gateway.secret", SECRET, 0o600)


def test_39_beside_the_unit_and_without_it(home: Home) -> None:
    configured(home, 0o640)
    home.run("mkdir", "/var/log/aad")
    home.run("chown", "aad:aad", "/var/log/aad")
    assert "enrolled for totp" in home.run("aad", "totp", "enroll", "bob", "--no-confirm")
    home.begin()
    used(home)
    home.systemctl("stop", "aad")
    assert home.run("aad", "totp", "list").startswith("alice")
    assert owners(home) == {home.run("sh", "-c", "echo $(id -u aad):$(id -g aad)")}


def test_39_with_a_dynamic_user(home: Home) -> None:
    configured(home, 0o644)
    home.run("chmod", "o+rX", "/etc/aad", "/etc/aad/aad.toml.d", "/etc/aad/users.toml")
    home.run("rmdir", "/var/lib/aad")
    home.drop_in(DYNAMIC)
    home.begin()
    assert home.run("readlink", "/var/lib/aad", "/var/log/aad").split() == ["private/aad", "private/aad"]
    assert home.run("stat", "-c", "%U %a", "/var/lib/private", "/var/log/private") == "root 700\nroot 700"
    used(home)
    assert len(owners(home)) == 1
    assert not any(each.startswith("0:") or each.endswith(":0") for each in owners(home))
    home.systemctl("stop", "aad")  # now nobody has its number
    assert home.run("aad", "totp", "remove", "alice") == "alice: no longer enrolled for totp"
    assert len(owners(home)) == 1
    home.begin()
    used(home)
