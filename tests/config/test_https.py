"""[https] of aad.toml: what is right is read, what is wrong is named by file and key."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from aad.cli import main
from tests.parts.authority import Authority
from tests.parts.configuration import SMALLEST, faults, loaded

HASH = hashlib.sha256(b"key").hexdigest()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


def https(authority: Authority, rest: str = "", *, expired: bool = False, names: tuple[str, ...] = ()) -> str:
    made = authority.certificate(*names, expired=expired)
    return f'{SMALLEST}\n[https]\ncertificate = "{made.cert_file}"\nkey = {{ file = "{made.key_file}" }}\n{rest}'


def test_without_the_section_there_is_none(tmp_path: Path) -> None:
    assert loaded(tmp_path, SMALLEST).https is None


def test_a_website_is_a_client_to_chains_and_replies(tmp_path: Path, authority: Authority) -> None:
    text = f'[https.keys.shop]\nhash = "{HASH}"\nevent = "vpn"\n'
    text += '[chains.web]\nmethods = ["password"]\nclients = ["shop"]\n'
    config = loaded(tmp_path, https(authority, text))
    assert not config.warnings
    assert config.https is not None
    assert config.https.listen == ("[::]:8443",)
    assert config.https.keys["shop"].deadline == 10.0
    assert config.events_by_client == {"gw": ("vpn",), "shop": ("vpn",)}


def test_a_key_that_only_a_proxy_could_use_is_warned_about(tmp_path: Path, authority: Authority) -> None:
    text = f'[https.keys.shop]\nhash = "{HASH}"\nevent = "vpn"\nnetworks = ["192.0.2.9", "10.1.0.0/16", "0.0.0.0/0"]\n'
    config = loaded(tmp_path, https(authority, 'trusted_proxies = ["10.0.0.0/8", "2001:db8::1"]\n' + text))
    assert [str(warning).partition(": https.")[2] for warning in config.warnings] == [
        "keys.shop.networks[1]: 10.1.0.0/16 is in trusted_proxies, so no request that the key is for comes from there"
    ]


def test_there_may_be_websites_only(tmp_path: Path, authority: Authority) -> None:
    text = https(authority, f'[https.keys.shop]\nhash = "{HASH}"\nevent = "vpn"\n')
    without = text.replace("[clients.gw]", "[clients]\n[elsewhere]")
    assert not [fault for fault in faults(tmp_path, without) if fault.startswith("clients")]


@pytest.mark.parametrize(
    ("rest", "fault"),
    [
        ('listen = ["8443"]', 'https.listen[0]: "8443" should be ADDRESS:PORT, such as "[::]:8443"'),
        ("listen = []", "https.listen: should name at least one address"),
        ('never_slowed = ["office"]', "https.never_slowed[0]: 'office' does not appear to be"),
        ('trusted_proxies = ["proxy"]', "https.trusted_proxies[0]: 'proxy' does not appear to be"),
        ("connections = 1", "https.connections: 1 should be at least 10"),
        ('[https.keys.shop]\nhash = "KEY"\nevent = "vpn"', "https.keys.shop.hash: should be 64 hexadecimal digits"),
        ('[https.keys.shop]\nhash = "HASH"\nold_hash = "x"\nevent = "vpn"', "https.keys.shop.old_hash: should be 64"),
        ('[https.keys.shop]\nhash = "HASH"\nevent = "web"', 'https.keys.shop.event: "web" is defined nowhere'),
        ('[https.keys.shop]\nhash = "HASH"\nevent = "vpn"\nnetworks = ["x"]', "https.keys.shop.networks[0]: 'x' does"),
        ('[https.keys.gw]\nhash = "HASH"\nevent = "vpn"', "https.keys.gw: clients.gw has this name already"),
        ("[https.keys]\nshop = 3", "https.keys.shop: should be a table: [https.keys.shop]"),
        ('[chains.web]\nmethods = ["password"]\nclients = ["shop"]', 'chains.web.clients: "shop" is defined nowhere'),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, authority: Authority, rest: str, fault: str) -> None:
    found = faults(tmp_path, https(authority, rest.replace("HASH", HASH)))
    assert len(found) == 1, found
    assert found[0].startswith(fault)


def test_the_certificate_is_looked_at(tmp_path: Path, authority: Authority) -> None:
    one, other = authority.certificate(), authority.certificate()
    encrypted = tmp_path / "encrypted.key"
    encrypted.write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n")
    encrypted.chmod(0o600)
    for certificate, key, what in (
        (one.cert_file, other.key_file, "doesn't belong to the key"),
        (one.key_file, one.key_file, "is no certificate in PEM (-----BEGIN CERTIFICATE-----)"),
        (one.cert_file, one.cert_file, "its key isn't in PEM (-----BEGIN PRIVATE KEY-----)"),
        (one.cert_file, encrypted, "can't be used with its key"),
        (tmp_path / "none.pem", one.key_file, "can't be read: No such file or directory"),
    ):
        text = f'{SMALLEST}\n[https]\ncertificate = "{certificate}"\nkey = {{ file = "{key}" }}\n'
        (found,) = faults(tmp_path, text)
        assert found.startswith(f"https.certificate: {certificate} {what}")


def test_a_certificate_that_ends_is_warned_about(tmp_path: Path, authority: Authority) -> None:
    (warning,) = loaded(tmp_path, https(authority, expired=True)).warnings
    assert "has expired: nobody trusts it any more" in warning.what


def test_without_its_library_it_says_what_to_install(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aad.config.https.NEEDS", ("h11", "no_such_module"))
    assert faults(tmp_path, https(authority)) == ["https: needs no_such_module: pip install 'aad[https]'"]


def test_make_key_prints_what_aad_toml_takes(
    tmp_path: Path, authority: Authority, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["make-key", "web shop", "--event", "vpn"]) == 0
    said = capsys.readouterr().out
    (key,) = [line for line in said.splitlines() if line.startswith("aad_")]
    config = loaded(tmp_path, https(authority, "\n".join(line for line in said.splitlines() if line != key)))
    assert config.https is not None
    assert config.https.keys["web shop"].hash == hashlib.sha256(key.encode()).hexdigest()
